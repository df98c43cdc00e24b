"""From rows to series: one process at a time, then bins that all processes share.

Bins keep the real times of their samples, so that a gap stays a gap.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.model import Floats
from tidemark.record.layout import KERNEL_PID
from tidemark.record.metrics import JUDGED, Metric

MOST_BINS = 2048
"""Bins per run; a week at one sample a second still has one every five minutes."""


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of a run.

    Attributes:
        edges: Bounds of the bins, seconds since the run began, shape `(bins + 1,)`.
        elapsed_s: Mean time of the samples in each bin; NaN in an empty one.
        requests: Cumulative requests at that time; None where requests are unknown.
        users: Users at that time; None where unknown.
        busy: Requests answered within one bin before to one bin after that time; zeros where
            requests are unknown. Samples of a busy moment are uncertain by that many requests.
    """

    edges: Floats
    elapsed_s: Floats
    requests: Floats | None
    users: Floats | None
    busy: Floats

    def __len__(self) -> int:
        return len(self.elapsed_s)


@dataclass(frozen=True, slots=True)
class ProcessSeries:
    """One process of the target in bins.

    Attributes:
        pid: Its id.
        name: Its name.
        target: The id of the target that it belongs to.
        first_s: Elapsed time of its first sample.
        last_s: Elapsed time of its last sample.
        value: Per resource, the median in each bin; NaN where the process was not seen.
        floor: Per resource, the minimum in each bin.
        limits: Per resource whose limit holds for each process, the last known one.
    """

    pid: int
    name: str
    target: str
    first_s: float
    last_s: float
    value: dict[str, Floats]
    floor: dict[str, Floats]
    limits: dict[str, float]


def bin_run(run: Run) -> tuple[Bins, list[ProcessSeries]]:
    """Put the samples of a run's processes into bins.

    Rows of the kernel (connections that belong to no process) are left out.
    """
    samples = run.samples
    rows = samples[samples["pid"] != KERNEL_PID]
    elapsed = rows["elapsed_s"].to_numpy()
    edges = _edges(rows)
    index = np.clip(np.searchsorted(edges, elapsed, side="right") - 1, 0, len(edges) - 2)
    bins = _bins(run, edges, elapsed, index)
    figures = {metric.name: _held(rows, metric) for metric in JUDGED}
    limits = {
        metric.name: rows[metric.limit.column].to_numpy()
        for metric in JUDGED
        if metric.limit is not None and metric.limit.column is not None
    }
    processes = []
    for who, where in _by_process(rows):
        binned = {
            name: _binned(index[where], values[where], len(bins))
            for name, values in figures.items()
        }
        last = {name: _last_known(values[where]) for name, values in limits.items()}
        processes.append(
            ProcessSeries(
                *who,
                first_s=float(elapsed[where[0]]),
                last_s=float(elapsed[where[-1]]),
                value={name: both[0] for name, both in binned.items()},
                floor={name: both[1] for name, both in binned.items()},
                limits={name: value for name, value in last.items() if value is not None},
            )
        )
    return bins, processes


def _by_process(
    rows: pd.DataFrame,
) -> Iterator[tuple[tuple[int, str, str], NDArray[np.intp]]]:
    """Pid, name and target of each process, and where its rows are; in the order of the pids.

    Processes of two targets may have the same pid on two hosts.
    """
    names = rows["process"].to_numpy(dtype=object, na_value="")
    targets = rows["target"].cat.codes.to_numpy(dtype=np.int64)
    pids = rows["pid"].to_numpy()
    order = np.lexsort((targets, pids))
    changes = (np.diff(pids[order]) != 0) | (np.diff(targets[order]) != 0)
    ids = rows["target"].cat.categories
    for where in np.split(order, np.flatnonzero(changes) + 1) if len(order) else []:
        first = where[0]
        yield (int(pids[first]), str(names[first]), str(ids[targets[first]])), where


def _last_known(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else None


def _edges(rows: pd.DataFrame) -> Floats:
    elapsed = rows["elapsed_s"].to_numpy()
    if not len(elapsed):
        return np.array([0.0, 1.0])
    ticks = int(rows["pid"].value_counts().max())
    first, last = float(elapsed[0]), float(elapsed[-1])
    if last <= first:
        return np.array([first, first + 1.0])
    half = 0.5 * (last - first) / max(ticks - 1, 1)
    return np.linspace(first - half, last + half, min(MOST_BINS, ticks) + 1)


def _bins(run: Run, edges: Floats, elapsed: Floats, index: NDArray[np.intp]) -> Bins:
    count = np.bincount(index, minlength=len(edges) - 1)
    total = np.bincount(index, weights=elapsed, minlength=len(edges) - 1)
    mean = np.full(len(count), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    requests = users = None
    busy = np.zeros(len(count))
    if len(run.requests):
        at = run.requests["elapsed_s"].to_numpy()
        counts = run.requests["requests"].to_numpy()
        width = float(edges[1] - edges[0])
        requests = _interpolated(mean, at, counts)
        users = _interpolated(mean, at, run.requests["users"].to_numpy())
        before, after = (_interpolated(mean + d, at, counts) for d in (-width, width))
        if before is not None and after is not None:
            busy = np.nan_to_num(after - before)
    return Bins(edges, mean, requests, users, busy)


def _interpolated(at: Floats, known_at: Floats, values: Floats) -> Floats | None:
    known = np.isfinite(values)
    if known.sum() < 2:
        return None
    found = np.interp(np.nan_to_num(at), known_at[known], values[known])
    return np.where(np.isnan(at), np.nan, found)


def _held(rows: pd.DataFrame, metric: Metric) -> Floats:
    """A metric of each row: the sum of its columns; NaN only where none of them could be read."""
    if len(metric.columns) == 1:
        return np.asarray(rows[metric.columns[0]].to_numpy())
    parts = rows[list(metric.columns)].to_numpy()
    held = np.nansum(parts, axis=1)
    held[np.isnan(parts).all(axis=1)] = np.nan
    return np.asarray(held)


def _binned(index: NDArray[np.intp], figures: Floats, bins: int) -> tuple[Floats, Floats]:
    """Median and minimum per bin; `index` rises."""
    value, floor = np.full(bins, np.nan), np.full(bins, np.nan)
    known = np.isfinite(figures)
    index, figures = index[known], figures[known]
    if not len(index):
        return value, floor
    order = np.lexsort((figures, index))
    ranked, at = figures[order], index[order]
    start = np.flatnonzero(np.r_[True, at[1:] != at[:-1]])
    size = np.diff(np.r_[start, len(at)])
    value[at[start]] = 0.5 * (ranked[start + (size - 1) // 2] + ranked[start + size // 2])
    floor[at[start]] = ranked[start]
    return value, floor


def summed(processes: list[ProcessSeries], resource: str, which: str = "value") -> Floats:
    """The sum over the processes alive in each bin; NaN where none was seen."""
    stack = np.array([getattr(process, which)[resource] for process in processes])
    if not len(stack):
        return np.array([])
    total: Floats = np.nansum(stack, axis=0)
    total[np.isnan(stack).all(axis=0)] = np.nan
    return total
