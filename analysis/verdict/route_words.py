"""Growth by route in words, as sentences, tables and pictures say it."""

from tidemark.analysis import units
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.model import ResourceVerdict, RouteGrowth, Verdict

MOST_NAMED = 3
"""A sentence names so many routes, those that leak most, ..."""
LONGEST_NAME = 60
"""... by no more than so many characters."""


def sentence(found: ResourceVerdict) -> str:
    """Say which routes leak: by route: ingest 0.2 (0.19 to 0.21); others below 0.01."""
    of = {
        verdict: {name: one for name, one in found.routes.items() if one.verdict == verdict}
        for verdict in ("leaks", "excluded", "cannot tell")
    }
    if not of["leaks"]:
        why = found.routes_reason or "none accounts for much of it"
        return f"which route cannot be told: {why}"
    worst = sorted(of["leaks"].items(), key=lambda one: -(one[1].per_request or 0.0))
    parts = [", ".join(f"{_short(name)} {rate(found, one)}" for name, one in worst[:MOST_NAMED])]
    if len(worst) > MOST_NAMED:
        parts[0] += f" and {len(worst) - MOST_NAMED} more"
    bounds = [one.excluded_per_request or 0.0 for one in of["excluded"].values()]
    if bounds:
        who = "others" if len(bounds) > 1 else _short(next(iter(of["excluded"])))
        parts.append(f"{who} below {units.amount(found.metric, max(bounds), 2)}")
    if of["cannot tell"]:
        names = list(of["cannot tell"])
        who = _short(names[0]) if len(names) == 1 else f"{len(names)} others"
        parts.append(f"of {who} it cannot be told: {found.routes_reason}")
    return f"by route: {'; '.join(parts)}"


def _short(name: str) -> str:
    return units.shortened(name, LONGEST_NAME)


def rate(found: ResourceVerdict, one: RouteGrowth) -> str:
    """Growth with each request of a route, and its interval: 0.2 (0.19 to 0.21)."""
    text = units.amount(found.metric, one.per_request, 3)
    span = headline.span(found.metric, one.per_request_interval)
    return f"{text} ({span})" if span else text


def told_apart(verdict: Verdict) -> list[ResourceVerdict]:
    """The resources that leak and whose growth is told by route: those worth a column."""
    each = verdict.resources.values()
    return [found for found in each if found.verdict == "leak" and len(found.routes) > 1]


def route_cell(found: ResourceVerdict, name: str) -> str:
    """What a table says of a route: 0.2 (0.19 to 0.21), below 0.01, or that it cannot be told."""
    one = found.routes.get(name)
    if one is None or one.verdict == "cannot tell":
        return "cannot tell"
    if one.verdict == "leaks":
        return rate(found, one)
    return f"below {units.amount(found.metric, one.excluded_per_request, 2)}"


def note(found: ResourceVerdict) -> str:
    """The routes that leak as a picture says it; nothing where there is no leak to tell apart."""
    is_told = found.verdict == "leak" and len(found.routes) > 1
    return sentence(found) if is_told else ""
