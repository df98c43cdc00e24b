"""A run of many targets: each judged on its own by whoever there is, and put together."""

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tidemark.analysis.opened import Opened
from tidemark.analysis.partitions import CONTENTS, folder_of
from tidemark.analysis.run import Run, bare_run, load_run, run_of, targets_of
from tidemark.analysis.units import count
from tidemark.analysis.verdict.assessment import Assessment, assess_results
from tidemark.analysis.verdict.findings import Finding, Kind, Severity
from tidemark.analysis.verdict.targets import TargetResult
from tidemark.fleet.errors import FleetError
from tidemark.fleet.judging import Asked, RunTask, TargetTask, judge_run, judge_target_of, opened
from tidemark.fleet.outcome import Outcome
from tidemark.fleet.workers import Workers
from tidemark.record import layout
from tidemark.record.directory import RunDirectory

MOST_ROWS = 2_000_000
"""So many samples are read at once to be drawn: some 500 MiB. Of more, figures alone are shown."""

DEFAULT = Workers()
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

    @property
    def failures(self) -> list[str]:
        """The same, a line each."""
        path = self.assessment.run.path
        return [f"{path}, target {one.task.target}: {one.error}" for one in self.failed]


def is_many(path: Path, workers: Workers = DEFAULT) -> bool:
    """Whether the targets of a run are judged one by one, without reading the others' rows.

    Raises:
        UnusableRunError: It is no run directory, or a file in it is malformed.
        FleetError: Somebody was asked to judge them who cannot share them out.
    """
    may_be = os.path.lexists(folder_of(path, layout.SAMPLES) / CONTENTS)
    if not (may_be or workers.is_asked_for):
        return False
    found = opened(path.resolve())
    if found.is_compacted and len(targets_of(found)) > 1:
        return True
    if workers.is_asked_for and len(found.metadata.targets) > 1:
        raise FleetError(
            f"{path}: has the rows of all targets in one file, so that each process would read "
            f"them all: run `tidemark compact {path}` first, or leave out --jobs and --scheduler"
        )
    if workers.scheduler is not None:
        raise FleetError(
            f"--scheduler: {path} has one target, which is judged here: leave the option out"
        )
    return False


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
    outcomes = workers.do(judge_target_of, tasks, _counter(progress, len(tasks)))
    results = [one.result for one in outcomes if one.result is not None]
    failed = tuple(one for one in outcomes if one.result is None)
    if not results:
        raise FleetError(
            f"{path}: no target could be judged; {failed[0].task.target}: {failed[0].error}"
        )
    run = replace(_shown(held, are_readable=not failed), path=path)
    baseline = None if asked.baseline is None else _bare(asked.baseline)
    assessment = assess_results(
        run, results, baseline=baseline, baseline_anyway=asked.baseline_anyway
    )
    return Judged(_without(assessment, failed), failed)


def judge_runs(
    paths: Sequence[Path], workers: Workers, progress: Progress | None = None
) -> tuple[list[Assessment], list[str]]:
    """Judge several runs, each by itself; growth is beyond that of the reference among them.

    Args:
        paths: The run directories.
        workers: Who judges.
        progress: Is told how far it is.

    Returns:
        What the runs amount to, and why others could not be judged.

    Raises:
        FleetError: The cluster cannot be used, or a run has too many targets to be compared.
        UnusableRunError: A run.json cannot be read.
    """
    held = [RunDirectory(path).read_metadata() for path in paths]
    references = [
        path for path, one in zip(paths, held, strict=True) if one.raw.get("reference") is True
    ]
    control = references[0].resolve() if references else None
    tasks = [_run_task(path, control) for path in paths]
    outcomes = workers.do(judge_run, tasks, _counter(progress, len(tasks)))
    pairs = list(zip(paths, outcomes, strict=True))
    assessed = [
        replace(one.result, run=replace(one.result.run, path=path))
        for path, one in pairs
        if one.result is not None
    ]
    return assessed, [f"{path}: {one.error}" for path, one in pairs if one.result is None]


def _run_task(path: Path, control: Path | None) -> RunTask:
    found = path.resolve()
    if is_many(path) and opened(found).compacted[layout.SAMPLES.file].rows > MOST_ROWS:
        raise FleetError(f"{path}: has too many targets to be compared: report it alone")
    return RunTask(found, Asked(control=None if found == control else control))


def _counter(progress: Progress | None, of: int) -> Callable[[object], None]:
    done = itertools.count(1)
    return lambda _: None if progress is None else progress(next(done), of)


def _absolute(asked: Asked) -> Asked:
    """Whoever judges may stand in another folder."""
    return replace(
        asked,
        control=asked.control and asked.control.resolve(),
        baseline=asked.baseline and asked.baseline.resolve(),
    )


def _shown(held: Opened, *, are_readable: bool) -> Run:
    """The run as it is drawn: without rows where they are too many, or some cannot be read."""
    rows = held.compacted[layout.SAMPLES.file].rows
    if rows <= MOST_ROWS and are_readable:
        return run_of(held)
    return replace(bare_run(held), watched_until_s=max(held.sampled_until_s.values(), default=None))


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
