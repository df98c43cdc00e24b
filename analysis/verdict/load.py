"""The load that a run was under, as far as it explains a resource.

Connections, threads and descriptors follow concurrency, and some of them follow its high-water
mark: a pool grows with the load and stays. Neither is a leak.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis.verdict.disturbances import Spans, within
from tidemark.analysis.verdict.model import Floats
from tidemark.analysis.verdict.series import Bins

WINDOWS = 24
"""The request rate is taken over the span divided by this many windows."""
STEADY_WITHIN = 0.03
"""A load that stays within this share of its last level is steady, chance left aside."""
FEWEST_BINS = 8
"""Below this nothing can be said about a load."""
SURE_OF_CHANGE = 4.5
"""A rate strays from its level when it does by so many standard deviations of a count."""
LEAST_STEADY_SHARE = 0.4
"""A run is judged on its steady part alone if that is at least this share of it."""


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a run in its bins.

    Attributes:
        covariates: Current load and its high-water mark, shape `(bins, 2)`; `(bins, 0)` where the
            load is steady or unknown.
        steady_from_s: Elapsed time from which on the load is judged.
        varies: Whether the load varies in the judged part.
    """

    covariates: Floats
    steady_from_s: float
    varies: bool


def describe_load(bins: Bins, begin_s: float, end_s: float, disturbed: Spans = ()) -> Load:
    """Describe the load between two moments (seconds since the run began).

    What was answered around a disturbance says nothing about the load that there was.
    """
    inside = np.isfinite(bins.elapsed_s) & (bins.elapsed_s >= begin_s) & (bins.elapsed_s <= end_s)
    nothing = Load(np.empty((len(bins), 0)), begin_s, varies=False)
    if bins.requests is None or inside.sum() < FEWEST_BINS:
        return nothing
    requests = bins.requests[inside]
    if requests[-1] <= requests[0]:
        return nothing
    current, tolerance = _current(bins, inside)
    reach = 0.5 * (end_s - begin_s) / WINDOWS
    touched = within(tuple((a - reach, b + reach) for a, b in disturbed), bins.elapsed_s)
    here = np.flatnonzero(inside & ~touched)
    if len(here) < FEWEST_BINS:
        return nothing
    level = float(np.median(current[here[-max(1, len(here) // 5) :]]))
    away = here[np.abs(current[here] - level) > tolerance[here] * max(level, 1e-9)]
    begin = here[0] if not len(away) else min(int(away[-1]) + 1, int(here[-1]))
    served = float(requests[-1] - bins.requests[begin])
    if served >= LEAST_STEADY_SHARE * float(requests[-1] - requests[0]):
        return Load(np.empty((len(bins), 0)), float(bins.elapsed_s[begin]), varies=False)
    highest = np.maximum.accumulate(np.where(inside, current, 0.0))
    return Load(np.column_stack([current, highest]), begin_s, varies=True)


def _current(bins: Bins, inside: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Users where they vary, else the request rate; and by what share it may stray by chance."""
    if bins.users is not None:
        users = _without_the_end(np.nan_to_num(bins.users), inside)
        if np.ptp(users[inside]) > 0:
            return users, np.full(len(users), STEADY_WITHIN)
    rate, expected = _rate(bins, inside)
    return rate, STEADY_WITHIN + SURE_OF_CHANGE / np.sqrt(np.maximum(expected, 1.0))


def _without_the_end(users: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Users as they were until the test stopped: the last tick already counts none."""
    last = np.flatnonzero(inside)[-2:]
    kept = users.copy()
    kept[last] = np.maximum(users[last], users[last[0] - 1] if last[0] else users[last])
    return kept


def _rate(bins: Bins, inside: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Requests per second around each bin, and how many that is expected to rest on."""
    elapsed = bins.elapsed_s[inside]
    requests = bins.elapsed_s[inside] if bins.requests is None else bins.requests[inside]
    half = max(0.5 * float(elapsed[-1] - elapsed[0]) / WINDOWS, 1e-9)
    at = np.nan_to_num(bins.elapsed_s)
    late = np.clip(at + half, elapsed[0], elapsed[-1])
    early = np.clip(at - half, elapsed[0], elapsed[-1])
    served = np.interp(late, elapsed, requests) - np.interp(early, elapsed, requests)
    width = np.maximum(late - early, half)
    mean = float(requests[-1] - requests[0]) / float(elapsed[-1] - elapsed[0] or 1.0)
    return np.asarray(served / width), np.asarray(mean * width)
