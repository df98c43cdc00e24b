"""A verdict as JUnit XML, which continuous integration shows as tests.

Each resource is a test. A leak is a failure, for it is a finding about the service; what cannot be
told is skipped, with the reason; an error never appears, because a run that cannot be judged gives
no verdict at all. The schema is the one that Jenkins, GitLab and GitHub's reporters read.
"""

import re
import xml.etree.ElementTree as ET  # only written here, never parsed
from pathlib import Path

from analysis.errors import UnusableRunError
from analysis.model import Interval, ResourceVerdict, Verdict
from analysis.units import amount, count

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not (section 2.2, Char)."""


def write_junit(verdict: Verdict, path: Path) -> None:
    """Write a verdict as JUnit XML.

    Raises:
        UnusableRunError: The file cannot be written.
    """
    tree = ET.ElementTree(_suites(verdict))
    ET.indent(tree)
    try:
        with Path(path).open("wb") as file:
            tree.write(file, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UnusableRunError(
            path, f"cannot be written ({error.strerror})", "choose another file"
        ) from error


def _suites(verdict: Verdict) -> ET.Element:
    found = list(verdict.resources.values())
    counts = {
        "tests": str(len(found)),
        "failures": str(sum(one.verdict == "leak" for one in found)),
        "errors": "0",
        "skipped": str(sum(one.verdict == "inconclusive" for one in found)),
    }
    suites = ET.Element("testsuites", {"name": "tidemark", **counts})
    name = _clean(f"tidemark.{verdict.run}")
    suite = ET.SubElement(suites, "testsuite", {"name": name, **counts})
    properties = ET.SubElement(suite, "properties")
    for key, value in (("verdict", verdict.verdict), ("reason", verdict.reason)):
        ET.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    for one in found:
        _add_case(suite, name, one, verdict)
    return suites


def _add_case(suite: ET.Element, name: str, found: ResourceVerdict, verdict: Verdict) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": name, "name": found.resource})
    reason = _clean(found.reason)
    if found.verdict == "leak":
        dead = verdict.exhausted is not None and verdict.exhausted.resource == found.resource
        kind = "exhausted" if dead else "leak"
        failure = ET.SubElement(case, "failure", {"type": kind, "message": reason})
        failure.text = _figures(found)
    elif found.verdict == "inconclusive":
        ET.SubElement(case, "skipped", {"message": reason})
    else:
        ET.SubElement(case, "system-out").text = reason


def _figures(found: ResourceVerdict) -> str:
    def say(value: float | None, digits: int = 3) -> str:
        return amount(found.resource, value, digits)

    def between(interval: Interval | None) -> str:
        return f" (90 %: {say(interval.low)} to {say(interval.high)})" if interval else ""

    return _clean(
        f"growth per request: {say(found.per_request)}{between(found.per_request_interval)}\n"
        f"growth per hour: {say(found.per_hour)}{between(found.per_hour_interval)}\n"
        f"from {say(found.baseline, 4)} to {say(found.last, 4)}, limit {say(found.limit, 4)}\n"
        f"requests to the limit: {count(found.requests_to_limit)}"
    )


def _clean(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
