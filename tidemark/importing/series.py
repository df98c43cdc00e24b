"""Series as a server hands them out, and running totals made of counters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """One metric with one set of labels.

    Attributes:
        name: The metric; empty for what was calculated.
        labels: Its labels, without the name.
        time_s: Unix times, rising.
        value: What it was then; NaN for what is no figure.
    """

    name: str
    labels: Mapping[str, str]
    time_s: Floats
    value: Floats

    def at(self, time_s: Floats) -> Floats:
        """Its values at these very times; NaN where it has none."""
        if not len(self.time_s):
            return np.full(len(time_s), np.nan)
        place = np.searchsorted(self.time_s, time_s).clip(max=len(self.time_s) - 1)
        return np.where(self.time_s[place] == time_s, self.value[place], np.nan)

    def shifted(self, by_s: float) -> "Series":
        """The same, so many seconds later."""
        return replace(self, time_s=self.time_s + by_s)

    @property
    def falls(self) -> int:
        """How often it was lower than before."""
        known = self.value[np.isfinite(self.value)]
        return int(np.count_nonzero(np.diff(known) < 0))


def joined(parts: Iterable[Series]) -> list[Series]:
    """Series put together of what came in several answers, each later than the one before."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[Series]] = {}
    for part in parts:
        key = part.name, tuple(sorted(part.labels.items()))
        found.setdefault(key, []).append(part)
    return [_joined(several) for several in found.values()]


def _joined(parts: list[Series]) -> Series:
    time_s = np.concatenate([part.time_s for part in parts])
    value = np.concatenate([part.value for part in parts])
    time_s, first = np.unique(time_s, return_index=True)  # where two answers meet
    return replace(parts[0], time_s=time_s, value=value[first])


def running_total(counter: Series, restarts: Floats, new_from_s: float | None) -> Series:
    """What a counter has counted in all: it begins anew when its process does.

    A reset that no value shows, because the new process has counted more than the former had,
    is known from the restart.

    Args:
        counter: The counter.
        restarts: When its process was seen to be another one for the first time, Unix times.
        new_from_s: Counted from zero where it is first seen after that; None: from its first value.

    Returns:
        Its running total, at the times at which it was read.
    """
    known = np.isfinite(counter.value)
    time_s, value = counter.time_s[known], counter.value[known]
    if not len(value):
        return replace(counter, time_s=time_s, value=value)
    added = np.diff(value, prepend=value[0])
    is_restart = np.diff(np.searchsorted(restarts, time_s, side="right"), prepend=0) > 0
    begins = (added < 0) | is_restart
    begins[0] = new_from_s is not None and bool(time_s[0] > new_from_s)
    added[begins] = value[begins]
    return replace(counter, time_s=time_s, value=np.cumsum(added))


def total_at(totals: Iterable[Series], time_s: Floats) -> Floats:
    """The sum of running totals at some times: each is what it was when it was last read."""
    found = np.zeros(len(time_s))
    for one in totals:
        place = np.searchsorted(one.time_s, time_s, side="right") - 1
        if len(one.value):
            found += np.where(place >= 0, one.value[place.clip(min=0)], 0.0)
    return found
