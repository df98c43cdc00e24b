"""The part of a run that is judged: from the beginning of the load to the end, or to the death."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.load import Load, describe_load
from tidemark.analysis.verdict.model import Exhaustion, Floats
from tidemark.analysis.verdict.series import Bins, ProcessSeries
from tidemark.analysis.verdict.tracks import View
from tidemark.record.events import Emfile, FaultEnded, FaultFailed, FaultStarted, RefusedByBroker

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
SETTLING_S = 5.0
"""After a fault, connections are made anew and requests that waited are answered."""
RECENT_SHARE = 0.25
"""The present load is that of this last share of the judged part."""


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
        disturbed_s: Spans of the run in which a fault was at work; what is held then is the
            fault's doing, and is not judged.
    """

    bins: Bins
    x: Floats
    per_request: bool
    begin_s: float
    end_s: float
    load: Load
    death: Exhaustion | None
    disturbed_s: tuple[tuple[float, float], ...] = ()

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Which bins are judged: those of a steady load, without the very first requests."""
        steady = self._between(max(self.load.steady_from_s, self.begin_s), self.end_s)
        first = min(FIRST_REQUESTS, FIRST_SHARE * (self.end_x - self.begin_x))
        first = first if self.per_request else 0.0
        return steady & (self.x >= self.begin_x + first) & ~self._disturbed

    @property
    def loaded(self) -> NDArray[np.bool_]:
        """Which bins lie between the beginning of the load and the end, ramps included."""
        return self._between(self.begin_s, self.end_s)

    def _between(self, begin_s: float, end_s: float) -> NDArray[np.bool_]:
        at = self.bins.elapsed_s
        return np.isfinite(self.x) & (at >= begin_s) & (at <= end_s)

    @property
    def _disturbed(self) -> NDArray[np.bool_]:
        at = self.bins.elapsed_s
        found = np.zeros(len(at), dtype=bool)
        for begin_s, end_s in self.disturbed_s:
            found |= (at >= begin_s) & (at <= end_s)
        return found

    @property
    def view(self) -> View:
        """The judged bins, for the tracks."""
        return View(self.bins, self.x, self.load.covariates, self.keep)

    @property
    def view_from_the_beginning(self) -> View:
        """The bins from the beginning of the load on, ramps and first requests included."""
        return View(self.bins, self.x, self.load.covariates, self.loaded)

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
    def x_per_s(self) -> float:
        """The present load: x per second over the last part; 0 when nothing came any more."""
        inside = self.loaded
        at, x = self.bins.elapsed_s[inside], self.x[inside]
        if len(at) < 2:
            return 0.0
        recent = at >= at[-1] - RECENT_SHARE * (at[-1] - at[0])
        first = min(np.flatnonzero(recent)[0], len(at) - 2)
        return float((x[-1] - x[first]) / (at[-1] - at[first]))

    @property
    def hourly(self) -> float:
        """X per hour, over the whole judged part."""
        inside = self.loaded
        at, x = self.bins.elapsed_s[inside], self.x[inside]
        if len(at) < 2 or at[-1] <= at[0]:
            return 0.0
        return float((x[-1] - x[0]) / (at[-1] - at[0]) * 3600.0)

    def until(self, end_x: float) -> "Window":
        """The same window, ended as soon as x has reached a value: what was known by then."""
        inside = self.loaded & (self.x <= end_x)
        end_s = float(self.bins.elapsed_s[inside][-1]) if inside.any() else self.begin_s
        load = describe_load(self.bins, self.begin_s, end_s)
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
    load = describe_load(bins, begin_s, end_s)
    disturbed_s = tuple(_disturbances(run, end_s))
    return Window(bins, x, per_request, begin_s, end_s, load, death, disturbed_s)


def _disturbances(run: Run, end_s: float) -> Iterator[tuple[float, float]]:
    """The spans of the faults, and of the time that clients take to come back after each."""
    ends = [one.elapsed_s for one in run.events_of(FaultEnded)]
    ends += [one.elapsed_s for one in run.events_of(FaultFailed)]
    for begun in run.events_of(FaultStarted):
        later = (at for at in ends if at >= begun.elapsed_s)
        yield begun.elapsed_s, min(later, default=end_s) + SETTLING_S


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
