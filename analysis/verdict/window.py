"""The part of a run that is judged: from the beginning of the load to the end, or to the death."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.disturbances import Spans, find_disturbances, within
from tidemark.analysis.verdict.filling import Filling
from tidemark.analysis.verdict.load import Load, describe_load
from tidemark.analysis.verdict.model import Exhaustion, Floats
from tidemark.analysis.verdict.pace import Pace, measure_pace
from tidemark.analysis.verdict.series import Bins, ProcessSeries, present
from tidemark.analysis.verdict.tracks import View
from tidemark.record.events import Emfile, RefusedByBroker

FEWEST_REQUESTS = 10
"""With fewer requests than these growth is counted per hour."""
FIRST_REQUESTS = 2.0
FIRST_SHARE = 0.1
"""The first requests pay for what is made only once; growth is judged after so many of them, or
after this share of all, if that is less."""
AT_LIMIT = 0.995
"""A process whose descriptors reach this share of its limit, to stay, has run out of them."""
AT_LIMIT_TOLD = 0.9
"""The same where the target's log says that descriptors ran out."""
STAYS_SHARE = 0.5
"""To stay is to be at the limit for this share of the time that is left."""
RECENT_SHARE = 0.25
"""The present load is that of this last share of the judged part, unless all of it is steady."""
MOST_STRETCHES = 8
"""Only the longest so many disturbances cut the series into stretches with levels of their own."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is judged.

    Attributes:
        bins: The bins of the run.
        x: What growth is counted in, per bin: requests, or seconds.
        per_request: Whether x is requests.
        begin_s: When the load began, seconds since the run began.
        end_s: Where the judged part ends: the end of the run or the death.
        load: The load.
        death: What ran out; None when nothing did.
        disturbed: When the service was not left alone; what is held then is not judged.
        settle_s: Seconds of load that the service was given to warm up in; they are not judged.
    """

    bins: Bins
    x: Floats
    per_request: bool
    begin_s: float
    end_s: float
    load: Load
    death: Exhaustion | None
    disturbed: Spans = ()
    settle_s: float = 0.0

    @property
    def filling(self) -> Filling:
        """When the service makes its pools: with its first requests."""
        return Filling(self.begin_x, self.begin_s, self.per_request)

    @property
    def settled_s(self) -> float:
        """From when on the service was to be warm, seconds since the run began."""
        return self.begin_s + self.settle_s

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Which bins are judged: those of a steady load, without the very first requests."""
        steady = self._between(max(self.load.steady_from_s, self.settled_s), self.end_s)
        first = min(FIRST_REQUESTS, FIRST_SHARE * (self.end_x - self.begin_x))
        first = first if self.per_request else 0.0
        return steady & (self.x >= self.begin_x + first) & self._undisturbed

    @property
    def kept_s(self) -> float:
        """How many seconds are judged."""
        at = self.bins.elapsed_s[self.keep]
        return float(np.diff(at)[np.diff(self._stretch[self.keep]) == 0].sum())

    @property
    def loaded(self) -> NDArray[np.bool_]:
        """Which bins lie between the beginning of the load and the end, ramps included."""
        return self._between(self.begin_s, self.end_s)

    def _between(self, begin_s: float, end_s: float) -> NDArray[np.bool_]:
        at = self.bins.elapsed_s
        return np.isfinite(self.x) & (at >= begin_s) & (at <= end_s)

    @property
    def _undisturbed(self) -> NDArray[np.bool_]:
        return ~within(self.disturbed, self.bins.elapsed_s)

    @property
    def _stretch(self) -> NDArray[np.intp]:
        """Which of the stretches between the disturbances each bin lies in."""
        longest = sorted(self.disturbed, key=lambda span: span[0] - span[1])[:MOST_STRETCHES]
        begins = sorted({begin_s for begin_s, _ in (*longest, *self.bins.away)})
        return np.searchsorted(np.array(begins), self.bins.elapsed_s)

    @property
    def view(self) -> View:
        """The judged bins, for the tracks."""
        return View(self.bins, self.x, self.load.covariates, self.keep, self._stretch)

    @property
    def view_from_the_beginning(self) -> View:
        """The bins from the beginning of the load on, ramps and first requests included."""
        keep = self.loaded & self._undisturbed
        return View(self.bins, self.x, self.load.covariates, keep, self._stretch)

    @property
    def end_x(self) -> float:
        """X at the end of the judged part."""
        inside = self.x[self.loaded]
        return float(inside[-1]) if len(inside) else 0.0

    @property
    def begin_x(self) -> float:
        """X where the load began."""
        inside = self.x[self.loaded]
        return float(inside[0]) if len(inside) else 0.0

    @property
    def pace(self) -> Pace:
        """The present load: that of the steady part, else that of the last part."""
        keep = self.loaded & self._undisturbed & (self.bins.elapsed_s >= self._present_from_s)
        at, x = self.bins.elapsed_s[keep], self.x[keep]
        return measure_pace(at, x, self._stretch[keep], counted=self.per_request)

    @property
    def _present_from_s(self) -> float:
        if not self.load.varies:
            return self.load.steady_from_s
        at = self.bins.elapsed_s[self.loaded]
        return float(at[-1] - RECENT_SHARE * (at[-1] - at[0])) if len(at) else self.begin_s

    @property
    def hourly(self) -> float:
        """X per hour, over the whole judged part."""
        inside = self.loaded
        at, x = self.bins.elapsed_s[inside], self.x[inside]
        if len(at) < 2 or at[-1] <= at[0]:
            return 0.0
        there = present(at[[0, -1]], self.bins.away)
        lasted_s = float(there[1] - there[0])
        return float((x[-1] - x[0]) / lasted_s * 3600.0) if lasted_s > 0 else 0.0

    def until(self, end_x: float) -> "Window":
        """The same window, ended as soon as x has reached a value: what was known by then."""
        inside = self.loaded & (self.x <= end_x)
        end_s = float(self.bins.elapsed_s[inside][-1]) if inside.any() else self.begin_s
        load = describe_load(self.bins, self.settled_s, end_s, self.disturbed)
        return replace(self, end_s=end_s, load=load, death=None)


def find_window(run: Run, bins: Bins, processes: list[ProcessSeries]) -> Window:
    """Find the part of a run that is judged."""
    x, per_request, begin_s = _axis(bins)
    emfile = run.first(Emfile)
    reached = _limit_reached(bins, processes, emfile.elapsed_s if emfile else None)
    death = _death(run, reached)
    end_s = float(np.nanmax(bins.elapsed_s))
    if death is not None:
        end_s = death.elapsed_s if reached is None else min(reached, death.elapsed_s)
    if end_s <= begin_s:
        end_s = float(np.nanmax(bins.elapsed_s))
    refused = run.first(RefusedByBroker)
    if refused is not None and begin_s < refused.elapsed_s < end_s:
        end_s = refused.elapsed_s  # level after it because the brokers take no more
    disturbed = find_disturbances(run, None if death is None else end_s)
    if disturbed and begin_s < disturbed[-1][0] < end_s and math.isinf(disturbed[-1][1]):
        end_s = disturbed[-1][0]
    settle_s = run.metadata.settle_s
    load = describe_load(bins, begin_s + settle_s, end_s, disturbed)
    return Window(bins, x, per_request, begin_s, end_s, load, death, disturbed, settle_s)


def _axis(bins: Bins) -> tuple[Floats, bool, float]:
    """What growth is counted in, whether that is requests, and when the load began."""
    first = float(np.nanmin(bins.elapsed_s))
    if bins.requests is None:
        return bins.elapsed_s, False, first
    known = bins.requests[np.isfinite(bins.requests)]
    if not len(known) or known[-1] - known[0] < FEWEST_REQUESTS:
        return bins.elapsed_s, False, first
    waiting = np.isfinite(bins.requests) & (bins.requests <= known[0])
    return bins.requests, True, float(bins.elapsed_s[waiting][-1])


def _limit_reached(bins: Bins, processes: list[ProcessSeries], told: float | None) -> float | None:
    """When the first process reached its descriptor limit to stay there; None if none did.

    Args:
        bins: The bins of the run.
        processes: The processes.
        told: When the target's log said so; None if it did not.
    """
    found = []
    for process in processes:
        known = np.flatnonzero(np.isfinite(process.value["fds"]))
        value = process.value["fds"][known]
        limit = process.limits.get("fds")
        if limit is None or not len(known):
            continue
        highest = float(value.max())
        if highest < (AT_LIMIT if told is None else AT_LIMIT_TOLD) * limit:
            continue
        top = value >= highest - 0.01 * limit
        first = int(np.argmax(top))
        if told is not None or top[first:].mean() >= STAYS_SHARE:
            found.append(float(bins.elapsed_s[known[first]]))
    return min(found) if found else None


def _death(run: Run, reached: float | None) -> Exhaustion | None:
    emfile = run.first(Emfile)
    if emfile is None and reached is None:
        return None
    at = emfile.elapsed_s if emfile is not None else float(reached or 0.0)
    counted = emfile.event.requests if emfile is not None else None
    if counted is not None and 0 <= counted < 2**53:
        return Exhaustion("fds", at, float(counted))
    return Exhaustion("fds", at, requests_at(run, at))


def requests_at(run: Run, elapsed_s: float) -> float | None:
    """Requests answered by a moment of the run; None where requests are unknown."""
    counts = run.requests["requests"].to_numpy() if len(run.requests) else np.array([])
    known = np.isfinite(counts)
    if not known.any():
        return None
    at = run.requests["elapsed_s"].to_numpy()
    return float(np.interp(elapsed_s, at[known], counts[known]))
