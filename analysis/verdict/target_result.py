"""What was found on one target of a run that has several: small enough to be handed about."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tidemark.analysis import units
from tidemark.analysis.verdict.baseline import ResourceChange
from tidemark.analysis.verdict.findings import Finding, Kind, Severity
from tidemark.analysis.verdict.model import Decision, ResourceVerdict, Verdict
from tidemark.analysis.verdict.summary import Summary

GRAVITY: Mapping[Severity, int] = {
    one: place
    for place, one in enumerate(
        (Severity.FAIL, Severity.UNKNOWN, Severity.DOUBT, Severity.PASS, Severity.NOTE)
    )
}
"""What stands first where the worst does."""


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What one target of a run amounts to, without anything that was recorded: some kilobytes.

    Attributes:
        id: The target's id.
        found: What was found on its resources, without the series.
        result: The whole in a word or two.
        claim: The same as an output begins with it.
        statement: The finding in one line.
        because: The sentence that the result rests on.
        severity: The severity of the whole.
        findings: What that amounts to, in the order in which it is told.
        summary: The target in one row; requests are those of the run.
        changes: How each resource differs from the baseline; empty without one.
    """

    id: str
    found: Verdict
    result: str
    claim: str
    statement: str
    because: str
    severity: Severity
    findings: tuple[Finding, ...]
    summary: Summary
    changes: tuple[ResourceChange, ...] = ()

    @property
    def verdict(self) -> Decision:
        """The decision."""
        return self.found.verdict

    @property
    def reason(self) -> str:
        """The sentence of the verdict."""
        return self.found.reason

    @property
    def resources(self) -> Mapping[str, ResourceVerdict]:
        """What was found on each resource."""
        return self.found.resources

    @property
    def dies_at_s(self) -> float | None:
        """When it died, or will: seconds since the run began."""
        deaths = [one.evidence.get("elapsed_s") for one in self.findings if one.kind is Kind.DIED]
        return next((at for at in deaths if at is not None), self.runs_out_s)

    @property
    def runs_out_s(self) -> float | None:
        """When what runs out first did so, or will: seconds since the run began."""
        if self.found.exhausted is not None:
            return self.found.exhausted.elapsed_s
        first = self.found.resources.get(self.found.first_to_exhaust or "")
        if first is not None:
            return first.exhaustion_elapsed_s
        ends = [one.exhaustion_elapsed_s for one in self.found.local_ports]
        told = [at for at in ends if at is not None and self.found.first_to_exhaust is not None]
        return min(told, default=None)


def worst_first(results: Iterable[TargetResult]) -> list[TargetResult]:
    """The targets in the order in which they are told of, whatever order they come in.

    First what fails, then what cannot be told; of those alike what died or dies first, then what
    grows the most; at last by id.
    """
    return sorted(results, key=_place)


def _place(one: TargetResult) -> tuple[object, ...]:
    at = one.dies_at_s
    doubts = GRAVITY[Severity.DOUBT] if one.claim != one.result else GRAVITY[Severity.PASS]
    gravity = min(GRAVITY[one.severity], doubts)
    growth = (found.per_request or found.per_hour or 0.0 for found in one.resources.values())
    return (gravity, math.inf if at is None else at, *(-value for value in growth), one.id)


def tally(results: Sequence[TargetResult]) -> str:
    """How many targets amount to what, the worst first: 1 died, 2 leak, 17 clean."""
    counts = Counter(one.result for one in results)
    return ", ".join(f"{units.count(number)} {result}" for result, number in counts.items())


def foremost(results: Sequence[TargetResult], target: str | None) -> TargetResult:
    """The target that the whole is about: the one that is named, else the worst."""
    return next((one for one in results if one.id == target), results[0])


def stated(results: Sequence[TargetResult], target: str | None) -> str:
    """The finding on several targets in one line.

    Args:
        results: The worst first.
        target: The one that the whole is about; None for the worst.
    """
    worst, count = foremost(results, target), units.count(len(results))
    if all(one.claim == "clean" for one in results):
        return f"all {count} targets clean; {worst.id}: {worst.statement}"
    return f"{worst.id}: {worst.statement} ({count} targets: {tally(results)})"
