"""Figures of several targets as one: sums, their intervals, and what runs out first."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from tidemark.analysis.verdict.baseline import Change, ResourceChange
from tidemark.analysis.verdict.faults import FaultEffect
from tidemark.analysis.verdict.model import (
    Decision,
    Interval,
    LocalPorts,
    ResourceVerdict,
    RouteGrowth,
)
from tidemark.analysis.verdict.naming import of_target_named
from tidemark.analysis.verdict.summary import Summary
from tidemark.analysis.verdict.target_result import TargetResult, worst_first

Word = TypeVar("Word", bound=str)

DECISIONS: tuple[Decision, ...] = ("leak", "inconclusive", "clean")
"""The worst first."""
CHANGES: tuple[Change, ...] = ("worse", "cannot tell", "better", "same")
"""The worst first."""


def total(values: Iterable[float | None]) -> float | None:
    """The sum of what is known; None where nothing is. In whatever order, it is the same."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def total_interval(
    figures: Sequence[tuple[float | None, Interval | None]],
) -> Interval | None:
    """The interval of a sum of independent figures: root of squares on either side.

    Args:
        figures: Each known figure with its interval. Where one has none, the sum has none.
    """
    known = [(value, interval) for value, interval in figures if value is not None]
    pairs = [(value, interval) for value, interval in known if interval is not None]
    if not pairs or len(pairs) < len(known):
        return None
    middle = math.fsum(value for value, _ in pairs)
    below = _root_of_squares(value - interval.low for value, interval in pairs)
    above = _root_of_squares(interval.high - value for value, interval in pairs)
    return Interval(middle - below, middle + above)


def _root_of_squares(values: Iterable[float]) -> float:
    return math.sqrt(math.fsum(value * value for value in values))


def total_excluded(figures: Sequence[tuple[float | None, float | None]]) -> float | None:
    """The growth of a sum above which there surely is none.

    Args:
        figures: Growth and what is excluded, of each; where either is unknown, so it is of all.
    """
    known = [(value, most) for value, most in figures if value is not None and most is not None]
    if not known or len(known) < len(figures):
        return None
    above = _root_of_squares(most - value for value, most in known)
    return math.fsum(value for value, _ in known) + above


def combine_resource(name: str, results: Sequence[TargetResult]) -> ResourceVerdict:
    """One resource of all targets.

    Growth, baseline and last are sums. The limit, the forecast and all else that is of one scope
    is that of the target that runs out first; the reason is that of the worst.
    """
    each = [(one.id, one.resources[name]) for one in worst_first(results)]
    decision = worst(DECISIONS, (found.verdict for _, found in each))
    alike = [pair for pair in each if pair[1].verdict == decision]
    lead_id, lead = min(alike, key=lambda pair: -(pair[1].excluded_per_request or 0.0))
    if decision != "clean":
        lead_id, lead = min(alike, key=lambda pair: _runs_out_s(pair[1]))
    first_id, first = min(each, key=lambda pair: _runs_out_s(pair[1]))
    if math.isinf(_runs_out_s(first)):
        first_id, first = lead_id, lead
    found = [one for _, one in each]
    return replace(
        first,
        verdict=decision,
        reason=of_target_named(lead.reason, lead_id, [lead.metric.phrase]),
        per_request=total(one.per_request for one in found),
        per_request_interval=total_interval(
            [(one.per_request, one.per_request_interval) for one in found]
        ),
        per_hour=total(one.per_hour for one in found),
        per_hour_interval=total_interval([(one.per_hour, one.per_hour_interval) for one in found]),
        excluded_per_request=total_excluded(
            [(one.per_request, one.excluded_per_request) for one in found]
        ),
        baseline=total(one.baseline for one in found),
        last=total(one.last for one in found),
        scope=f"{first_id}, {first.scope}",
        series=None,
        fit=None,
        routes=_routes([one.routes for one in found]),
        routes_reason=next((one.routes_reason for one in found if one.routes_reason), None),
        culprits=lead.culprits,
        all_remotes=any(one.all_remotes for one in found),
        run_for_s=max((one.run_for_s for one in found if one.run_for_s is not None), default=None),
    )


def worst(words: Sequence[Word], said: Iterable[Word]) -> Word:
    """Which of the words that are said comes first."""
    return min(said, key=words.index)


def _runs_out_s(found: ResourceVerdict) -> float:
    at = found.exhaustion_elapsed_s
    return math.inf if at is None else at


def _routes(each: Sequence[Mapping[str, RouteGrowth]]) -> dict[str, RouteGrowth]:
    names = dict.fromkeys(name for routes in each for name in routes)
    return {name: _route([routes[name] for routes in each if name in routes]) for name in names}


def _route(each: Sequence[RouteGrowth]) -> RouteGrowth:
    return RouteGrowth(
        verdict=worst(("leaks", "cannot tell", "excluded"), (one.verdict for one in each)),
        requests=each[0].requests,
        per_request=total(one.per_request for one in each),
        per_request_interval=total_interval(
            [(one.per_request, one.per_request_interval) for one in each]
        ),
        excluded_per_request=total_excluded(
            [(one.per_request, one.excluded_per_request) for one in each]
        ),
    )


def combine_ports(results: Iterable[TargetResult]) -> tuple[LocalPorts, ...]:
    """By endpoint, those of the target that uses the most of them."""
    found: dict[str, LocalPorts] = {}
    for one in worst_first(results):
        for ports in one.found.local_ports:
            known = found.setdefault(ports.endpoint, ports)
            if ports.used > known.used:
                found[ports.endpoint] = ports
    return tuple(found[name] for name in sorted(found))


def combine_summaries(results: Sequence[TargetResult]) -> Summary:
    """Requests and response times are those of the run; what a request costs is a sum."""
    each = [one.summary for one in results]
    names = dict.fromkeys(name for one in each for name in one.per_request)
    costs = {name: total(one.per_request.get(name) for one in each) for name in names}
    faults = zip(*(one.faults for one in each), strict=True)
    return replace(each[0], per_request=costs, faults=tuple(map(_fault, faults)))


def _fault(each: Sequence[FaultEffect]) -> FaultEffect:
    """One fault's effect on all targets: requests are those of the run."""

    def summed(read: Callable[[FaultEffect], float | None]) -> float | None:
        return total(map(read, each))

    restarted = summed(lambda one: one.workers_restarted)
    lasted = [one.recovery_s for one in each]
    return replace(
        each[0],
        recovery_s=None if None in lasted else max(one for one in lasted if one is not None),
        fds_left=summed(lambda one: one.fds_left),
        connections_left=summed(lambda one: one.connections_left),
        workers_restarted=None if restarted is None else int(restarted),
    )


def combine_changes(results: Sequence[TargetResult]) -> tuple[ResourceChange, ...]:
    """What changed since the baseline, by resource; the reason is that of the worst target."""
    ordered = worst_first(results)
    changes = [[(one.id, change) for change in one.changes] for one in ordered]
    return tuple(_change(each) for each in zip(*changes, strict=True))


def _change(each: Sequence[tuple[str, ResourceChange]]) -> ResourceChange:
    lead_id, lead = min(each, key=lambda pair: CHANGES.index(pair[1].change))
    found = [one for _, one in each if one.per_request is lead.per_request]
    return replace(
        lead,
        current=total(one.current for one in found),
        baseline=total(one.baseline for one in found),
        difference=total(one.difference for one in found),
        interval=total_interval([(one.difference, one.interval) for one in found]),
        reason=f"{lead_id}: {lead.reason}",
    )
