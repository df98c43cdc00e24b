"""Reduce a series to what the pixels of a figure can show, without hiding a peak or a gap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis.verdict.model import Floats

BINS = 400
DENSE = 4000
"""A series of more readings than this is drawn as an envelope: lines would fill the panel."""

Places = NDArray[np.intp]

ROOMY = 4
"""A table of groups may have so many times as many places as there are readings."""

CADENCE_TOLERANCE = 1.8
TICKS_A_BIN = 1.5
"""A bin of a rate is wider than a tick: one as wide is empty where a tick is a little late."""


def with_gaps(time_s: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Drop what was not read and put a NaN where readings are missing.

    A series that is read every 30 s among rows of every second is whole: what counts as missing is
    judged by the distances of the readings around, so that a line never bridges a hole.

    Args:
        time_s: Times, not decreasing, shape (n,).
        values: Readings, NaN where there is none, shape (n,).

    Returns:
        Times and readings with one NaN reading inside each hole.
    """
    read = np.isfinite(values)
    time_s, values = time_s[read], values[read]
    if time_s.size < 4:
        return time_s, values
    steps = np.diff(time_s)
    holes = np.flatnonzero(steps > CADENCE_TOLERANCE * _cadence(steps))
    middles = (time_s[holes] + time_s[holes + 1]) / 2
    return np.insert(time_s, holes + 1, middles), np.insert(values, holes + 1, np.nan)


def _cadence(steps: Floats) -> Floats:
    """Return the usual distance around each step: the larger of what goes before and after."""
    pairs = np.minimum(steps[:-1], steps[1:])
    before = np.concatenate([[steps[1]], steps[:1], pairs[:-1]])
    after = np.concatenate([pairs[1:], steps[-1:], [steps[-2]]])
    return np.asarray(np.maximum(before, after))


@dataclass(frozen=True, eq=False)
class Envelope:
    """A dense series in bins of equal time. All arrays have the shape (bins,); NaN is no reading.

    Attributes:
        time_s: Middle of each bin, seconds.
        low: Lowest reading.
        middle: Median reading.
        high: Highest reading.
    """

    time_s: Floats
    low: Floats
    middle: Floats
    high: Floats


def envelope(time_s: Floats, values: Floats, bins: int = BINS) -> Envelope:
    """Return what a dense series does in each of `bins` equal stretches of time.

    Args:
        time_s: Times, shape (n,).
        values: Readings, NaN where there is none, shape (n,).
        bins: How many stretches.
    """
    read = time_s[np.isfinite(values)]
    return binned(time_s, values, np.linspace(read.min(), read.max(), bins + 1))


def binned(time_s: Floats, values: Floats, edges: Floats) -> Envelope:
    """Return what a series does between each two edges.

    Args:
        time_s: Times, not decreasing, shape (n,); what lies beyond the edges counts to the
            outermost bins.
        values: Readings, NaN where there is none, shape (n,).
        edges: Of the bins, increasing, shape (bins + 1,).
    """
    read = np.isfinite(values)
    time_s, values = time_s[read], values[read]
    bins = edges.size - 1
    low, middle, high = np.full((3, bins), np.nan)
    begins = np.concatenate([[0], np.searchsorted(time_s, edges[1:-1]), [time_s.size]])
    counts = np.diff(begins)
    filled = np.flatnonzero(counts)
    if filled.size:
        starts = begins[:-1][filled]
        low[filled] = np.minimum.reduceat(values, starts)
        high[filled] = np.maximum.reduceat(values, starts)
        middle[filled] = _medians(values, starts, counts[filled])
    return Envelope((edges[:-1] + edges[1:]) / 2, low, middle, high)


def _medians(values: Floats, starts: Places, counts: Places) -> Floats:
    """Return the median of each group of neighbours, all of them sorted at once.

    They are sorted as rows of one table, unless a group is so large that the table would be, too.
    """
    widest = int(counts.max())
    if starts.size * widest > ROOMY * values.size:
        groups = np.split(values, starts[1:])
        return np.array([float(np.median(group)) for group in groups])
    columns = np.arange(widest)
    places = np.minimum(starts[:, None] + columns, values.size - 1)
    table = np.where(columns < counts[:, None], values[places], np.inf)
    table.sort(axis=1)
    rows = np.arange(starts.size)
    return np.asarray((table[rows, (counts - 1) // 2] + table[rows, counts // 2]) / 2)


def rate(time_s: Floats, cumulative: Floats, bins: int) -> tuple[Floats, Floats]:
    """Return edges and the increase per second of a cumulative count in at most `bins` bins.

    A bin that holds no reading is NaN; counts that jump over empty bins are not spread into them.

    Args:
        time_s: Times, not decreasing, shape (n,).
        cumulative: Counts at those times, NaN where unread, shape (n,).
        bins: The most bins to make.

    Returns:
        Edges in seconds, shape (m + 1,), and rates per second, shape (m,).
    """
    read = np.isfinite(cumulative)
    time_s, cumulative = time_s[read], cumulative[read]
    if time_s.size < 2 or time_s[-1] <= time_s[0]:
        return np.empty(0), np.empty(0)
    span = float(time_s[-1] - time_s[0])
    tick_s = float(np.median(np.diff(time_s)))
    width = max(span / bins, TICKS_A_BIN * tick_s, min(1.0, span))
    edges = np.linspace(time_s[0], time_s[-1], max(1, round(span / width)) + 1)
    last = np.searchsorted(time_s, edges, side="right") - 1
    risen, between = np.diff(cumulative[last]), np.diff(time_s[last])
    stale = edges - time_s[last] > np.diff(edges).mean()
    unknown = (between <= 0) | stale[1:] | stale[:-1]
    rates = np.divide(risen, between, out=np.full(risen.size, np.nan), where=~unknown)
    return edges, rates
