"""Several runs that follow each other, in one panel: done, under way, and to come."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tidemark.analysis import units
from tidemark.live import panel
from tidemark.live.facts import Facts
from tidemark.live.follower import Follower

WIDE = 120
"""Columns from which each figure has a column of its own."""
LEAST_ROOM = 16
"""Lines below the table without which the run under way is shown by its verdict alone."""
_FRAME = 2
FIGURES = {"requests": 11, "failed": 9, "descriptors": 22}
"""Those figures, and how many columns each needs."""
_SIGNS = {"over": "✓", "running": "▶", "to come": "·"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A run of several.

    Attributes:
        name: What it is called.
        phase: `over`, `running` or `to come`.
        progress: How far it is, or how it ended; in words.
        facts: What is known of it; None for nothing.
    """

    name: str
    phase: str
    progress: str
    facts: Facts | None = None


def overview(
    title: str,
    entries: Sequence[Entry],
    run: Follower | None,
    width: int,
    height: int = 40,
) -> RenderableType:
    """All runs, and below them the one that is under way.

    Args:
        title: What they are together.
        entries: The runs, in their order.
        run: That which is under way, with its lock held; None if nothing is known of it.
        width: Columns of the terminal.
        height: Its lines: what does not fit is left out from below.
    """
    parts: list[RenderableType] = [_table(_fitting(entries, height), width)]
    under_way = next((one for one in entries if one.phase == "running"), None)
    room = height - len(entries) - _FRAME
    if under_way and under_way.facts and run:
        parts.append(Rule(Text(units.shortened(under_way.name, width // 2)), style="none"))
        shown = panel.body(under_way.facts, run, width, room)
        parts += shown if room >= LEAST_ROOM else shown[:1]
    done = sum(one.phase == "over" for one in entries)
    return panel.framed(title, parts, f"{done} of {len(entries)} done", width)


def _fitting(entries: Sequence[Entry], height: int) -> Sequence[Entry]:
    """Those for which there is room: around the one that is under way, its neighbours."""
    room = max(height - _FRAME - 3, 1)
    at = next((number for number, one in enumerate(entries) if one.phase != "over"), len(entries))
    first = max(min(at - room // 2, len(entries) - room), 0)
    return entries[first : first + room]


def _table(entries: Sequence[Entry], width: int) -> RenderableType:
    is_wide = width >= WIDE
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True, show_header=is_wide)
    table.add_column("", no_wrap=True, width=1)
    widest = max((len(one.name) for one in entries), default=0)
    table.add_column("", no_wrap=True, width=min(widest, max(width // 4, 22)))
    for heading, columns in FIGURES.items() if is_wide else ():
        table.add_column(Text(heading, "bold"), justify="right", no_wrap=True, width=columns)
    if is_wide:
        table.add_column(Text("verdict", "bold"), no_wrap=True, width=19)
    table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    for one in entries:
        told = [*_figures(one.facts), _verdict(one), Text(one.progress)]
        table.add_row(*_named(one, width), *(told if is_wide else [_in_short(one)]))
    return table


def _named(one: Entry, width: int) -> tuple[Text, Text]:
    style = "bold" if one.phase == "running" else ""
    return Text(_SIGNS[one.phase]), Text(units.shortened(one.name, max(width // 4, 22)), style)


def _figures(facts: Facts | None) -> tuple[str, str, str]:
    if facts is None:
        return "", "", ""
    held = facts.foremost[0].descriptors if facts.levels else ""
    requests, failures = (
        "" if one is None else units.count(one) for one in (facts.requests, facts.failures)
    )
    return requests, failures, held


def _verdict(one: Entry) -> Text:
    """The verdict in a word or two; "(?)" where not all can be told."""
    if one.facts is None or not one.facts.result:
        return Text("")
    style = panel.SEVERITY_STYLE.get(one.facts.severity, "bold")
    doubt = " (?)" if one.facts.verdict != one.facts.result else ""
    so_far = "" if one.phase == "over" else " so far"
    return Text(f"{one.facts.result}{doubt}{so_far}", style)


def _in_short(one: Entry) -> Text:
    """What matters of it in a few words."""
    told = [Text(one.progress)]
    if one.phase == "running" and one.facts and one.facts.levels:
        held = one.facts.foremost[0].descriptors
        told.append(Text(f"fds {held.partition(' (')[0]}"))
    if one.phase == "over" and (verdict := _verdict(one)):
        told.insert(0, verdict)
    return Text(", ").join(told)
