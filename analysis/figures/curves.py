"""The series of a run as they are drawn: per process, summed, by TCP state, by name."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tidemark.analysis import units
from tidemark.analysis.figures import downsample
from tidemark.analysis.verdict.model import Floats
from tidemark.record.layout import KERNEL_PID
from tidemark.record.metrics import TCP_STATES, Metric

OTHERS = "other"
LONGEST_PROCESS = 32
RATE_BINS = 120
FINE_BINS = 1000
"""A chart that can be zoomed has a rate in so many stretches."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One series, just as it was recorded.

    Attributes:
        name: What it is called in a picture.
        time_s: Seconds since the run began, shape (n,).
        values: Readings, NaN where there is none, shape (n,).
        pid: The process it belongs to; None for a sum.
    """

    name: str
    time_s: Floats
    values: Floats
    pid: int | None = None

    @property
    def read(self) -> Floats:
        """The readings that are there."""
        return self.values[np.isfinite(self.values)]

    @property
    def last(self) -> float:
        """The last reading; NaN when there is none."""
        return float(self.read[-1]) if self.read.size else float("nan")

    @property
    def highest(self) -> float:
        """The highest reading; NaN when there is none."""
        return float(self.read.max()) if self.read.size else float("nan")

    def scaled(self, factor: float) -> "Curve":
        """Return the same series in another unit."""
        return Curve(self.name, self.time_s, self.values * factor, self.pid)


def processes(samples: pd.DataFrame, column: str) -> list[Curve]:
    """Return `column` of each process of the target that has any reading, in order of pid."""
    pids, times = samples["pid"].to_numpy(), _times(samples)
    values, names = samples[column].to_numpy(dtype=float), samples["process"]
    found = []
    for pid in np.unique(pids[pids != KERNEL_PID]):
        rows = np.flatnonzero(pids == pid)
        if np.isfinite(values[rows]).any():
            name = f"{units.shortened(str(names.iloc[rows[0]]), LONGEST_PROCESS)} {pid}"
            found.append(Curve(name, times[rows], values[rows], int(pid)))
    return found


def total(samples: pd.DataFrame, column: str) -> Curve:
    """Return the sum of `column` over the target's processes.

    A tick at which any process could not be read is missing: a part is not the sum.
    """
    return Curve("all processes", *_summed(samples, column, strict=True))


def rate(samples: pd.DataFrame, column: str) -> Curve:
    """Return what all processes add per second to a running total, in equal stretches of time.

    A process brings nothing of its own past with it, and takes nothing away when it ends.
    """
    return rate_of(added(samples, column))


def added(samples: pd.DataFrame, column: str) -> Curve:
    """Return what all processes have added to a running total."""
    each = processes(samples, column)
    if not each:
        return Curve("all processes", np.empty(0), np.empty(0))
    steps = [np.diff(curve.values, prepend=curve.values[0]) for curve in each]
    times = np.concatenate([curve.time_s for curve in each])
    order = np.argsort(times, kind="stable")
    total = np.cumsum(np.nan_to_num(np.concatenate(steps)[order]))
    last = np.flatnonzero(np.diff(times[order], append=np.inf))
    return Curve("all processes", times[order][last], total[last])


def rate_of(added: Curve, bins: int = RATE_BINS) -> Curve:
    """Return what was added per second, in at most so many equal stretches of time."""
    edges, rates = downsample.rate(added.time_s, added.values, bins)
    return Curve(added.name, (edges[:-1] + edges[1:]) / 2, rates)


def of_metric(samples: pd.DataFrame, metric: Metric) -> Curve:
    """Return a metric over all processes, in the unit of its axis."""
    column = metric.columns[0]
    curve = rate(samples, column) if metric.cumulative else total(samples, column)
    return curve.scaled(metric.axis_scale)


def tcp_states(samples: pd.DataFrame) -> list[Curve]:
    """Return the connections to the brokers by state, over all processes and the kernel.

    States that were never seen are left out; ESTABLISHED stays, because its 0 says something.
    """
    return [
        curve
        for state in TCP_STATES
        if (curve := tcp_state(samples, state)).read.size
        and (curve.highest > 0 or state == "established")
    ]


def tcp_state(samples: pd.DataFrame, state: str) -> Curve:
    """Return the connections to the brokers in one state, over all processes and the kernel.

    What a process could not be asked makes the sum unknown; TIME_WAIT belongs to the kernel, so
    that nothing about a process is missing from it.
    """
    strict = state != "time_wait"
    return Curve(state.upper(), *_summed(samples, state, strict=strict))


def by_name(composition: pd.DataFrame, kind: str, most: int = 6) -> list[Curve]:
    """Return the counts of `kind` by name over all processes, what grew most first.

    Beyond `most` names the rest is summed as "other". A name that is absent from a reading of the
    composition was not there: that is a true 0.
    """
    table = counts_by_name(composition, kind)
    if not len(table):
        return []
    growth = (table.iloc[-1] - table.iloc[0]).sort_values(ascending=False, kind="stable")
    names = [str(name) for name in growth.index]
    if len(names) > most:
        names, rest = names[: most - 1], names[most - 1 :]
        table[OTHERS] = table[rest].sum(axis=1)
        names.append(OTHERS)
    times = table.index.to_numpy(dtype=float)
    return [Curve(name, times, table[name].to_numpy(dtype=float)) for name in names]


def counts_by_name(composition: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return counts of `kind` with a row per reading and a column per name, over all processes."""
    rows = composition[composition["kind"] == kind]
    counts = rows.groupby(["elapsed_s", rows["name"].astype("str")])["count"].sum()
    return counts.unstack(fill_value=0)


def _times(rows: pd.DataFrame) -> Floats:
    return rows["elapsed_s"].to_numpy(dtype=float)


def _summed(samples: pd.DataFrame, column: str, *, strict: bool) -> tuple[Floats, Floats]:
    """Return the sum of a column by time; strict: over processes, all of which must be read.

    Single columns are taken out, never whole rows: a long run has a million of them.
    """
    own = samples["pid"].to_numpy() != KERNEL_PID if strict else slice(None)
    values, rows_time = samples[column].to_numpy(dtype=float)[own], _times(samples)[own]
    if not values.size:
        return np.empty(0), np.empty(0)
    times, tick = np.unique(rows_time, return_inverse=True)
    read = np.isfinite(values)
    sums = np.bincount(tick, np.where(read, values, 0.0), times.size)
    readings = np.bincount(tick, read, times.size)
    whole = np.bincount(tick, minlength=times.size) if strict else np.ones(times.size)
    return times, np.where(readings >= whole, sums, np.nan)
