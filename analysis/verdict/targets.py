"""The targets of a run, each judged by itself, and what the run is by what was found on them.

The two halves may be apart: `judge_target` looks at what was recorded of one target and returns a
small value; `combine`, and `tidemark.analysis.verdict.assessment.assess_results`, need such values
alone. So one path leads to the verdict, whether a run has two targets or a thousand.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tidemark.analysis import units
from tidemark.analysis.run import Run, named, of_target
from tidemark.analysis.verdict.combined import (
    DECISIONS,
    combine_ports,
    combine_resource,
    worst,
)
from tidemark.analysis.verdict.findings import (
    ON_THE_RUN,
    Finding,
    Kind,
    Severity,
)
from tidemark.analysis.verdict.headline import listed
from tidemark.analysis.verdict.model import LOCAL_PORTS, Decision, ResourceVerdict, Verdict
from tidemark.analysis.verdict.naming import likewise, naming_target, of_target_named
from tidemark.analysis.verdict.one_target import assess_one
from tidemark.analysis.verdict.target_result import GRAVITY, TargetResult, worst_first
from tidemark.analysis.verdict.weighing import Assessment
from tidemark.record.metrics import RESOURCES, metric

__all__ = ["TargetResult", "combine", "judge_target", "merged_findings", "result_of", "worst_first"]

MOST_WARNINGS = 10
"""So many warnings on single targets stand at the run."""
_ON_GROWTH = frozenset({Kind.LEAK, Kind.EXHAUSTED, Kind.CANNOT_TELL, Kind.CLEAN})
"""The kinds that are one question: what of a resource's growth."""
_ELSEWHERE = frozenset({Kind.LOSS, Kind.FAULT})
"""What the run is asked for once, not its targets."""


def judge_target(
    run: Run,
    target: str,
    *,
    control: Run | None = None,
    thresholds: Mapping[str, float] | None = None,
    baseline: Run | None = None,
    baseline_anyway: bool = False,
) -> TargetResult:
    """Judge one target of a run that has several.

    Args:
        run: The run, or what `of_target` has left of it.
        target: The target's id.
        control: A run of the same load on services known to be clean. Each target is held
            against the one of the same id; without the same ids it is left out, with a warning.
        thresholds: As in `assess_one`; they hold for each target.
        baseline: An earlier run: each target is held against the one of the same id. Without the
            same ids it is none of a target's business (see `assess_results`).
        baseline_anyway: Whether it is compared with even if it was not the same test.

    Raises:
        UnusableRunError: There is no such target.
    """
    controls = None if control is None else _counterpart(control, run, target)
    before = None if baseline is None else _counterpart(baseline, run, target)
    assessment = assess_one(
        of_target(run, target),
        control=controls,
        thresholds=thresholds,
        baseline=before,
        baseline_anyway=baseline_anyway,
    )
    result = result_of(assessment, target)
    if control is None or controls is not None:
        return result
    watched = named(control.target_ids)
    warning = f"the control run is left out: it watched {watched}, not the same targets as this one"
    return replace(result, found=replace(result.found, warnings=(*result.found.warnings, warning)))


def _counterpart(other: Run, run: Run, target: str) -> Run | None:
    """The same target of another run, if that run's targets are the same ones."""
    if run.target is None and set(other.target_ids) != set(run.target_ids):
        return None
    return of_target(other, target) if target in other.target_ids else None


def result_of(assessment: Assessment, target: str) -> TargetResult:
    """An assessment without what was recorded."""
    resources = {
        name: replace(found, series=None) for name, found in assessment.verdict.resources.items()
    }
    return TargetResult(
        id=target,
        found=replace(assessment.verdict, resources=resources),
        result=assessment.result,
        claim=assessment.claim,
        statement=assessment.statement,
        because=assessment.because,
        severity=assessment.gravest,
        findings=assessment.findings,
        summary=assessment.summary,
        changes=assessment.changes,
    )


def combine(results: Sequence[TargetResult]) -> Verdict:
    """The verdict on a run by those on its targets, in whatever order they come.

    It is `leak` if any target leaks, else `inconclusive` if any cannot be told, else `clean`; and
    so it is of each resource. Figures of a resource are sums, with intervals by the root of
    squares; its forecast is that of the target that runs out first.

    Raises:
        ValueError: There is no result.
    """
    ordered = worst_first(results)
    if not ordered:
        raise ValueError("no target was judged")
    decision = worst(DECISIONS, (one.verdict for one in ordered))
    resources = {name: combine_resource(name, ordered) for name in RESOURCES}
    deaths = [one.found.exhausted for one in ordered if one.found.exhausted is not None]
    dying = [one for one in ordered if one.runs_out_s is not None]
    first = min(dying, key=lambda one: one.runs_out_s or 0.0, default=None)
    return Verdict(
        run=ordered[0].found.run,
        verdict=decision,
        reason=_reason(decision, resources, ordered),
        resources=resources,
        first_to_exhaust=None if first is None else _first(first),
        exhausted=min(deaths, key=lambda dead: dead.elapsed_s, default=None),
        messages=ordered[0].found.messages,
        local_ports=combine_ports(ordered),
        warnings=tuple(_warnings(ordered)),
    )


def _first(result: TargetResult) -> str | None:
    dead = result.found.exhausted
    return dead.resource if dead is not None else result.found.first_to_exhaust or LOCAL_PORTS


def _reason(
    decision: Decision, resources: Mapping[str, ResourceVerdict], ordered: Sequence[TargetResult]
) -> str:
    """The sentence of the worst target; of targets that are all clean, what surely none does."""
    count = len(ordered)
    if decision == "clean":
        doubts = [one.metric.phrase for one in resources.values() if one.verdict == "inconclusive"]
        unsure = f" but for {listed(doubts)}, which cannot be told" if doubts else ""
        clean = [one.reason for one in resources.values() if one.verdict == "clean"]
        return f"none of {units.count(count)} targets leaks{unsure}; " + (clean[0] if clean else "")
    alike = [one for one in ordered if one.verdict == decision]
    reasons = {one.reason for one in alike}
    if len(alike) == count and len(reasons) == 1:
        return alike[0].reason
    phrases = [metric(name).phrase for name in RESOURCES]
    phrases += [one.metric.phrase for one in alike[0].resources.values()]
    reason = of_target_named(alike[0].reason, alike[0].id, phrases)
    return reason + likewise([one.id for one in alike[1:]], count)


def _warnings(ordered: Sequence[TargetResult]) -> Iterator[str]:
    """What is said of all targets once; what is said of some with their ids, so many at most."""
    said: dict[str, list[str]] = {}
    for one in ordered:
        for text in one.found.warnings:
            said.setdefault(text, []).append(one.id)
    yield from (text for text, ids in said.items() if len(ids) == len(ordered))
    single = [f"{named(ids)}: {text}" for text, ids in said.items() if len(ids) < len(ordered)]
    yield from single[:MOST_WARNINGS]
    if len(single) > MOST_WARNINGS:
        more = units.several(len(single) - MOST_WARNINGS, "more warning")
        yield f"{more} on single targets: see them with --target"


def merged_findings(results: Iterable[TargetResult]) -> tuple[Finding, ...]:
    """What was found on all targets: a question is answered once, by the worst of them."""
    ordered = worst_first(results)
    groups: dict[tuple[object, ...], list[tuple[str, Finding]]] = {}
    for result in ordered:
        for finding in _telling(result):
            if finding.kind not in _ELSEWHERE:
                groups.setdefault(_question(finding), []).append((result.id, finding))
    merged = [_merged(group, len(ordered)) for group in groups.values()]
    return tuple(sorted(merged, key=_stage))


def _telling(result: TargetResult) -> Iterator[Finding]:
    """The findings that say something: of a target that was not tested, none on its resources."""
    is_tested = result.result != Kind.NOT_A_TEST.value
    yield from (one for one in result.findings if is_tested or one.kind in ON_THE_RUN)


def _question(finding: Finding) -> tuple[object, ...]:
    kind = Kind.LEAK if finding.kind in _ON_GROWTH else finding.kind
    return kind, finding.subject, finding.route


def _stage(finding: Finding) -> tuple[int, int]:
    """What is told first: what the verdict rests on; then resource by resource; then changes."""
    if finding.kind in ON_THE_RUN:
        return 0, GRAVITY[finding.severity]
    place = RESOURCES.index(finding.subject) if finding.subject in RESOURCES else len(RESOURCES)
    return (2 if finding.kind is Kind.REGRESSION else 1), place


def _merged(group: Sequence[tuple[str, Finding]], count: int) -> Finding:
    """The gravest of the answers, its target named, and how many others are like it."""
    if len(group) == count and len({finding.reason for _, finding in group}) == 1:
        return group[0][1]
    gravest = min((finding.severity for _, finding in group), key=lambda one: GRAVITY[one])
    alike = [pair for pair in group if pair[1].severity is gravest]
    target, lead = min(alike, key=lambda pair: _weight(pair[1]))
    others = [one for one, _ in alike if one != target]
    reason = naming_target(lead, target) + likewise(others, count)
    return replace(lead, reason=reason, target=target)


def _weight(finding: Finding) -> float:
    """Of what passes, that of which the least is excluded stands for all."""
    if finding.severity is not Severity.PASS:
        return 0.0
    most = finding.evidence.get("excluded_per_request") or finding.evidence.get("per_request")
    return -(most or 0.0)
