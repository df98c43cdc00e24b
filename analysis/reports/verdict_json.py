"""An assessment as verdict.json, format 1: what other programs read.

Fields are added to, never renamed.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.findings import Finding
from tidemark.analysis.verdict.model import Exhaustion, Interval, ResourceVerdict, Verdict
from tidemark.analysis.verdict.next_step import next_step
from tidemark.analysis.verdict.summary import Summary
from tidemark.analysis.verdict.target_result import TargetResult

FORMAT = 1
"""The version of verdict.json that is written."""

_NOT_IN_IT = frozenset({"resource", "series", "fit"})
"""What of a resource only a picture needs."""


def render(assessment: Assessment) -> str:
    """Return the content of verdict.json; it ends in a newline."""
    return json.dumps(content(assessment), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def content(assessment: Assessment) -> dict[str, Any]:
    """Return verdict.json as an object."""
    verdict, target = assessment.verdict, assessment.run.target
    several = {one.id: _target(one) for one in assessment.targets}
    return {
        "format": FORMAT,
        "run": verdict.run,
        **({} if target is None else {"target": target}),
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "result": assessment.result,
        "headline": assessment.statement,
        "exit_code": assessment.exit_code,
        "next": plain(next_step(assessment)),
        **_on_resources(verdict, assessment.summary),
        "messages": plain(verdict.messages),
        "latency": assessment.summary.latency.to_json(),
        "findings": [_finding(one) for one in assessment.findings],
        "changes": plain(assessment.changes),
        "local_ports": plain(verdict.local_ports),
        "warnings": plain(verdict.warnings),
        **({"targets": several} if several else {}),
    }


def _target(one: TargetResult) -> dict[str, Any]:
    """What was found on one of several targets, the fields called as those of the run."""
    verdict = one.found
    return {
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "result": one.result,
        "headline": one.statement,
        **_on_resources(verdict, one.summary),
        "findings": [_finding(finding) for finding in one.findings],
        "changes": plain(one.changes),
        "local_ports": plain(verdict.local_ports),
        "warnings": plain(verdict.warnings),
    }


def _on_resources(verdict: Verdict, summary: Summary) -> dict[str, Any]:
    """What was found on resources, of a run or of one of its targets."""
    return {
        "resources": {name: _resource(found) for name, found in verdict.resources.items()},
        "used": {
            name: plain(value)
            for name, value in summary.per_request.items()
            if name not in verdict.resources
        },
        "first_to_exhaust": verdict.first_to_exhaust,
        "exhausted": None if verdict.exhausted is None else _exhausted(verdict.exhausted),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    """A finding; that it is on one of several targets is said only where it is so."""
    told: dict[str, Any] = plain(finding)
    if finding.target is None:
        del told["target"]
    return told


def _resource(found: ResourceVerdict) -> dict[str, Any]:
    named = {one.name: getattr(found, one.name) for one in fields(found)}
    return {name: plain(value) for name, value in named.items() if name not in _NOT_IN_IT}


def _exhausted(dead: Exhaustion) -> dict[str, Any]:
    requests = None if dead.requests is None else round(dead.requests)
    return {**plain(dead), "requests": requests}


def plain(value: object) -> Any:
    """Return a value as JSON can carry it: what is infinite or undefined becomes null."""
    if isinstance(value, Interval):
        value = (value.low, value.high)
    elif is_dataclass(value) and not isinstance(value, type):
        value = {one.name: getattr(value, one.name) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return None if isinstance(value, float) and not math.isfinite(value) else value
