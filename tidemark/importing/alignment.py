"""Instances that are read in turn, put on common ticks: sums over all of them need these.

A server spreads its scrapes over the interval, each instance at an offset of its own that stays. An
instance is moved by that offset as a whole, its counters included, so that what was read together
stays together; the few milliseconds by which a scrape is late are taken off with it.
"""

from collections.abc import Sequence

import numpy as np

from tidemark.importing.instances import Instance
from tidemark.importing.series import Floats

_NEAR = 0.25
"""A reading is put on a tick that is no further away than this share of the interval."""


def aligned(instances: Sequence[Instance], interval_s: float) -> list[Instance]:
    """The instances on the ticks of the one that was read most often, in their order.

    Args:
        instances: At least one.
        interval_s: Seconds between two readings of one.
    """
    by_rows = sorted(range(len(instances)), key=lambda at: -len(instances[at].time_s))
    ticks = instances[by_rows[0]].time_s
    found = list(instances)
    for at in by_rows[1:]:
        moved = instances[at].shifted(-_offset_s(instances[at].time_s, ticks, interval_s))
        found[at] = moved.at_times(_on_ticks(moved.time_s, ticks, interval_s))
        ticks = np.unique(np.concatenate([ticks, found[at].time_s]))
    return found


def _offset_s(time_s: Floats, ticks: Floats, interval_s: float) -> float:
    """By how much readings come after a tick (or, if negative, before one), in the middle."""
    late_s = time_s - _nearest(time_s, ticks)
    together = late_s[np.abs(late_s) <= interval_s / 2]
    return float(np.median(together)) if len(together) else 0.0


def _on_ticks(time_s: Floats, ticks: Floats, interval_s: float) -> Floats:
    """The times of the ticks that are near; no two readings are put on one."""
    nearest = _nearest(time_s, ticks)
    found = np.where(np.abs(nearest - time_s) <= _NEAR * interval_s, nearest, time_s)
    return found if (np.diff(found) > 0).all() else time_s


def _nearest(time_s: Floats, ticks: Floats) -> Floats:
    after = np.searchsorted(ticks, time_s).clip(1, max(len(ticks) - 1, 1))
    if len(ticks) < 2:
        return np.full(len(time_s), ticks[0])
    before_s, after_s = ticks[after - 1], ticks[after]
    return np.asarray(np.where(time_s - before_s <= after_s - time_s, before_s, after_s))
