"""From rows to series: one process at a time, then bins that all processes share.

Bins keep the real times of their samples, so that a gap stays a gap.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.model import Floats
from tidemark.record.events import RuntimeSeen
from tidemark.record.layout import KERNEL_PID
from tidemark.record.metrics import JUDGED, METRICS, RESOURCES, Metric

Spans = tuple[tuple[float, float], ...]
MOST_BINS = 2048
"""Bins per run; a week at one sample a second still has one every five minutes."""
ANON, HEAP, COLLECTIONS = "rss_anon_bytes", "heap_bytes", "collections"
"""What tells more of memory than the resident set does, where it was recorded."""
_BINNED = (*JUDGED, *(one for one in METRICS if one.name in {ANON, HEAP, COLLECTIONS}))


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of a run.

    Attributes:
        edges: Bounds of the bins, seconds since the run began without `away`, `(bins + 1,)`.
        elapsed_s: Mean time of the samples in each bin; NaN in an empty one.
        requests: Cumulative requests at that time; None where requests are unknown.
        users: Users at that time; None where unknown.
        busy: Requests answered within one bin before to one bin after that time; zeros where
            requests are unknown. Samples of a busy moment are uncertain by that many requests.
        away: When nobody was there, seconds since the run began.
    """

    edges: Floats
    elapsed_s: Floats
    requests: Floats | None
    users: Floats | None
    busy: Floats
    away: Spans = ()

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
        value: Per resource, the median in each bin; NaN where the process was not seen. Also that
            of `ANON`, `HEAP` and `COLLECTIONS`, NaN throughout where they were not recorded.
        floor: The minimum in each bin of the same.
        limits: Per resource whose limit holds for each process, the last known one.
        runtime: What it is run by, as in the event `runtime_seen`; None where nobody said.
        heap_max: What its heap may grow to, bytes; None where nobody said.
    """

    pid: int
    name: str
    target: str
    first_s: float
    last_s: float
    value: dict[str, Floats]
    floor: dict[str, Floats]
    limits: dict[str, float]
    runtime: str | None = None
    heap_max: float | None = None


def bin_run(run: Run) -> tuple[Bins, list[ProcessSeries]]:
    """Put the samples of a run's processes into bins.

    Rows of the kernel (connections that belong to no process) are left out.
    """
    rows = run.samples[run.samples["pid"] != KERNEL_PID]
    elapsed = rows["elapsed_s"].to_numpy()
    away = run.interruptions
    edges = _edges(rows, present(elapsed, away))
    at = np.searchsorted(edges, present(elapsed, away), side="right") - 1
    index = np.clip(at, 0, len(edges) - 2)
    bins = replace(_bins(run, edges, elapsed, index), away=away)
    # Processes of two targets may have the same pid on two hosts.
    who = [rows["pid"], rows["target"]]
    held = pd.DataFrame({one.name: _held(rows, one) for one in _BINNED}, index=rows.index)
    held = held.loc[:, [one in RESOURCES or bool(held[one].notna().any()) for one in held]]
    binned = held.groupby([*who, index], observed=True).agg(["median", "min"])
    limits = {one.name: one.limit.column for one in JUDGED if one.limit and one.limit.column}
    told = rows[["process", "elapsed_s", *limits.values()]]
    unknown = np.full(len(bins), np.nan)
    runtimes = {(one.event.pid, one.event.target): one.event for one in run.events_of(RuntimeSeen)}
    processes = []
    key: Any  # pid and target
    for key, seen in told.groupby(who, observed=True).agg(["first", "last"]).iterrows():
        series = binned.loc[key].reindex(range(len(bins)))
        last = {name: seen[column, "last"] for name, column in limits.items()}
        told_by = runtimes.get((int(key[0]), str(key[1])), RuntimeSeen())
        processes.append(
            ProcessSeries(
                pid=int(key[0]),
                name=str(seen["process", "first"]),
                target=str(key[1]),
                first_s=float(seen["elapsed_s", "first"]),
                last_s=float(seen["elapsed_s", "last"]),
                value=_columns(series, "median", unknown),
                floor=_columns(series, "min", unknown),
                limits={name: float(at) for name, at in last.items() if np.isfinite(at)},
                runtime=told_by.runtime,
                heap_max=told_by.heap_max_bytes,
            )
        )
    return bins, processes


def _columns(series: pd.DataFrame, which: str, unknown: Floats) -> dict[str, Floats]:
    """One statistic of everything that is binned."""
    return {
        one.name: series[one.name, which].to_numpy() if one.name in series else unknown
        for one in _BINNED
    }


def present(elapsed_s: Floats, away: Spans) -> Floats:
    """Seconds since a run began, without those in which nobody was there.

    Bins are laid over these: a night in which nothing was recorded takes none of them.
    """
    lost = [np.clip(elapsed_s - begin, 0.0, end - begin) for begin, end in away]
    return elapsed_s - np.sum(lost, axis=0) if lost else elapsed_s


def _edges(rows: pd.DataFrame, elapsed: Floats) -> Floats:
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


def summed(processes: list[ProcessSeries], resource: str, which: str = "value") -> Floats:
    """The sum over the processes alive in each bin; NaN where none was seen."""
    stack = np.array([getattr(process, which)[resource] for process in processes])
    if not len(stack):
        return np.array([])
    total: Floats = np.nansum(stack, axis=0)
    total[np.isnan(stack).all(axis=0)] = np.nan
    return total
