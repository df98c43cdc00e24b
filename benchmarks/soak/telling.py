"""What was found, as a table."""

from benchmarks.soak import TICK_S
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.model import Interval, ResourceVerdict


def _shown(value: float | None, interval: Interval | None, factor: float) -> str:
    if value is None:
        return "not told"
    told = f"{value * factor:+,.4g}"
    if interval is None:
        return told
    return f"{told} [{interval.low * factor:+,.4g}, {interval.high * factor:+,.4g}]"


def _row(target: str, found: ResourceVerdict) -> str:
    """A row of the table: memory in KiB, the rest as it is."""
    is_memory = found.resource == "rss_bytes"
    unit = 1 / 1024 if is_memory else 1.0
    an_hour, a_request = (
        (found.per_hour, found.per_hour_interval),
        (found.per_request, found.per_request_interval),
    )
    cells = [
        target,
        "memory, KiB" if is_memory else found.resource,
        found.verdict,
        f"{(found.baseline or 0) * unit:,.0f} -> {(found.last or 0) * unit:,.0f}",
        _shown(*an_hour, unit),
        _shown(*an_hour, unit * 1000 * TICK_S / 3600),
        _shown(*a_request, unit * 1000),
    ]
    return f"| {' | '.join(cells)} |"


def table(assessment: Assessment) -> str:
    """What was found of each resource of each of them."""
    lines = [
        "| process | resource | verdict | from -> to | an hour | 1,000 ticks | 1,000 requests |",
        "|---|---|---|---|---|---|---|",
    ]
    for target in assessment.targets:
        lines += [_row(target.id, one) for one in target.found.resources.values()]
    return "\n".join(lines)
