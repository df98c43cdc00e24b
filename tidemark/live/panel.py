"""A run under way in a terminal: one panel that is drawn anew, or a line now and then."""

from collections.abc import Iterator, Sequence

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tidemark.analysis import units
from tidemark.analysis.figures.events import told
from tidemark.live import words
from tidemark.live.buckets import Floats
from tidemark.live.facts import Facts
from tidemark.live.follower import Follower
from tidemark.record.events import Event, Recorded

MOST_ROWS = 8
"""Targets that have a row each; those that are nearest to their limits."""
EVENTS = 5
_OF_COURSE = frozenset({"run_started", "sampler_started", "limits_read", "runtime_seen"})
"""Events that happen in any run."""
NARROW = 90
"""Columns below which there is no room for a curve beside the figures."""
SEVERITY_STYLE = {"fail": "bold red", "unknown": "yellow", "doubt": "yellow", "pass": "green"}
_BARS = "▁▂▃▄▅▆▇█"
_CURVE = 24


def line(facts: Facts) -> str:
    """A run in one line, for a log."""
    told_of = [facts.state, *(f"descriptors {one.descriptors}" for one in facts.foremost[:1])]
    told_of += [f"{name} {value}" for name, value in _figures(facts) if value != units.UNKNOWN]
    told_of.append(f"{facts.verdict}: {facts.reason}")
    return "; ".join([*told_of, *filter(None, [facts.outlook, facts.trouble])])


def panel(facts: Facts, run: Follower, width: int, height: int = 40) -> RenderableType:
    """A run as it is now, within a terminal; hold the lock of `run`.

    Args:
        facts: What there is to say.
        run: What was recorded, for its curves and events.
        width: Columns of the terminal.
        height: Its lines: what does not fit is left out from below.
    """
    title = " ".join(filter(None, [facts.name, facts.strategy and f"({facts.strategy})"]))
    return framed(title, body(facts, run, width, height), facts.state, width)


def framed(
    title: str, parts: Sequence[RenderableType], subtitle: str, width: int
) -> RenderableType:
    """Parts below each other, in the frame of a panel."""
    return Panel(
        Group(*parts),
        box=box.ROUNDED,
        width=width,
        title=Text(units.shortened(title, max(width - 8, 1))),
        subtitle=Text(units.shortened(subtitle, max(width - 8, 1))),
    )


def body(facts: Facts, run: Follower, width: int, height: int = 40) -> list[RenderableType]:
    """What a panel holds, as `panel` has it."""
    parts: list[RenderableType] = [_verdict(facts, width), Text(), _levels(facts, run, width)]
    if facts.trouble:
        parts.insert(0, Text(facts.trouble, "yellow"))
    room = height - 18 - len(facts.levels[:MOST_ROWS])
    telling = [one for one in run.happened.last() if one.event.name not in _OF_COURSE]
    if events := telling[: max(min(EVENTS, room), 0)]:
        parts += [Text(), Text("last events", "bold"), _events(events, facts, width)]
    return parts


def _verdict(facts: Facts, width: int) -> RenderableType:
    style = SEVERITY_STYLE.get(facts.severity, "bold")
    said = Text.assemble((facts.verdict, style), f": {facts.reason}")
    said.truncate(4 * (width - 6), overflow="ellipsis")
    lines: list[RenderableType] = [said]
    if facts.outlook:
        lines.append(Text(facts.outlook, style))
    return Group(*lines)


def _levels(facts: Facts, run: Follower, width: int) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True, justify="right", overflow="ellipsis")
    if width >= NARROW:
        table.add_column(no_wrap=True)
    for name, value, values in _rows(facts, run):
        curve = [Text(sparkline(values), "cyan")] if width >= NARROW else []
        table.add_row(Text(units.shortened(name, width // 3)), Text(value), *curve)
    return table


def _rows(facts: Facts, run: Follower) -> Iterator[tuple[str, str, Floats]]:
    """Name, figure and curve of each row."""
    nothing = np.empty(0)
    foremost = facts.foremost
    for level in foremost[:MOST_ROWS]:
        whose = f" of {level.target}" if len(facts.levels) > 1 else ""
        yield f"descriptors{whose}", level.descriptors, run.targets[level.target].levels.last("fds")
    if hidden := len(foremost[MOST_ROWS:]) + facts.untold_targets:
        yield "further targets", units.count(hidden), nothing
    curves = {"connections": "connections", "TIME_WAIT": "time_wait", "threads": "threads"}
    curves["memory"] = "rss_bytes"
    only = run.targets[foremost[0].target].levels if len(foremost) == 1 else None
    for name, value in _figures(facts):
        if value == units.UNKNOWN:
            continue
        column = curves.get(name, "")
        yield name, value, only.last(column) if only is not None and column else nothing


def _figures(facts: Facts) -> list[tuple[str, str]]:
    def summed(name: str) -> float | None:
        known = [value for one in facts.levels if (value := getattr(one, name)) is not None]
        return sum(known) if known else None

    figures = [
        ("connections", units.count(summed("connections"))),
        ("TIME_WAIT", units.count(summed("time_wait"))),
        ("threads", units.count(summed("threads"))),
        ("memory", units.size(summed("rss_bytes"))),
    ]
    if facts.requests is not None:
        rate = f" ({units.number(facts.rates[0])}/s)" if facts.rates else ""
        failing = f" ({units.number(facts.rates[1])}/s)" if facts.rates else ""
        figures += [
            ("requests", f"{units.count(facts.requests)}{rate}"),
            ("failures", f"{units.count(facts.failures)}{failing}"),
            ("p99", units.milliseconds(facts.p99_ms)),
        ]
    return figures


def _events(events: Sequence[Recorded[Event]], facts: Facts, width: int) -> RenderableType:
    lines = []
    for one in events:
        at = words.clock(one.elapsed_s, facts.moment)
        text = f"{at}  {one.event.name.replace('_', ' ')}  {told(one.event)}"
        lines.append(Text(units.shortened(text, max(width - 4, 1)), no_wrap=True))
    return Group(*lines)


def sparkline(values: Floats, columns: int = _CURVE) -> str:
    """A curve in one line of text, from its lowest to its highest; a gap is a space."""
    if not np.isfinite(values).any():
        return ""
    parts = np.array_split(values, min(columns, len(values)))
    heights = np.array([np.nanmax(p) if np.isfinite(p).any() else np.nan for p in parts])
    low, high = np.nanmin(heights), np.nanmax(heights)
    if high <= low:
        return "".join(" " if np.isnan(one) else _BARS[0] for one in heights)
    steps = (heights - low) / (high - low) * (len(_BARS) - 1)
    return "".join(" " if np.isnan(one) else _BARS[round(float(one))] for one in steps)
