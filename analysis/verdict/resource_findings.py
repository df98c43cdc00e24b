"""What was found on each resource, held against its threshold and an earlier run."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from tidemark.analysis import units
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.baseline import ResourceChange
from tidemark.analysis.verdict.findings import Finding, Kind, Severity
from tidemark.analysis.verdict.judge import has_limit
from tidemark.analysis.verdict.model import ResourceVerdict, Verdict
from tidemark.analysis.verdict.thresholds import (
    ThresholdCheck,
    check_route,
    check_threshold,
    find_route,
    of_routes,
)


def on_resources(verdict: Verdict, thresholds: Mapping[str, float]) -> Iterator[Finding]:
    """What was found on each resource, by its threshold where it has one."""
    for name, found in verdict.resources.items():
        dead = verdict.exhausted is not None and verdict.exhausted.resource == name
        heading = found.metric.title if found.all_remotes else ""
        if name in thresholds:
            check = check_threshold(found, thresholds[name])
            on_threshold = _on_threshold(found, check, _growth(found))
            yield replace(on_threshold, heading=heading)
        routes = of_routes(thresholds, name)
        for asked, allowed in routes.items():
            yield replace(
                _on_route(found, asked, check_route(found, asked, allowed)), heading=heading
            )
        if dead or not (name in thresholds or _are_all(found, routes)):
            yield replace(_on_verdict(found, dead=dead), heading=heading)


def _are_all(found: ResourceVerdict, asked: Iterable[str]) -> bool:
    """Whether these are all routes that leak, and nothing else does."""
    held = {find_route(found, one) for one in asked}
    unheld = {one.verdict for name, one in found.routes.items() if name not in held}
    return found.verdict == "leak" and bool(held) and unheld <= {"excluded"}


_KINDS = {
    "leak": (Kind.LEAK, Severity.FAIL),
    "inconclusive": (Kind.CANNOT_TELL, Severity.UNKNOWN),
    "clean": (Kind.CLEAN, Severity.PASS),
}


def _on_verdict(found: ResourceVerdict, *, dead: bool) -> Finding:
    """What ran out fails whatever else is said; a doubt counts where there is a limit."""
    kind, severity = _KINDS[found.verdict]
    if dead:
        kind, severity = Kind.EXHAUSTED, Severity.FAIL
        if found.verdict != "leak":
            limit = "" if found.limit is None else f" of {units.count(found.limit)}"
            at = units.duration(found.exhaustion_elapsed_s)
            reason = f"{found.metric.title}: the limit{limit} was reached at {at}"
            return Finding(kind, found.resource, severity, reason, _growth(found))
    elif severity is Severity.UNKNOWN and not has_limit(found):
        severity = Severity.DOUBT
    return Finding(kind, found.resource, severity, headline.reason(found), _growth(found))


def _on_threshold(
    found: ResourceVerdict, check: ThresholdCheck, growth: Mapping[str, float | None]
) -> Finding:
    severity = {True: Severity.PASS, False: Severity.FAIL, None: Severity.UNKNOWN}[check.kept]
    evidence = {"allowed_per_request": check.allowed, **growth}
    return Finding(Kind.THRESHOLD, found.resource, severity, check.reason, evidence)


def _on_route(found: ResourceVerdict, asked: str, check: ThresholdCheck) -> Finding:
    name = find_route(found, asked)
    one = None if name is None else found.routes[name]
    interval = one.per_request_interval if one else None
    growth = {
        "per_request": one.per_request if one else None,
        "per_request_low": interval.low if interval else None,
        "per_request_high": interval.high if interval else None,
        "excluded_per_request": one.excluded_per_request if one else None,
    }
    return replace(_on_threshold(found, check, growth), route=name or asked)


def _growth(found: ResourceVerdict) -> dict[str, float | None]:
    interval = found.per_request_interval
    return {
        "per_request": found.per_request,
        "per_request_low": None if interval is None else interval.low,
        "per_request_high": None if interval is None else interval.high,
        "excluded_per_request": found.excluded_per_request,
        "per_hour": found.per_hour,
        "baseline": found.baseline,
        "last": found.last,
        "limit": found.limit,
    }


_CHANGES = {"worse": Severity.FAIL, "cannot tell": Severity.DOUBT}


def on_change(change: ResourceChange) -> Finding:
    """What is to be said of how a resource differs from the baseline."""
    severity = _CHANGES.get(change.change, Severity.PASS)
    evidence = {"before": change.baseline, "now": change.current, "difference": change.difference}
    reason = f"{change.change}: {change.reason}"
    return Finding(Kind.REGRESSION, change.resource, severity, reason, evidence)
