"""Rows of the tables as series over time: a figure per tick."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tidemark.live.buckets import Floats
from tidemark.record.layout import KERNEL_PID
from tidemark.record.metrics import HELD_STATES

Series = tuple[Floats, dict[str, Floats]]
"""Times, and by name the figures at these times; NaN where there is none."""

TIME_WAIT = "time_wait"
CONNECTIONS = "connections"
SUMMED = ("threads", "rss_bytes", *HELD_STATES)
"""Columns of samples.csv of which the sum over a target's processes is shown."""


def levels(rows: pd.DataFrame) -> Series:
    """What a target holds at each tick, from its rows of samples.csv in the order of time.

    Descriptors have a limit per process, so that `fds`, `fds_limit` and `pid` are those of the
    process that is nearest to its own; everything else is the sum over the processes, unknown
    where one could not be read.
    """
    time, starts, tick = _ticks(rows)
    own = rows["pid"].to_numpy() != KERNEL_PID
    columns = {name: _whole_sum(rows[name].to_numpy(), own, starts) for name in SUMMED}
    waiting = rows[TIME_WAIT].to_numpy()
    columns[TIME_WAIT] = _sum(waiting, np.isfinite(waiting), starts)
    held = np.array([columns[state] for state in HELD_STATES])
    unread = np.isnan(held).all(axis=0)
    columns[CONNECTIONS] = np.where(unread, np.nan, np.nansum(held, axis=0))
    columns["processes"] = np.add.reduceat(own.astype(float), starts)
    columns |= _fullest(rows, own, starts, tick)
    return time, columns


def _ticks(rows: pd.DataFrame) -> tuple[Floats, NDArray[np.intp], NDArray[np.intp]]:
    """The time of each tick, where its rows begin, and the tick of each row."""
    at = rows["elapsed_s"].to_numpy(dtype=float)
    begins = np.diff(at, prepend=-1.0) != 0
    return at[begins], np.flatnonzero(begins), np.cumsum(begins) - 1


def _sum(values: Floats, counted: NDArray[np.bool_], starts: NDArray[np.intp]) -> Floats:
    sums = np.add.reduceat(np.where(counted, values, 0.0), starts)
    return np.where(np.add.reduceat(counted, starts, dtype=float) > 0, sums, np.nan)


def _whole_sum(values: Floats, own: NDArray[np.bool_], starts: NDArray[np.intp]) -> Floats:
    sums = _sum(values, own & np.isfinite(values), starts)
    unread = np.add.reduceat((own & np.isnan(values)).astype(float), starts)
    return np.where(unread > 0, np.nan, sums)


def _fullest(
    rows: pd.DataFrame, own: NDArray[np.bool_], starts: NDArray[np.intp], tick: NDArray[np.intp]
) -> dict[str, Floats]:
    fds, limit = rows["fds"].to_numpy(), rows["fds_limit"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(limit > 0, fds / limit, 0.0) + 1e-18 * fds
    share = np.where(own & np.isfinite(fds), share, -1.0)
    fullest = np.flatnonzero(share == np.maximum.reduceat(share, starts)[tick])
    chosen = fullest[np.unique(tick[fullest], return_index=True)[1]]
    known = share[chosen] >= 0
    return {
        name: np.where(known, rows[name].to_numpy(dtype=float)[chosen], np.nan)
        for name in ("fds", "fds_limit", "pid")
    }


def by_name(rows: pd.DataFrame, name: str, value: str, *, absent: float) -> Series:
    """Sums of a column by a name, at each reading.

    Args:
        rows: Rows in the order of time.
        name: The column of names.
        value: The column that is summed.
        absent: What a name counts that a reading does not have.
    """
    time, _, tick = _ticks(rows)
    names = rows[name].astype("category").cat.remove_unused_categories()
    codes, values = names.cat.codes.to_numpy(), rows[value].to_numpy(dtype=float)
    shape = (len(names.cat.categories), len(time))
    table, seen = np.zeros(shape), np.zeros(shape, dtype=bool)
    named = codes >= 0
    np.add.at(table, (codes[named], tick[named]), values[named])  # NaN where one is
    seen[codes[named], tick[named]] = True
    table[~seen] = absent
    return time, {str(one): table[code] for code, one in enumerate(names.cat.categories)}


def of_each_target(rows: pd.DataFrame) -> Mapping[str, pd.DataFrame]:
    """The rows of each target that has some."""
    targets = rows["target"].astype("category").cat.remove_unused_categories()
    names = [str(one) for one in targets.cat.categories]
    if len(names) == 1:
        return {names[0]: rows}
    codes = targets.cat.codes.to_numpy()
    return {one: rows[codes == code] for code, one in enumerate(names)}
