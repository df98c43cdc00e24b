"""Whether a run was a test at all, and what its verdict is then.

Growth that is excluded says nothing of a service that answered nobody, of a process that was not
watched, or of a run that was cut off.
"""

from collections.abc import Sequence
from dataclasses import replace

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.evidence import Evidence
from tidemark.analysis.verdict.faults import FaultEffect, fault_effects
from tidemark.analysis.verdict.findings import Finding, Kind
from tidemark.analysis.verdict.model import ResourceVerdict, Verdict
from tidemark.record.events import (
    TargetUnconfirmed,
)

VOID = frozenset({"requests", "load", "process"})
"""Subjects of "not a test" that leave nothing that any growth could be believed of."""


def examine(
    run: Run, verdict: Verdict, faults: Sequence[FaultEffect] | None = None
) -> tuple[Verdict, tuple[Finding, ...]]:
    """Tell what a verdict rests on.

    Args:
        run: The run.
        verdict: What was found on its resources.
        faults: What faults did to it, where that is known already.

    Returns:
        The verdict, which says clean (or, where nothing at all was tested, leak) no longer than
        that is borne out; and what speaks against it, the gravest first.
    """
    known = fault_effects(run, verdict) if faults is None else faults
    evidence = Evidence(run, verdict, tuple(known))
    findings = tuple(evidence.findings())
    return _borne_out(_warned(run, verdict, evidence), findings), findings


def _warned(run: Run, verdict: Verdict, evidence: Evidence) -> Verdict:
    """The verdict with a warning on what its findings leave open.

    Nobody knows whether the watched process is the driven, or many requests failed, so that what
    such a request leaves behind where it is answered was tested by the others alone.
    """
    found = [
        "it could not be confirmed that the watched process is the one that answers"
        + (f": {recorded.event.reason}" if recorded.event.reason else "")
        for recorded in run.events_of(TargetUnconfirmed)
    ]
    if failing := evidence.failing_in_part:
        found.append(failing)
    new = [text for text in dict.fromkeys(found) if text not in verdict.warnings]
    return replace(verdict, warnings=(*verdict.warnings, *new)) if new else verdict


def _borne_out(verdict: Verdict, findings: Sequence[Finding]) -> Verdict:
    """The verdict as far as it has something behind it."""
    untested = [one for one in findings if one.kind is Kind.NOT_A_TEST]
    if untested:
        is_void = any(one.subject in VOID for one in untested)
        resources = {
            name: _not_judged(found, untested[0].reason, is_void=is_void)
            for name, found in verdict.resources.items()
        }
        verdict = replace(verdict, resources=resources)
    leaks = any(found.verdict == "leak" for found in verdict.resources.values())
    if not findings or (verdict.verdict != "clean" and leaks):
        return verdict
    first = None if not leaks and verdict.exhausted is None else verdict.first_to_exhaust
    return replace(
        verdict,
        verdict="inconclusive",
        reason="; ".join(one.reason for one in findings),
        first_to_exhaust=first,
    )


def _not_judged(found: ResourceVerdict, reason: str, *, is_void: bool) -> ResourceVerdict:
    """A resource of a run that was no test: not clean, and no leak where all of it is void."""
    if found.verdict == "leak" and not is_void:
        return found
    reason = f"{found.metric.phrase}: not judged, because {reason}"
    found = replace(found, verdict="inconclusive", reason=reason)
    if not is_void:
        return found
    return replace(
        found,
        per_request=None,
        per_request_interval=None,
        per_hour=None,
        per_hour_interval=None,
        scope_per_request=None,
        requests_to_limit=None,
        fit=None,
        forecast=None,
        forecast_check=None,
    )
