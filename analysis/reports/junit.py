"""An assessment as JUnit XML, which continuous integration shows as tests.

Each finding that judges is a test: what fails is a failure, for it is a finding about the
service; what cannot be told is skipped, with the reason; an error never appears, because a run
that cannot be judged gives no assessment at all. The schema is the one that Jenkins, GitLab and
GitHub's reporters read.
"""

import re
import xml.etree.ElementTree as ET  # only written here, never parsed

from tidemark.analysis import units
from tidemark.analysis.verdict.assessment import Assessment, Finding, Kind, Severity
from tidemark.record.metrics import metric

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not (section 2.2, Char)."""

_SKIPPED = (Severity.UNKNOWN, Severity.DOUBT)
_NAMES = {
    Kind.THRESHOLD: "{} within its threshold",
    Kind.REGRESSION: "{} since the baseline",
    Kind.EXHAUSTED: "{} exhausted",
}
"""What a test is called that is not just about the growth of its subject."""


def render(assessment: Assessment) -> bytes:
    """Return an assessment as JUnit XML in UTF-8."""
    tests = [one for one in assessment.findings if one.severity is not Severity.NOTE]
    severities = [one.severity for one in tests]
    counts = {
        "tests": str(len(tests)),
        "failures": str(severities.count(Severity.FAIL)),
        "errors": "0",
        "skipped": str(sum(severities.count(one) for one in _SKIPPED)),
    }
    suites = ET.Element("testsuites", {"name": "tidemark", **counts})
    name = _clean(f"tidemark.{assessment.verdict.run}")
    suite = ET.SubElement(suites, "testsuite", {"name": name, **counts})
    properties = ET.SubElement(suite, "properties")
    said = {
        "verdict": assessment.verdict.verdict,
        "result": assessment.result,
        "reason": assessment.because,
    }
    for key, value in said.items():
        ET.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    for finding in tests:
        _add(suite, name, finding)
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True))


def _add(suite: ET.Element, classname: str, finding: Finding) -> None:
    name = _NAMES.get(finding.kind, "{}").format(finding.subject)
    element = ET.SubElement(suite, "testcase", {"classname": classname, "name": name})
    reason = _clean(finding.reason)
    if finding.severity is Severity.FAIL:
        kind = {"type": finding.kind.value, "message": reason}
        ET.SubElement(element, "failure", kind).text = _clean(_figures(finding))
    elif finding.severity in _SKIPPED:
        ET.SubElement(element, "skipped", {"message": reason})
    else:
        ET.SubElement(element, "system-out").text = reason


def _figures(finding: Finding) -> str:
    found = metric(finding.subject)
    return "\n".join(
        f"{name.replace('_', ' ')}: {units.amount(found, value, 4)}"
        for name, value in finding.evidence.items()
    )


def _clean(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
