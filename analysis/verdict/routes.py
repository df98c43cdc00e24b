"""Which route leaks: the growth of a resource, told apart by the routes that were asked for."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis import units
from tidemark.analysis.verdict.growth import Growth
from tidemark.analysis.verdict.model import (
    Decision,
    Interval,
    ResourceVerdict,
    RouteDecision,
    RouteGrowth,
)
from tidemark.analysis.verdict.route_counts import RouteCounts
from tidemark.analysis.verdict.route_fit import (
    EXCLUDED_RATE,
    FEWEST_REQUESTS,
    MOST_ROUTES,
    Part,
    Told,
    tell_apart,
)
from tidemark.analysis.verdict.route_words import sentence

LEAST_LONGER, MOST_LONGER = 1.5, 50.0
"""Nobody is told to run for less than so many times as long, nor for more than so many times."""

TOO_LITTLE = "too little to tell routes apart; run for longer"
HARDLY_ASKED = f"fewer than {FEWEST_REQUESTS:g} requests say nothing"
LESS_FREQUENT = f"no more than the {MOST_ROUTES} most frequent routes are told apart"
SAME_MIX = "the mix of requests hardly varies; ask for the routes at random, not in turn"
BY_TIME = (
    "growth may come with time, with all routes alike or long after requests; run for longer to see"
)
_ALONE: Mapping[Decision, RouteDecision] = {
    "leak": "leaks",
    "clean": "excluded",
    "inconclusive": "cannot tell",
}


def attributed(
    found: ResourceVerdict,
    growth: Growth | None,
    counts: RouteCounts,
    known: NDArray[np.bool_] | None = None,
    hidden: float = 0.0,
) -> ResourceVerdict:
    """The verdict on a resource with what each route has to do with its growth.

    Args:
        found: The verdict.
        growth: The growth of all processes together, whose judged part is looked at.
        counts: How often each route was asked for.
        known: At which bins of that part the level is known; None for all.
        hidden: By how much it may have grown without showing.
    """
    if not counts.names or found.per_request is None:
        return found
    if len(counts.names) == 1:
        return _alone(found, counts.names[0])
    part = None if growth is None else Part.of(found, growth, counts, known)
    part = None if part is None else replace(part, hidden=hidden)
    if part is None:
        routes = {name: RouteGrowth("cannot tell") for name in counts.names}
        return _explained(replace(found, routes=routes, routes_reason=f"there is {TOO_LITTLE}"))
    told = tell_apart(part)
    routes = {name: _route(found, part, told, place) for place, name in enumerate(counts.names)}
    return _explained(replace(found, routes=routes, routes_reason=_why_not(part, told, routes)))


def _alone(found: ResourceVerdict, name: str) -> ResourceVerdict:
    """All growth is that of the only route there is."""
    only = RouteGrowth(
        verdict=_ALONE[found.verdict],
        per_request=found.per_request,
        per_request_interval=found.per_request_interval,
        excluded_per_request=found.excluded_per_request,
    )
    return replace(found, routes={name: only}, routes_reason="only one route was asked for")


def _route(found: ResourceVerdict, part: Part, told: Told | None, place: int) -> RouteGrowth:
    if told is None:
        return RouteGrowth("cannot tell", requests=float(part.totals[place]))
    figure, low, high = (float(each[place]) for each in (told.figure, told.low, told.high))
    hidden = part.hidden if found.verdict != "leak" else 0.0
    bound = float(told.bound[place]) + hidden / max(float(part.totals[place]), 1.0)
    bound = min(bound, _most(found, part, told, place))
    is_told = math.isfinite(figure) and math.isfinite(high)
    return RouteGrowth(
        verdict=_decision(found, part, told, place),
        requests=float(part.totals[place]),
        per_request=figure if is_told else None,
        per_request_interval=Interval(min(low, figure), max(high, figure)) if is_told else None,
        excluded_per_request=bound if math.isfinite(bound) else None,
    )


def _most(found: ResourceVerdict, part: Part, told: Told, place: int) -> float:
    """What a route grows by at most in a resource that does not, unless another one takes away."""
    takes_away = bool((told.high < 0).any())
    if found.verdict != "clean" or found.excluded_per_request is None or takes_away:
        return math.inf
    requests = float(part.totals[place])
    return found.excluded_per_request * part.span / requests if requests else math.inf


def _decision(found: ResourceVerdict, part: Part, told: Told, place: int) -> RouteDecision:
    if found.verdict == "clean":
        return "excluded" if math.isfinite(_most(found, part, told, place)) else "cannot tell"
    if found.verdict == "inconclusive":
        return "cannot tell"
    if told.leaks[place]:
        return "leaks"
    return "excluded" if told.excluded[place] else "cannot tell"


def _why_not(part: Part, told: Told | None, routes: Mapping[str, RouteGrowth]) -> str | None:
    """Why some routes cannot be told, and what to do; None where all can."""
    unsure = [n for n, one in enumerate(routes.values()) if one.verdict == "cannot tell"]
    if not unsure:
        return None
    if told is None:
        return f"there is {TOO_LITTLE}"
    if told.by_time.any():
        return BY_TIME
    fitted = [n for n in unsure if told.fitted[n]]
    if not fitted:
        asked = float(part.totals[unsure].max())
        return HARDLY_ASKED if asked < FEWEST_REQUESTS else LESS_FREQUENT
    longer = max(_longer(part, told, n) for n in fitted)
    if longer > MOST_LONGER:
        return SAME_MIX
    minutes = math.ceil(part.span_s * max(longer, LEAST_LONGER) / 60.0)
    return f"run for {units.duration(60.0 * minutes)}, or with a shorter --interval"


def _longer(part: Part, told: Told, place: int) -> float:
    """How many times as long it takes until a route can be named or excluded, more or less."""
    most = float(told.figure[told.leaks].max(initial=0.0))
    whole = float(np.nansum(told.figure * part.totals))
    wanted = EXCLUDED_RATE * most / 2 if most > 0 else whole / part.totals[place] / 4
    return (float(told.error[place]) / wanted) ** 2 if wanted > 0 else math.inf


def _explained(found: ResourceVerdict) -> ResourceVerdict:
    """The verdict with a reason that names the routes that leak, where the resource does."""
    if found.verdict != "leak":
        return found
    return replace(found, reason=f"{found.reason}; {sentence(found)}")
