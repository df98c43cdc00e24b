"""Several series on one axis of time, in a bounded number of buckets however long they grow.

A bucket is a stretch of time and keeps of each series the lowest, the highest and the last figure
in it, so that a peak of one second is still there after 72 hours. When there are too many buckets
they all become twice as wide, two of them one: in place, without looking at the figures again.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_BUCKETS = 1024
"""More than a chart has columns of pixels."""
FINEST_S = 1 / 16
"""How wide a bucket is at first, seconds."""


class Buckets:
    """Series that are added to at their ends; times are seconds since the run began.

    Args:
        most: How many buckets there may be.
        finest_s: How wide they are at first, seconds.
    """

    def __init__(self, most: int = MOST_BUCKETS, finest_s: float = FINEST_S) -> None:
        self.width_s = finest_s
        self.names: list[str] = []
        self._most = most
        self._index = np.empty(0, np.int64)
        self._time = np.empty(0)
        self._revision = np.empty(0, np.int64)
        self._low, self._high, self._last = (np.empty((0, 0)) for _ in range(3))

    def __len__(self) -> int:
        return len(self._index)

    @property
    def time_s(self) -> Floats:
        """The time of the last row of each bucket."""
        return self._time

    def low(self, name: str) -> Floats:
        """The lowest figure of a series in each bucket; NaN where it has none."""
        return np.asarray(self._low[self.names.index(name)])

    def high(self, name: str) -> Floats:
        """The highest one."""
        return np.asarray(self._high[self.names.index(name)])

    def last(self, name: str) -> Floats:
        """The last one."""
        return np.asarray(self._last[self.names.index(name)])

    def latest(self, name: str) -> float | None:
        """The last figure of a series; None where there is none."""
        if name not in self.names:
            return None
        known = self.last(name)
        known = known[np.isfinite(known)]
        return float(known[-1]) if len(known) else None

    def add(self, time_s: Floats, columns: Mapping[str, Floats], revision: int = 0) -> None:
        """Add rows.

        Args:
            time_s: Their times, not falling, shape `(rows,)`.
            columns: Series -> its figures at these times; NaN where it has none.
            revision: Buckets that change keep it: see `changed_since`.
        """
        if not len(time_s):
            return
        self._make_room_for(columns)
        rows = np.full((len(self.names), len(time_s)), np.nan)
        for name, values in columns.items():
            rows[self.names.index(name)] = values
        self._merge(_reduced(time_s, rows, self.width_s), revision)
        while len(self) > self._most:
            self._halve(revision)

    def changed_since(self, revision: int) -> dict[str, Any]:
        """What a reader lacks that has seen everything up to a revision.

        Returns:
            `keep`, how many of his buckets are still as they were; and from there on `time` and
            by name `last`, beside it `low` and `high` where they differ from it.
        """
        changed = np.flatnonzero(self._revision > revision)
        keep = int(changed[0]) if len(changed) else len(self)
        series = {
            name: _shown(low[keep:], high[keep:], last[keep:])
            for name, low, high, last in zip(
                self.names, self._low, self._high, self._last, strict=True
            )
        }
        return {"keep": keep, "time": listed(self._time[keep:].round(2)), "series": series}

    def _make_room_for(self, names: Mapping[str, Floats]) -> None:
        new = [name for name in names if name not in self.names]
        if new:
            self.names += new
            rows = np.full((len(new), len(self)), np.nan)
            self._low, self._high, self._last = (
                np.vstack([one, rows]) for one in (self._low, self._high, self._last)
            )

    def _merge(self, new: "_Reduced", revision: int) -> None:
        """Put buckets that were made of new rows into those that are there."""
        union = np.union1d(self._index, new.places)
        if len(union) > len(self):
            self._spread(union)
        at = np.searchsorted(self._index, new.places)
        self._time[at] = np.fmax(self._time[at], new.time)
        self._revision[at] = revision
        self._low[:, at] = np.fmin(self._low[:, at], new.low)
        self._high[:, at] = np.fmax(self._high[:, at], new.high)
        self._last[:, at] = np.where(np.isnan(new.last), self._last[:, at], new.last)

    def _spread(self, union: NDArray[np.int64]) -> None:
        """Make empty buckets for those indices that have none yet."""
        at = np.searchsorted(union, self._index)
        time, revision = np.full(len(union), -np.inf), np.zeros(len(union), np.int64)
        time[at], revision[at] = self._time, self._revision
        tables = []
        for one in (self._low, self._high, self._last):
            table = np.full((len(self.names), len(union)), np.nan)
            table[:, at] = one
            tables.append(table)
        self._index, self._time, self._revision = union, time, revision
        self._low, self._high, self._last = tables

    def _halve(self, revision: int) -> None:
        self.width_s *= 2
        index = self._index // 2
        starts = np.flatnonzero(np.diff(index, prepend=index[0] - 1))
        self._index = index[starts]
        self._time = np.maximum.reduceat(self._time, starts)
        self._revision = np.full(len(starts), revision, np.int64)
        self._low = np.fmin.reduceat(self._low, starts, axis=1)
        self._high = np.fmax.reduceat(self._high, starts, axis=1)
        self._last = _last_known(self._last, starts)


class _Reduced(NamedTuple):
    """Rows as buckets; `low`, `high` and `last` have a row per series."""

    places: NDArray[np.int64]
    time: Floats
    low: Floats
    high: Floats
    last: Floats


def _reduced(time_s: Floats, rows: Floats, width_s: float) -> _Reduced:
    index = np.floor(time_s / width_s).astype(np.int64)
    starts = np.flatnonzero(np.diff(index, prepend=index[0] - 1))
    return _Reduced(
        index[starts],
        np.maximum.reduceat(time_s, starts),
        np.fmin.reduceat(rows, starts, axis=1),
        np.fmax.reduceat(rows, starts, axis=1),
        _last_known(rows, starts),
    )


def _last_known(rows: Floats, starts: NDArray[np.intp]) -> Floats:
    """The last figure that is not NaN from each start to the next."""
    columns = rows.shape[1]
    where = np.where(np.isnan(rows), -1, np.arange(columns))
    last = np.maximum.reduceat(where, starts, axis=1)
    found = np.take_along_axis(rows, np.maximum(last, 0), axis=1)
    return np.where(last >= starts, found, np.nan)


def _shown(low: Floats, high: Floats, last: Floats) -> dict[str, list[float | None]]:
    found = {"last": listed(last)}
    if not (
        np.array_equal(low, last, equal_nan=True) and np.array_equal(high, last, equal_nan=True)
    ):
        found |= {"low": listed(low), "high": listed(high)}
    return found


def listed(values: Floats) -> list[float | None]:
    """Figures as JSON has them: whole ones without a point, None where there is none."""
    return [
        None if math.isnan(value) else int(value) if value.is_integer() else value
        for value in values.tolist()
    ]
