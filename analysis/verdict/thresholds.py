"""Thresholds on growth: what a gate allows where a verdict alone is too strict or too lax."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidemark.analysis import units
from tidemark.analysis.verdict import route_words
from tidemark.analysis.verdict.culprits import told
from tidemark.analysis.verdict.headline import listed
from tidemark.analysis.verdict.model import ResourceVerdict, RouteGrowth
from tidemark.analysis.verdict.reasons import rate
from tidemark.record.errors import OptionError
from tidemark.record.metrics import RESOURCES

AT = "@"
"""Stands between a resource and the route that a threshold is for."""
MOST_NAMED = 5
"""So many routes are named where one is not found."""


@dataclass(frozen=True, slots=True)
class ThresholdCheck:
    """Whether a resource keeps its threshold.

    Attributes:
        allowed: Growth per request that is allowed.
        kept: True if it does, False if it surely does not, None if that cannot be told.
        reason: A sentence.
    """

    allowed: float
    kept: bool | None
    reason: str


def parse_thresholds(texts: Iterable[str]) -> dict[str, float]:
    """Read thresholds such as `fds=0.01`, or `fds@POST /ingest=0.01` for one route.

    Raises:
        OptionError: One is not RESOURCE=NUMBER; the message names the resources there are.
    """
    return dict(_parse(text) for text in texts)


def _parse(text: str) -> tuple[str, float]:
    name, equals, figure = (part.strip() for part in text.rpartition("="))
    resource, at, route = (part.strip() for part in name.partition(AT))
    try:
        allowed = float(figure)
    except ValueError:
        allowed = math.nan
    is_named = resource in RESOURCES and bool(route) == bool(at)
    if not is_named or not equals or not math.isfinite(allowed) or allowed < 0:
        raise OptionError(
            f"--max-per-request: {text!r} is not RESOURCE=GROWTH or RESOURCE@ROUTE=GROWTH; "
            f"name one of {', '.join(RESOURCES)} and a number of at least 0, as in fds=0.01"
        )
    return f"{resource}{at}{route}", allowed


def of_routes(thresholds: Mapping[str, float], resource: str) -> dict[str, float]:
    """The thresholds on single routes of a resource, by what was said for the route."""
    named = ((name.partition(AT), allowed) for name, allowed in thresholds.items())
    return {route: allowed for (one, at, route), allowed in named if at and one == resource}


def find_route(found: ResourceVerdict, asked: str) -> str | None:
    """The route that is meant: its whole name, or its path without method; None if none is."""
    if asked in found.routes:
        return asked
    alike = [
        name for name in found.routes if name.partition(" ")[2].lstrip("/") == asked.lstrip("/")
    ]
    return alike[0] if len(alike) == 1 else None


def check_threshold(found: ResourceVerdict, allowed: float) -> ThresholdCheck:
    """Hold the growth of a resource against its threshold.

    It surely does not keep it when the whole 90 % interval lies above. It keeps it when the best
    estimate lies below; where growth could not be told, the whole interval has to.

    Args:
        found: What was found on the resource.
        allowed: Growth per request that is allowed.
    """
    metric, growth, interval = found.metric, found.per_request, found.per_request_interval
    limit = f"threshold of {units.quantity(metric, allowed, 3)} a request"
    if growth is None:
        return ThresholdCheck(allowed, None, f"{metric.phrase}: unknown growth against the {limit}")
    text = f"{metric.phrase}: growth of {rate(found)}{told(found)}"
    low, high = (growth, growth) if interval is None else (interval.low, interval.high)
    if (high if found.verdict == "inconclusive" else growth) <= allowed:
        return ThresholdCheck(allowed, kept=True, reason=f"{text}, within the {limit}")
    if interval is not None and low > allowed:
        return ThresholdCheck(allowed, kept=False, reason=f"{text}, above the {limit}")
    return ThresholdCheck(allowed, None, f"{text}, which may be above the {limit}")


def check_route(found: ResourceVerdict, asked: str, allowed: float) -> ThresholdCheck:
    """Hold the growth of a resource with one route against its threshold.

    A route that was seen to leak is held to its best estimate, any other one to what is excluded.

    Args:
        found: What was found on the resource.
        asked: What was said for the route.
        allowed: Growth that is allowed with each of its requests.
    """
    metric, name = found.metric, find_route(found, asked)
    limit = f"threshold of {units.quantity(metric, allowed, 3)} a request"
    if name is None:
        said = f"{metric.phrase}: {_no_route(found, asked)}, to hold against the {limit}"
        return ThresholdCheck(allowed, None, said)
    one, subject = found.routes[name], f"{metric.phrase} of {name}"
    interval, most = one.per_request_interval, one.excluded_per_request
    if one.verdict == "leaks" and one.per_request is not None:
        text = f"{subject}: growth of {route_words.rate(found, one)} a request"
        if one.per_request <= allowed:
            return ThresholdCheck(allowed, kept=True, reason=f"{text}, within the {limit}")
        is_sure = interval is not None and interval.low > allowed
        above = "above" if is_sure else "which may be above"
        return ThresholdCheck(allowed, False if is_sure else None, f"{text}, {above} the {limit}")
    if most is not None and most <= allowed:
        reason = f"{subject}: no growth above {units.quantity(metric, most, 2)} a request"
        return ThresholdCheck(allowed, kept=True, reason=f"{reason}, within the {limit}")
    return ThresholdCheck(allowed, None, f"{subject}: {_unknown(found, one)} against the {limit}")


def _no_route(found: ResourceVerdict, asked: str) -> str:
    if not found.routes:
        return f"growth by route is unknown, of {asked} too"
    names = list(found.routes)
    more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return f"no route is called {asked}; there are {listed([*names[:MOST_NAMED], *more])}"


def _unknown(found: ResourceVerdict, one: RouteGrowth) -> str:
    """What is known of a route that cannot be held against its threshold."""
    most = one.excluded_per_request
    if most is None:
        why = f" ({found.routes_reason})" if found.routes_reason else ""
        return f"unknown growth{why}"
    return f"only growth above {units.quantity(found.metric, most, 2)} a request is excluded"
