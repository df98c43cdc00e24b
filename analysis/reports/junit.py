"""A verdict as JUnit XML, which continuous integration shows as tests.

Each resource is a test. A leak is a failure, for it is a finding about the service; what cannot be
told is skipped, with the reason; an error never appears, because a run that cannot be judged gives
no verdict at all. The schema is the one that Jenkins, GitLab and GitHub's reporters read.
"""

import re
import xml.etree.ElementTree as ET  # only written here, never parsed
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidemark.analysis.units import amount, count
from tidemark.analysis.verdict.baseline import ResourceChange
from tidemark.analysis.verdict.model import Interval, ResourceVerdict, Verdict
from tidemark.analysis.verdict.thresholds import Violation, apply_thresholds
from tidemark.record.errors import UnusableRunError

PASSED, SKIPPED = "passed", "skipped"

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not (section 2.2, Char)."""


def write_junit(
    verdict: Verdict,
    path: Path,
    *,
    thresholds: Mapping[str, float] | None = None,
    changes: Iterable[ResourceChange] = (),
) -> None:
    """Write a verdict as JUnit XML.

    Args:
        verdict: The verdict.
        path: The file.
        thresholds: Growth per request that is allowed, by resource; such a resource passes or
            fails by its threshold in place of its verdict.
        changes: What changed since a baseline; each becomes a test of its own.

    Raises:
        UnusableRunError: The file cannot be written.
    """
    cases = [*_resource_cases(verdict, thresholds or {}), *map(_change_case, changes)]
    tree = ET.ElementTree(_suites(verdict, cases))
    ET.indent(tree)
    try:
        with Path(path).open("wb") as file:
            tree.write(file, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UnusableRunError(
            path, f"cannot be written ({error.strerror})", "choose another file"
        ) from error


@dataclass(frozen=True)
class Case:
    """One test: what it is called, how it went ("passed" or a kind of failure), and why."""

    name: str
    result: str
    reason: str
    details: str = ""


def _resource_cases(verdict: Verdict, thresholds: Mapping[str, float]) -> list[Case]:
    violations = {found.resource: found for found in apply_thresholds(verdict, thresholds)}
    return [
        _threshold_case(found, violations.get(name))
        if name in thresholds
        else _verdict_case(found, verdict)
        for name, found in verdict.resources.items()
    ]


def _threshold_case(found: ResourceVerdict, violation: Violation | None) -> Case:
    if violation is None:
        return Case(found.resource, PASSED, f"no more than is allowed: {found.reason}")
    result = "threshold" if violation.certain else SKIPPED
    return Case(found.resource, result, violation.reason, _figures(found))


def _verdict_case(found: ResourceVerdict, verdict: Verdict) -> Case:
    if found.verdict == "clean":
        return Case(found.resource, PASSED, found.reason)
    if found.verdict == "inconclusive":
        return Case(found.resource, SKIPPED, found.reason)
    dead = verdict.exhausted is not None and verdict.exhausted.resource == found.resource
    return Case(found.resource, "exhausted" if dead else "leak", found.reason, _figures(found))


def _change_case(change: ResourceChange) -> Case:
    results = {"worse": "worse", "cannot tell": SKIPPED}
    name = f"{change.resource} since the baseline"
    return Case(name, results.get(change.change, PASSED), change.reason)


def _suites(verdict: Verdict, cases: Sequence[Case]) -> ET.Element:
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.result not in {PASSED, SKIPPED} for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.result == SKIPPED for case in cases)),
    }
    suites = ET.Element("testsuites", {"name": "tidemark", **counts})
    name = _clean(f"tidemark.{verdict.run}")
    suite = ET.SubElement(suites, "testsuite", {"name": name, **counts})
    properties = ET.SubElement(suite, "properties")
    for key, value in (("verdict", verdict.verdict), ("reason", verdict.reason)):
        ET.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    for case in cases:
        _add(suite, name, case)
    return suites


def _add(suite: ET.Element, name: str, case: Case) -> None:
    element = ET.SubElement(suite, "testcase", {"classname": name, "name": case.name})
    reason = _clean(case.reason)
    if case.result == PASSED:
        ET.SubElement(element, "system-out").text = reason
    elif case.result == SKIPPED:
        ET.SubElement(element, "skipped", {"message": reason})
    else:
        failure = ET.SubElement(element, "failure", {"type": case.result, "message": reason})
        failure.text = _clean(case.details)


def _figures(found: ResourceVerdict) -> str:
    def say(value: float | None, digits: int = 3) -> str:
        return amount(found.resource, value, digits)

    def between(interval: Interval | None) -> str:
        return f" (90 %: {say(interval.low)} to {say(interval.high)})" if interval else ""

    return (
        f"growth per request: {say(found.per_request)}{between(found.per_request_interval)}\n"
        f"growth per hour: {say(found.per_hour)}{between(found.per_hour_interval)}\n"
        f"from {say(found.baseline, 4)} to {say(found.last, 4)}, limit {say(found.limit, 4)}\n"
        f"requests to the limit: {count(found.requests_to_limit)}"
    )


def _clean(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
