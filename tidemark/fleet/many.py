"""A run of many targets: each judged on its own by whoever there is, and put together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tidemark.analysis.opened import Opened
from tidemark.analysis.run import Run, bare_run, load_run, run_of, targets_of
from tidemark.analysis.units import count
from tidemark.analysis.verdict.assessment import Assessment, assess_results
from tidemark.analysis.verdict.findings import Finding, Kind, Severity
from tidemark.analysis.verdict.targets import TargetResult
from tidemark.fleet.errors import FleetError
from tidemark.fleet.judging import Asked, TargetTask, judge_target_of, opened
from tidemark.fleet.outcome import Outcome
from tidemark.fleet.workers import Workers
from tidemark.record import layout

MOST_ROWS = 2_000_000
"""So many samples are read at once to be drawn: some 500 MiB. Of more, figures alone are shown."""

Failed = Outcome[TargetTask, TargetResult]
Progress = Callable[[int, int], None]
"""Is told how many targets of how many are done."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A run whose targets were judged one by one.

    Attributes:
        assessment: What it amounts to.
        failed: The targets that could not be judged, with the reason.
    """

    assessment: Assessment
    failed: tuple[Failed, ...]


def is_many(path: Path) -> bool:
    """Whether the targets of a run can be judged one by one without reading the others' rows.

    Raises:
        UnusableRunError: It is no run directory, or a file in it is malformed.
    """
    found = opened(path.resolve())
    return found.is_compacted and len(targets_of(found)) > 1


def judge_many(
    path: Path, workers: Workers, asked: Asked | None = None, progress: Progress | None = None
) -> Judged:
    """Judge each target of a compacted run, and the run by what was found.

    Args:
        path: The run directory.
        workers: Who judges.
        asked: What is asked of each target.
        progress: Is told how far it is.

    Raises:
        FleetError: The cluster cannot be used, or not one target could be judged.
        UnusableRunError: The run cannot be read.
    """
    asked, held = _absolute(asked or Asked()), opened(path.resolve())
    tasks = [TargetTask(held.path, target, asked) for target in targets_of(held)]
    done = 0

    def told(_: Failed) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(tasks))

    outcomes = workers.do(judge_target_of, tasks, told)
    results = [one.result for one in outcomes if one.result is not None]
    failed = tuple(one for one in outcomes if one.result is None)
    if not results:
        raise FleetError(
            f"{path}: no target could be judged; {failed[0].task.target}: {failed[0].error}"
        )
    run = replace(_shown(held), path=path)
    baseline = None if asked.baseline is None else _bare(asked.baseline)
    assessment = assess_results(
        run, results, baseline=baseline, baseline_anyway=asked.baseline_anyway
    )
    return Judged(_without(assessment, failed), failed)


def _absolute(asked: Asked) -> Asked:
    """Whoever judges may stand in another folder."""
    return replace(
        asked,
        control=asked.control and asked.control.resolve(),
        baseline=asked.baseline and asked.baseline.resolve(),
    )


def _shown(held: Opened) -> Run:
    """The run as it is drawn: without rows where they are too many."""
    rows = held.compacted[layout.SAMPLES.file].rows
    if rows <= MOST_ROWS:
        return run_of(held)
    return replace(bare_run(held), watched_until_s=max(held.sampled_until_s.values()))


def _bare(path: Path) -> Run:
    held = opened(path)
    return bare_run(held) if held.is_compacted else load_run(path)


def _without(assessment: Assessment, failed: Sequence[Failed]) -> Assessment:
    """The assessment of a run some of whose targets could not be judged: it is not clean."""
    if not failed:
        return assessment
    others = f" and {count(len(failed) - 1)} more" if len(failed) > 1 else ""
    reason = f"{failed[0].task.target}{others} could not be judged: {failed[0].error}"
    finding = Finding(
        Kind.NOT_A_TEST,
        "targets",
        Severity.UNKNOWN,
        reason,
        {"targets": float(len(failed))},
        remedy="see what is wrong with their rows",
        target=failed[0].task.target,
    )
    verdict = assessment.verdict
    if verdict.verdict == "clean":
        verdict = replace(verdict, verdict="inconclusive", reason=reason)
    verdict = replace(verdict, warnings=(reason, *verdict.warnings))
    return replace(assessment, verdict=verdict, findings=(finding, *assessment.findings))
