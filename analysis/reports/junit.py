"""An assessment as JUnit XML, which continuous integration shows as tests.

Each finding that judges is a test: what fails is a failure, for it is a finding about the
service; what cannot be told of a resource is skipped, with the reason; a run that was no test,
was cut off or lost what watched it is an error, as a test is that could not be carried out. Of a
run that watched several targets, each is a suite of its own after that of the run. The
schema is the one that Jenkins, GitLab and
GitHub's reporters read.
"""

import re
import xml.etree.ElementTree as ET  # only written here, never parsed
from collections.abc import Iterable, Iterator, Sequence

from tidemark.analysis import units
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.findings import (
    ON_RESOURCES,
    ON_THE_RUN,
    Finding,
    Kind,
    Severity,
)
from tidemark.analysis.verdict.model import Verdict
from tidemark.record.metrics import metric

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not (section 2.2, Char)."""

_SKIPPED = (Severity.UNKNOWN, Severity.DOUBT)
_NAMES = {
    Kind.THRESHOLD: "{} within its threshold",
    Kind.REGRESSION: "{} since the baseline",
    Kind.EXHAUSTED: "{} exhausted",
    Kind.DIED: "{} died",
    Kind.NOT_A_TEST: "{} not a test",
    Kind.CUT_OFF: "{} cut off",
    Kind.NOT_SAMPLED: "{} lost",
    Kind.BROKER_LOST: "{} lost",
    Kind.UNLIKE: "{} unlike",
}
"""What a test is called that is not just about the growth of its subject."""


def render(assessment: Assessment) -> bytes:
    """Return an assessment as JUnit XML in UTF-8."""
    name = f"tidemark.{assessment.verdict.run}"
    if assessment.run.target is not None:
        name += f".{assessment.run.target}"
    on_the_run = _on_the_run(assessment)
    said = _said(assessment.verdict, assessment.claim, assessment.because)
    parts = [(name, [*said, *_said_of_load(assessment)], on_the_run)]
    for one in assessment.targets:
        own = [finding for finding in one.findings if finding not in on_the_run]
        parts.append((f"{name}.{one.id}", _said(one.found, one.claim, one.because), own))
    everything = [finding for _, _, findings in parts for finding in _tests(findings)]
    suites = ET.Element("testsuites", {"name": "tidemark", **_counts(everything)})
    for suite_name, properties, findings in parts:
        _add_suite(suites, _clean(suite_name), properties, _tests(findings))
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True))


def _on_the_run(assessment: Assessment) -> Sequence[Finding]:
    """What is a test of the whole run: of several targets, what is not about single ones."""
    if not assessment.targets:
        return assessment.findings
    of_targets = [finding for one in assessment.targets for finding in one.findings]
    return [
        one
        for one in assessment.findings
        if one.target is None and (one.kind in ON_THE_RUN or one not in of_targets)
    ]


def _tests(findings: Iterable[Finding]) -> list[Finding]:
    return [one for one in findings if one.severity is not Severity.NOTE]


def _counts(tests: Sequence[Finding]) -> dict[str, str]:
    outcomes = [_outcome(one) for one in tests]
    named = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {name: str(outcomes.count(outcome)) for name, outcome in named.items()}
    return {"tests": str(len(tests)), **counts}


def _said(verdict: Verdict, claim: str, because: str) -> list[tuple[str, str]]:
    return [("verdict", verdict.verdict), ("result", claim), ("reason", because)]


def _said_of_load(assessment: Assessment) -> Iterator[tuple[str, str]]:
    """Response times and warnings, which are of the run and not of a target."""
    latency = assessment.summary.latency
    if latency.p50_ms is not None:
        yield "latency_p50", latency.p50
        yield "latency_p99", latency.p99
    yield from (("warning", text) for text in assessment.verdict.warnings)


def _add_suite(
    suites: ET.Element, name: str, said: Sequence[tuple[str, str]], tests: Sequence[Finding]
) -> None:
    suite = ET.SubElement(suites, "testsuite", {"name": name, **_counts(tests)})
    properties = ET.SubElement(suite, "properties")
    for key, value in said:
        ET.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    for finding in tests:
        _add(suite, name, finding)


def _add(suite: ET.Element, classname: str, finding: Finding) -> None:
    subject = finding.subject if finding.route is None else f"{finding.subject}@{finding.route}"
    name = _clean(_NAMES.get(finding.kind, "{}").format(subject))
    element = ET.SubElement(suite, "testcase", {"classname": classname, "name": name})
    reason = _clean(finding.reason)
    outcome = _outcome(finding)
    if outcome in {"failure", "error"}:
        said = {"type": finding.kind.value, "message": reason}
        ET.SubElement(element, outcome, said).text = _clean(_figures(finding))
    elif outcome == "skipped":
        ET.SubElement(element, outcome, {"message": reason})
    else:
        ET.SubElement(element, outcome).text = reason


def _outcome(finding: Finding) -> str:
    """What a test came to, as the element is called that says so."""
    if finding.severity is Severity.FAIL:
        return "failure"
    if finding.severity not in _SKIPPED:
        return "system-out"
    return "error" if finding.kind in ON_THE_RUN else "skipped"


def _figures(finding: Finding) -> str:
    found = metric(finding.subject) if finding.kind in ON_RESOURCES else None
    figures = [
        f"{name.replace('_', ' ')}: "
        + (units.amount(found, value, 4) if found else units.number(value, 4))
        for name, value in finding.evidence.items()
    ]
    return "\n".join([*figures, *([finding.remedy] if finding.remedy else [])])


def _clean(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
