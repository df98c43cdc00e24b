"""Requests answered, reckoned from counters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tidemark.importing.series import Floats, Series, running_total, total_at
from tidemark.sampler.exported import REQUESTS, is_failure


@dataclass(frozen=True, slots=True)
class Requests:
    """What one instance, or all of them, answered.

    Attributes:
        time_s: When its counters were read, Unix times, rising.
        totals: Requests answered so far, a running total for each set of labels.
        failed: Those of the totals that count failures; None where the labels do not say.
    """

    time_s: Floats
    totals: Sequence[Series]
    failed: Sequence[Series] | None

    def at(self, time_s: Floats) -> Floats:
        """Requests answered by some times, between its readings in proportion."""
        return self._total(self.totals, time_s)

    def failed_at(self, time_s: Floats) -> Floats:
        """The same of those that failed; NaN where that is unknown."""
        if self.failed is None:
            return np.full(len(time_s), np.nan)
        return self._total(self.failed, time_s)

    def shifted(self, by_s: float) -> "Requests":
        """The same, so many seconds later."""
        totals = [one.shifted(by_s) for one in self.totals]
        failed = None if self.failed is None else [one.shifted(by_s) for one in self.failed]
        return Requests(self.time_s + by_s, totals, failed)

    def _total(self, totals: Sequence[Series], time_s: Floats) -> Floats:
        return np.interp(time_s, self.time_s, total_at(totals, self.time_s), left=0.0)


def best_counter(names: Iterable[str]) -> str | None:
    """The best counter of requests among metrics of these names; None if there is none."""
    held = set(names)
    return next((name for name in REQUESTS if name in held), None)


def requests_of(
    counters: Sequence[Series], restarts: Floats, new_from_s: float, read_s: Floats | None = None
) -> Requests | None:
    """What counters have counted, restarts of their process notwithstanding.

    Args:
        counters: The counters, one for each set of labels; None is returned where there is none.
        restarts: When their process was another one for the first time, Unix times.
        new_from_s: A counter that is first seen later begins at zero: nothing was counted before.
        read_s: When they were read, at least; a counter that is not there yet was read too.
    """
    if not counters:
        return None
    totals = [running_total(one, restarts, new_from_s) for one in counters]
    said = [is_failure(one.labels) for one in counters]
    failed = [total for total, is_failed in zip(totals, said, strict=True) if is_failed]
    times = [one.time_s for one in totals] + ([] if read_s is None else [read_s])
    is_known = any(one is not None for one in said)
    return Requests(np.unique(np.concatenate(times)), totals, failed if is_known else None)
