"""A run's targets as rows of a table, the worst first, as every output has them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidemark.analysis.units import amount, count, duration
from tidemark.analysis.verdict.target_result import TargetResult, tally
from tidemark.record.metrics import JUDGED

MOST_ROWS = 20
"""So many targets are listed; verdict.json has them all."""

SHARED = "growth is that with each of the run's requests, which {} targets share"


@dataclass(frozen=True, slots=True)
class TargetTable:
    """The targets of a run.

    Attributes:
        headings: Of the columns.
        rows: A row for each target that is listed.
        cells: What stands in each row.
        more: What there is of the others; empty where all are listed.
        note: What growth is counted in.
    """

    headings: tuple[str, ...]
    rows: tuple[TargetResult, ...]
    cells: tuple[tuple[str, ...], ...]
    more: str
    note: str


def target_table(results: Sequence[TargetResult], most: int = MOST_ROWS) -> TargetTable:
    """Put targets, the worst of which come first, into a table.

    Growth is per request where requests are known, else per hour.
    """
    hourly = all(found.per_request is None for one in results for found in one.resources.values())
    per = "h" if hourly else "req"
    shown = tuple(results[:most])
    return TargetTable(
        headings=("target", "verdict", *(f"{one.heading}/{per}" for one in JUDGED), "dies at"),
        rows=shown,
        cells=tuple(_cells(one, hourly=hourly) for one in shown),
        more=_more(results[most:]),
        note="" if hourly else SHARED.format(count(len(results))),
    )


def _cells(one: TargetResult, *, hourly: bool) -> tuple[str, ...]:
    growth = []
    for metric in JUDGED:
        found = one.resources[metric.name]
        growth.append(amount(found.metric, found.per_hour if hourly else found.per_request))
    return (one.id, one.result, *growth, duration(one.dies_at_s))


def _more(rest: Sequence[TargetResult]) -> str:
    """What is said of those that are not listed: and 980 more, clean."""
    if not rest:
        return ""
    said = {one.result for one in rest}
    told = f", {said.pop()}" if len(said) == 1 else f": {tally(rest)}"
    return f"and {count(len(rest))} more{told}"
