"""Which routes grow, and which surely do not: the fit to all of them, and what follows from it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis.verdict.attribution import Mixture, Rates, fit_rates
from tidemark.analysis.verdict.growth import FEWEST_POINTS, Growth
from tidemark.analysis.verdict.model import Floats, Interval, ResourceVerdict
from tidemark.analysis.verdict.route_counts import RouteCounts

SURE = 0.002
"""A route grows when the probability that it does not is below this, all routes together; the
others are taken not to grow in its figure."""
LEAST_SHARE = 0.05
"""A route is named when it grows and accounts for this share of the growth or more."""
EXCLUDED_RATE = 0.25
"""A route does not leak if it surely leaves behind less than this share of what a named one does a
request, ..."""
EXCLUDED_SHARE = 0.1
"""... or accounts for less than this share of the growth."""
FEWEST_REQUESTS = 20.0
"""Of a route with fewer requests in the judged part nothing can be told."""
MOST_ROUTES = 12
"""So many routes are told apart, the most frequent ones; the rest counts as one."""
STRIDES = (1, 4, 16)
"""Requests may leave something behind long before or after they are counted; then the level seems
to grow with time, until it is looked at over so many times as long as from sample to sample."""
MOST_APART = 2.0
"""Growth by route is made to add up to that of the resource unless that is so much more or less."""
DRIFTS = 0.01
"""The level grows with time when the probability that it does not is below this."""
LUCK = 6.0
"""Growth that is excluded is so many times the resolution at least: three steps can stay away by
luck."""
EVENLY = 6.0
"""Requests come evenly when growth with time makes the errors so many times as large."""


@dataclass(frozen=True, slots=True)
class Part:
    """The judged part of a run, as far as it takes to tell routes apart.

    Attributes:
        mixture: The level, and the counts of all routes.
        elapsed_s: When, shape `(n,)`.
        totals: Requests of each route in it, shape `(routes,)`.
        span: All requests in it.
        span_s: How long it is, seconds.
        least: Growth below which nothing is called a leak, in the unit of the resource.
        slope: Growth with each request, whichever it is: the median of slopes, ...
        interval: ... and its 90 % interval.
        hidden: By how much the level may have grown without showing.
    """

    mixture: Mixture
    elapsed_s: Floats
    totals: Floats
    span: float
    span_s: float
    least: float
    slope: float
    interval: Interval
    hidden: float = 0.0

    @classmethod
    def of(
        cls,
        found: ResourceVerdict,
        growth: Growth,
        counts: RouteCounts,
        known: NDArray[np.bool_] | None,
    ) -> "Part | None":
        """The judged part; None where there is too little of it."""
        track = growth.track if known is None else growth.track.where(known)
        scale = found.metric.judged
        if scale is None or len(track) < FEWEST_POINTS:
            return None
        requests = counts.at(track.elapsed_s) / track.parallel
        load = track.load[:, : growth.points.load.shape[1]]
        level = getattr(track, growth.envelope)
        mixture = Mixture(level, requests, load, track.life, scale.resolution)
        span = float(np.diff(track.x)[mixture.within].sum())
        span_s = float(np.diff(track.elapsed_s)[mixture.within].sum())
        return cls(
            mixture=mixture,
            elapsed_s=track.elapsed_s,
            totals=mixture.totals,
            span=span,
            span_s=span_s,
            least=scale.least_growth,
            slope=growth.slope,
            interval=growth.interval,
        )

    def thinned(self, stride: int) -> "Part":
        """The same, looked at over longer stretches."""
        mixture, elapsed_s = self.mixture.thinned(stride), self.elapsed_s[::stride]
        return replace(self, mixture=mixture, elapsed_s=elapsed_s, totals=mixture.totals)

    @property
    def frequent(self) -> NDArray[np.intp]:
        """The routes of which something can be told; there is room for the rest, and for time."""
        room = min(MOST_ROUTES, self.mixture.most_counts - 2)
        most = np.argsort(-self.totals, kind="stable")[: max(room, 0)]
        return np.sort(most[self.totals[most] >= FEWEST_REQUESTS])

    def rates_of(self, places: NDArray[np.intp], *, timed: bool = False) -> Rates | None:
        """Growth with each request of some routes; all that are not frequent count as one more.

        Args:
            places: The routes.
            timed: Whether it may grow with time as well: then that is the last of the rates.
        """
        rest = np.setdiff1d(np.arange(len(self.totals)), self.frequent)
        columns = [self.mixture.counts[:, places]]
        columns += [self.elapsed_s[:, None]] if timed else []
        told = len(places) + timed
        if self.totals[rest].any():
            columns.append(self.mixture.counts[:, rest].sum(axis=1, keepdims=True))
        found = fit_rates(replace(self.mixture, counts=np.hstack(columns)))
        if found is None:
            return None
        return replace(found, rates=found.rates[:told], errors=found.errors[:told])


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The growth with each request of some routes, and with time.

    Attributes:
        part: What it was fitted to.
        places: The routes.
        rates: Of them, if there is no growth with time.
        timed: Of them and of time.
    """

    part: Part
    places: NDArray[np.intp]
    rates: Rates
    timed: Rates

    @classmethod
    def to(cls, part: Part) -> "_Fitted | None":
        """Fit both; None where there are too few samples."""
        places = part.frequent
        rates = part.rates_of(places) if len(places) else None
        timed = part.rates_of(places, timed=True) if len(places) else None
        return None if rates is None or timed is None else cls(part, places, rates, timed)

    @property
    def drifts(self) -> bool:
        """Whether it surely grows, or falls, with time."""
        chance = float(self.timed.chance[-1])
        return min(chance, 1.0 - chance) < DRIFTS / 2

    @property
    def sure(self) -> float:
        """The probability below which a route grows."""
        return SURE / len(self.places)

    @property
    def seems(self) -> NDArray[np.bool_]:
        """Which routes grow if there is no growth with time."""
        return np.asarray(self.rates.chance < self.sure)

    @property
    def by_time(self) -> NDArray[np.bool_]:
        """Which routes need not grow if there may be growth with time.

        Where requests come evenly, time and their sum are one, and growth is taken to be by
        requests. What grows with time in any case says nothing of routes.
        """
        is_told = self.timed.errors[:-1] <= EVENLY * self.rates.errors
        return np.asarray(self.drifts | (is_told & (self.timed.chance[:-1] >= self.sure)))


def _fitted(whole: Part) -> _Fitted | None:
    """Fit over stretches that are long enough, if there are enough of them."""
    found: _Fitted | None = None
    for stride in STRIDES:
        following = _Fitted.to(whole.thinned(stride))
        found = found if following is None else following
        if following is None or not following.drifts:
            break
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """What the fit says of each route. Arrays have the shape `(routes,)`.

    Attributes:
        figure: Growth with each request, where those that are excluded are taken not to grow; NaN
            where nothing can be told.
        low: Lower end of its 90 % interval, as fitted to all routes.
        high: Upper end of it.
        bound: Growth above which there surely is none.
        error: Standard error.
        leaks: Which of them surely grow, and by enough to be named.
        excluded: Which of them surely do not by enough to matter.
        by_time: Which of them may only seem to grow, because the level grows with time.
        fitted: Which of them were told apart at all.
    """

    figure: Floats
    low: Floats
    high: Floats
    bound: Floats
    error: Floats
    leaks: NDArray[np.bool_]
    excluded: NDArray[np.bool_]
    by_time: NDArray[np.bool_]
    fitted: NDArray[np.bool_]


def tell_apart(whole: Part) -> Told | None:
    """Tell the routes apart; None where there are too few samples for so many of them."""
    fitted = _fitted(whole)
    if fitted is None:
        return None
    part, places, rates = fitted.part, fitted.places, fitted.rates
    seems, by_time = fitted.seems, fitted.by_time
    totals, reach = part.totals[places], rates.reach(0.95)
    figures, _ = _alone_growing(part, places, rates, seems & ~by_time)
    growth = figures * totals
    least = max(part.least, LEAST_SHARE * float(np.nansum(growth)))
    leaks = seems & ~by_time & (growth >= least)
    luck = LUCK * part.mixture.resolution / totals
    bound = np.maximum(np.maximum(rates.rates, 0.0) + reach, luck)
    most = float(figures[leaks].max(initial=0.0))
    is_little = (bound <= EXCLUDED_RATE * most) & ~seems
    is_small = bound * totals <= EXCLUDED_SHARE * float(np.nansum(growth))
    excluded = ~leaks & (is_little | is_small)
    low, high = rates.rates - reach, rates.rates + reach
    if leaks.any():
        figures, beyond = _alone_growing(part, places, rates, ~excluded)
        low, high = np.minimum(low, figures - beyond), np.maximum(high, figures + beyond)
        bound = np.maximum(bound, np.where(excluded, 0.0, high))

    def of_all(values: NDArray[Any], missing: float) -> NDArray[Any]:
        every = np.full(len(part.totals), missing, dtype=values.dtype)
        every[places] = values
        return every

    return Told(
        figure=of_all(np.where(np.isfinite(rates.errors), figures, np.nan), np.nan),
        low=of_all(low, -np.inf),
        high=of_all(high, np.inf),
        bound=of_all(bound, np.inf),
        error=of_all(rates.errors, np.inf),
        leaks=of_all(leaks, False),
        excluded=of_all(excluded, False),
        by_time=of_all(seems & by_time, False),
        fitted=of_all(np.ones(len(places), dtype=bool), False),
    )


def _alone_growing(
    part: Part, places: NDArray[np.intp], rates: Rates, grows: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Growth with each request if only some of the routes grow, and how far it may be from that.

    If none or all grow, it is as fitted.
    """
    fewer = part.rates_of(places[grows]) if grows.any() and not grows.all() else None
    figures, reach = rates.rates.copy(), rates.reach(0.95)
    if fewer is not None:
        figures, reach = np.zeros(len(places)), np.zeros(len(places))
        figures[grows], reach[grows] = fewer.rates, fewer.reach(0.95)
    return figures * _share(part, float(figures @ part.totals[places])), reach


def _share(part: Part, whole: float) -> float:
    """What figures have to be multiplied by to account for the growth of the resource.

    A burst counts in them that is none for the median of slopes, which is less sure otherwise:
    what lies within its interval is left as it is.
    """
    if part.interval.contains(whole / part.span) or whole <= 0:
        return 1.0
    share = part.slope * part.span / whole
    return share if 1 / MOST_APART < share < MOST_APART else 1.0
