"""What a run amounts to, in one place: every output and every exit code follows from it.

A verdict is about resources. An assessment holds it against what was asked for (thresholds, an
earlier run) and puts beside it what else happened, each as a finding with its reason. Whoever
reports renders findings, and decides nothing. Of a run that watched several targets each is
judged by itself, and the run by what was found on them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tidemark.analysis.run import Run, load_run, named, of_target
from tidemark.analysis.verdict.baseline import ResourceChange
from tidemark.analysis.verdict.combined import combine_changes, combine_summaries
from tidemark.analysis.verdict.findings import ON_THE_RUN, Finding, Kind, Severity
from tidemark.analysis.verdict.model import Exhaustion, Verdict
from tidemark.analysis.verdict.one_target import assess_one, compare, judge_one
from tidemark.analysis.verdict.resource_findings import on_change
from tidemark.analysis.verdict.targets import (
    TargetResult,
    combine,
    judge_target,
    merged_findings,
    worst_first,
)
from tidemark.analysis.verdict.weighing import EXIT_CODES, Assessment, on_happenings, weigh

__all__ = [
    "Assessment",
    "Finding",
    "Kind",
    "Severity",
    "assess",
    "assess_directory",
    "assess_results",
    "comparison_exit_code",
    "weigh",
]


def assess(
    run: Run,
    *,
    control: Run | None = None,
    thresholds: Mapping[str, float] | None = None,
    baseline: Run | None = None,
    baseline_anyway: bool = False,
) -> Assessment:
    """Assess a run; one that watched several targets by what each of them amounts to.

    Args:
        run: The run.
        control: A run of the same load against a service known to be clean; of several targets
            that of the same id counts, and without the same ids it is left out, with a warning.
        thresholds: Growth per request that is allowed, by resource; such a resource passes or
            fails by its threshold in place of its verdict. Or by resource, "@" and route: where all
            routes that leak have one, those stand in place of the verdict, too. They hold for
            each target.
        baseline: An earlier run: growth that got worse fails. Of several targets each is compared
            with that of the same id; without the same ids, the sums are compared.
        baseline_anyway: Whether it is compared with even if it was not the same test.

    Raises:
        UnusableRunError: A run holds no sample of any process of the target.
    """
    if _is_single(run):
        return _assess_single(
            run,
            control=control,
            thresholds=thresholds,
            baseline=baseline,
            baseline_anyway=baseline_anyway,
        )
    results = [
        judge_target(
            run,
            target,
            control=control,
            thresholds=thresholds,
            baseline=baseline,
            baseline_anyway=baseline_anyway,
        )
        for target in run.target_ids
    ]
    return assess_results(run, results, baseline=baseline, baseline_anyway=baseline_anyway)


def _is_single(run: Run) -> bool:
    return len(run.target_ids) < 2


def _assess_single(
    run: Run,
    *,
    control: Run | None,
    thresholds: Mapping[str, float] | None,
    baseline: Run | None,
    baseline_anyway: bool,
) -> Assessment:
    """Assess a run of one target, which a control or a baseline may have had more of."""
    others = []
    if control is not None and not _is_single(control):
        others = [f"the control run is left out: it watched {named(control.target_ids)}"]
        control = None
    then = None if baseline is None or _is_single(baseline) else judged(baseline)
    assessment = assess_one(
        run,
        control=control,
        thresholds=thresholds,
        baseline=baseline,
        then=then,
        baseline_anyway=baseline_anyway,
    )
    verdict = assessment.verdict
    warnings = (*verdict.warnings, *others)
    return replace(assessment, verdict=replace(verdict, warnings=warnings))


def judged(run: Run) -> Verdict:
    """The verdict on a run, however many targets it watched.

    Raises:
        UnusableRunError: It holds no sample of any process.
    """
    if _is_single(run):
        return judge_one(run)
    return combine([judge_target(run, target) for target in run.target_ids])


def assess_results(
    run: Run,
    results: Sequence[TargetResult],
    *,
    baseline: Run | None = None,
    baseline_anyway: bool = False,
) -> Assessment:
    """Assess a run whose targets have been judged; no sample of it is looked at.

    Args:
        run: The run.
        results: What was found on each of its targets, in any order.
        baseline: As in `assess`; looked at only where its targets are not the same.
        baseline_anyway: As in `assess`.
    """
    ordered = worst_first(results)
    verdict, summary = combine(ordered), combine_summaries(ordered)
    found = merged_findings(ordered)
    changes: Sequence[ResourceChange] = combine_changes(ordered)
    if baseline is not None and set(baseline.target_ids) != {one.id for one in ordered}:
        then = judged(baseline)
        changes, unlike = compare(run, verdict, baseline, then, anyway=baseline_anyway)
        on_changes = [] if unlike else map(on_change, changes)
        on_the_run = [one for one in found if one.kind in ON_THE_RUN]
        found = (*on_the_run, *unlike, *found[len(on_the_run) :], *on_changes)
    findings = (*found, *on_happenings(verdict, summary))
    return Assessment(run, verdict, findings, summary, tuple(changes), tuple(ordered))


def comparison_exit_code(assessed: Iterable[Assessment]) -> int:
    """1 if something got worse or died otherwise than by exhaustion, 3 if a run was no test.

    A leak does not count: a comparison is there to show it.
    """
    counts = [
        EXIT_CODES.get(finding.severity, 0)
        for one in assessed
        for finding, exhausted in _told_by(one)
        if finding.kind in ON_THE_RUN | {Kind.REGRESSION}
        and not (finding.kind is Kind.DIED and exhausted is not None)
    ]
    return next((code for code in EXIT_CODES.values() if code in counts), 0)


def _told_by(assessment: Assessment) -> Iterator[tuple[Finding, Exhaustion | None]]:
    """The findings, each with what ran out of the target that it is about."""
    for target in assessment.targets:
        yield from ((finding, target.found.exhausted) for finding in target.findings)
    for finding in assessment.findings:
        if not assessment.targets or finding.kind is not Kind.DIED:
            yield finding, assessment.verdict.exhausted


def assess_directory(
    path: Path,
    *,
    target: str | None = None,
    control: Path | None = None,
    thresholds: Mapping[str, float] | None = None,
    baseline: Path | None = None,
    baseline_anyway: bool = False,
) -> Assessment:
    """The same of run directories, or of one target alone.

    Raises:
        UnusableRunError: One cannot be read, holds no sample of any process of the target, or
            has no such target.
    """
    control_run, baseline_run = (
        None if one is None else _alike(load_run(one), target) for one in (control, baseline)
    )
    return assess(
        load_run(path, target),
        control=control_run,
        thresholds=thresholds,
        baseline=baseline_run,
        baseline_anyway=baseline_anyway,
    )


def _alike(other: Run, target: str | None) -> Run:
    """Another run as far as it is compared with: of several targets the one that is asked for."""
    return other if target is None or _is_single(other) else of_target(other, target)
