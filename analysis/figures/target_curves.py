"""The series of a run that watched several targets, one for each of them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tidemark.analysis import units
from tidemark.analysis.figures import downsample
from tidemark.analysis.figures.curves import Curve
from tidemark.analysis.verdict.model import Floats
from tidemark.record.layout import KERNEL_PID
from tidemark.record.metrics import Metric

LONGEST_ID = 20
BINS = 300
"""A band over many targets has so many points."""


def of_targets(samples: pd.DataFrame, metric: Metric) -> dict[str, Curve]:
    """Return a metric by target, in the unit of its axis.

    Where the limit holds for each process, that is the process that holds most at a time; else
    the sum over the target's processes, unknown where one of them could not be read.
    """
    rows = samples[samples["pid"] != KERNEL_PID]
    held = rows[list(metric.columns)].to_numpy(dtype=float).sum(axis=1) * metric.axis_scale
    times = rows["elapsed_s"].to_numpy(dtype=float)
    found = {}
    for target, places in rows.groupby("target", observed=True).indices.items():
        at, values = _by_tick(times[places], held[places], most=metric.has_own_limit)
        if np.isfinite(values).any():
            found[str(target)] = Curve(shown_id(str(target)), at, values)
    return found


def shown_id(target: str) -> str:
    """Return a target's id as it fits beside a line: its end tells replicas apart."""
    if len(target) <= LONGEST_ID:
        return target
    half = (LONGEST_ID - 1) // 2
    return f"{target[:half]}…{target[-half:]}"


def _by_tick(times: Floats, values: Floats, *, most: bool) -> tuple[Floats, Floats]:
    """Return one value a tick: the highest that was read, or the sum of all that were."""
    ticks, index = np.unique(times, return_inverse=True)
    if not most:
        read = np.isfinite(values)
        sums = np.bincount(index, np.where(read, values, 0.0), ticks.size)
        whole = np.bincount(index, read, ticks.size) >= np.bincount(index, minlength=ticks.size)
        return ticks, np.where(whole, sums, np.nan)
    highest = np.full(ticks.size, -np.inf)
    np.fmax.at(highest, index, values)
    return ticks, np.where(np.isfinite(highest), highest, np.nan)


def band(found: Sequence[Curve]) -> tuple[Floats, Floats, Floats]:
    """Return where many curves lie: times, and the lowest and the highest of their medians."""
    begin = min(float(curve.time_s[0]) for curve in found)
    end = max(float(curve.time_s[-1]) for curve in found)
    edges = np.linspace(begin, max(end, begin + 1e-9), _bins(found) + 1)
    low = np.full(len(edges) - 1, np.nan)
    high = low.copy()
    for curve in found:
        index = np.clip(np.searchsorted(edges, curve.time_s, side="right") - 1, 0, len(low) - 1)
        binned = pd.Series(curve.values).groupby(index).median()
        at, values = binned.index.to_numpy(), binned.to_numpy(dtype=float)
        low[at], high[at] = np.fmin(low[at], values), np.fmax(high[at], values)
    return (edges[:-1] + edges[1:]) / 2, low, high


def _bins(found: Sequence[Curve]) -> int:
    """Return how many bins hold at least a reading of most curves each."""
    return int(min(BINS, max(np.median([curve.time_s.size for curve in found]) // 2, 1)))


def others_text(count: int, ends: Mapping[str, float]) -> str:
    """Return what stands beside the targets that are not named: 15 others: 40 to 44."""
    known = [value for value in ends.values() if np.isfinite(value)]
    if not known:
        return units.several(count, "other")
    low, high = units.number(min(known), 3), units.number(max(known), 3)
    reach = low if low == high else f"{low} to {high}"
    return f"{units.several(count, 'other')}: {reach}"


def thinned(curve: Curve) -> Curve:
    """Return a curve of few points, for one of many that nobody follows."""
    if curve.read.size <= downsample.DENSE:
        return curve
    dense = downsample.envelope(curve.time_s, curve.values)
    return Curve(curve.name, dense.time_s, dense.middle)
