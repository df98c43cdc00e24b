"""Reduce a series to what the pixels of a figure can show, without hiding a peak or a gap."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

COLUMNS = 1000
BINS = 400
DENSE = 4000
"""A series of more readings than this is drawn as an envelope: lines would fill the panel."""

CADENCE_TOLERANCE = 1.8


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
    typical = np.maximum(before, after)
    return np.asarray(typical, dtype=np.float64)


def min_max(time_s: Floats, values: Floats, columns: int = COLUMNS) -> tuple[Floats, Floats]:
    """Keep the first, lowest, highest and last reading of each pixel column, and one NaN of it.

    Args:
        time_s: Times, not decreasing, shape (n,).
        values: Readings, NaN for a hole, shape (n,).
        columns: Pixel columns of the axis.

    Returns:
        At most `5 * columns` of the points given, in their order; all of them if they are fewer.
    """
    if time_s.size <= 5 * columns:
        return time_s, values
    edges = np.linspace(time_s[0], time_s[-1], columns + 1)[:-1]
    starts = np.unique(np.searchsorted(time_s, edges))
    ends = np.append(starts[1:], time_s.size)
    hole = np.isnan(values)
    keep = [starts, ends - 1]
    keep.append(_first_where(np.where(hole, np.inf, values), starts, np.minimum))
    keep.append(_first_where(np.where(hole, -np.inf, values), starts, np.maximum))
    holes = _first_where(np.where(hole, 1.0, 0.0), starts, np.maximum)
    chosen = np.unique(np.concatenate([*keep, holes[hole[holes]]]))
    return time_s[chosen], values[chosen]


def _first_where(
    values: Floats, starts: npt.NDArray[np.intp], extreme: np.ufunc
) -> npt.NDArray[np.intp]:
    """Return the index of the first extreme value of each run that begins at `starts`."""
    best = extreme.reduceat(values, starts)
    lengths = np.diff(np.append(starts, values.size))
    hits = np.flatnonzero(values == np.repeat(best, lengths))
    return hits[np.searchsorted(hits, starts)]


def series(time_s: Floats, values: Floats, columns: int = COLUMNS) -> tuple[Floats, Floats]:
    """Return `values` as a line to draw: holes kept as NaN, reduced to `columns` pixel columns."""
    return min_max(*with_gaps(time_s, values), columns)


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
    read = np.isfinite(values)
    time_s, values = time_s[read], values[read]
    edges = np.linspace(time_s.min(), time_s.max(), bins + 1)
    place = np.clip(np.searchsorted(edges, time_s, side="right") - 1, 0, bins - 1)
    order = np.lexsort((values, place))
    ordered = values[order]
    starts = np.searchsorted(place[order], np.arange(bins + 1))
    first, last = starts[:-1], starts[1:] - 1
    filled = last >= first

    def pick(index: npt.NDArray[np.intp]) -> Floats:
        return np.where(filled, ordered[np.clip(index, 0, ordered.size - 1)], np.nan)

    middle = (pick((first + last) // 2) + pick((first + last + 1) // 2)) / 2
    return Envelope((edges[:-1] + edges[1:]) / 2, pick(first), middle, pick(last))


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
    width = max(span / bins, float(np.median(np.diff(time_s))), min(1.0, span))
    edges = np.linspace(time_s[0], time_s[-1], max(1, round(span / width)) + 1)
    last = np.searchsorted(time_s, edges, side="right") - 1
    risen, between = np.diff(cumulative[last]), np.diff(time_s[last])
    stale = edges - time_s[last] > np.diff(edges).mean()
    unknown = (between <= 0) | stale[1:] | stale[:-1]
    rates = np.divide(risen, between, out=np.full(risen.size, np.nan), where=~unknown)
    return edges, rates
