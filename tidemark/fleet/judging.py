"""One target of a run judged by itself, wherever that is done: what is handed out, and back."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from tidemark.analysis.opened import OF_TARGETS, Opened, open_run
from tidemark.analysis.partitions import CONTENTS, folder_of
from tidemark.analysis.run import Run, load_run, run_of, targets_of
from tidemark.analysis.verdict.assessment import Assessment, assess_directory
from tidemark.analysis.verdict.targets import TargetResult, judge_target
from tidemark.record import layout

_KEPT_OPEN = 3
"""The run, its control and its baseline."""
_STAMPED = (
    layout.RUN_JSON,
    layout.EVENTS_JSONL,
    *(table.file for table in layout.TABLES),
    *(f"{folder_of(Path(), table)}/{CONTENTS}" for table in OF_TARGETS),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of each target or run, as `tidemark.analysis.verdict.assessment.assess` has it.

    Attributes:
        thresholds: Growth per request that is allowed.
        control: The directory of a run on a service known to be clean.
        baseline: The directory of an earlier run.
        baseline_anyway: Whether it is compared with even if it was not the same test.
    """

    thresholds: Mapping[str, float] = field(default_factory=dict)
    control: Path | None = None
    baseline: Path | None = None
    baseline_anyway: bool = False


@dataclass(frozen=True, slots=True)
class TargetTask:
    """A target to be judged.

    Attributes:
        path: The run directory; the same wherever it is judged.
        target: The target's id.
        asked: What is asked of it.
    """

    path: Path
    target: str
    asked: Asked = Asked()


@dataclass(frozen=True, slots=True)
class RunTask:
    """A run to be judged as a whole: `path` and `asked` as of a target."""

    path: Path
    asked: Asked = Asked()


def judge_target_of(task: TargetTask) -> TargetResult:
    """Judge a target; what is of its run as a whole is read once in this process.

    Raises:
        UnusableRunError: It cannot be read.
    """
    run = run_of(opened(task.path), task.target)
    asked = task.asked
    return judge_target(
        run,
        task.target,
        control=_other(asked.control, task.target),
        thresholds=asked.thresholds,
        baseline=_other(asked.baseline, task.target),
        baseline_anyway=asked.baseline_anyway,
    )


def judge_run(task: RunTask) -> Assessment:
    """Judge a run.

    Raises:
        UnusableRunError: It cannot be read.
    """
    asked = task.asked
    return assess_directory(
        task.path,
        control=asked.control,
        thresholds=asked.thresholds,
        baseline=asked.baseline,
        baseline_anyway=asked.baseline_anyway,
    )


def _other(path: Path | None, target: str) -> Run | None:
    """The run that a target is held against: its own counterpart where that is read alone."""
    if path is None:
        return None
    found = opened(path)
    is_alone = found.is_compacted and target in targets_of(found)
    return run_of(found, target) if is_alone else load_run(path)


def opened(path: Path) -> Opened:
    """A run directory without the rows of its targets, as it is now; kept for the next target."""
    return _opened(path, tuple(_stamp(path / name) for name in _STAMPED))


@lru_cache(maxsize=_KEPT_OPEN)
def _opened(path: Path, stamps: tuple[object, ...]) -> Opened:  # noqa: ARG001 - to tell states apart
    return open_run(path)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - as elsewhere, where names may be too long
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
