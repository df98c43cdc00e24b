"""The panels of a comparison that have a row per run: response times, and requests."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tidemark.analysis import units
from tidemark.analysis.figures import style
from tidemark.analysis.figures.entries import Entry
from tidemark.analysis.verdict.latency import DOUBTED
from tidemark.record.metrics import Metric

LEAST_ROOM = 3.2
ROOM_SHARE = 0.36
MILLI = 1000.0


def draw_latency(axes: Axes, shown: Sequence[Entry]) -> None:
    """Draw median and 99th percentile of each run as a dumbbell on a logarithmic axis."""
    pairs = [(entry, entry.times_ms) for entry in shown]
    timed = [(entry, pair) for entry, pair in pairs if pair]
    approximate = any(entry.row.latency.approximate for entry, _ in timed)
    late = any(entry.row.latency.warning for entry, _ in timed)
    title = "Response time, median and p99" + (", approximate" if approximate else "")
    axes.set_title(f"{title}; {DOUBTED.strip()} not to be trusted" if late else title)
    _rows(axes, [entry for entry, _ in timed])
    axes.set_xlabel("ms")
    values = [value for _, pair in timed for value in pair if value > 0]
    if values:
        axes.set_xscale("log")
        style.plain_log_x(axes, "ms (log)")
        # Room for the figures beside the marks, which take the same space on paper at any span.
        room = max(LEAST_ROOM, (max(values) / min(values)) ** ROOM_SHARE)
        axes.set_xlim(min(values) / room, max(values) * room)
    for row, (entry, pair) in enumerate(timed):
        axes.plot(pair, [row, row], color=entry.look.colour, lw=2.5, label=entry.name, zorder=3)
        faces, places = (entry.look.colour, "white"), (-7, 7)
        for value, text, place, face in zip(pair, entry.times, places, faces, strict=True):
            axes.plot(value, row, "o", ms=7, mfc=face, mec=entry.look.colour, mew=2, zorder=4)
            _beside(axes, (value, row), text, place, entry.look.ink)


def draw_requests(axes: Axes, shown: Sequence[Entry]) -> None:
    """Draw requests answered and failed of each run as bars."""
    axes.set_title("Requests answered and failed")
    counted = [entry for entry in shown if entry.row.requests is not None]
    _rows(axes, counted)
    most = max([entry.row.requests or 0 for entry in counted], default=1)
    axes.set_xlim(0, most * 1.42)
    axes.set_xlabel("requests")
    for row, entry in enumerate(counted):
        total, failed = entry.row.requests or 0, entry.row.failures or 0
        answered = total - failed
        _bar(axes, row, answered, color=entry.look.colour, label=entry.name)
        text = units.count(answered)
        if failed:
            how = {"color": "white", "ec": style.ALARM, "hatch": "////", "label": "failed"}
            _bar(axes, row, failed, left=answered, **how)
            text += f", {units.count(failed)} failed"
        _beside(axes, (total, row), text, 5, style.ALARM if failed else style.INK)
    style.few_x(axes)


def draw_used(axes: Axes, metric: Metric, shown: Sequence[Entry]) -> None:
    """Draw what a request uses up of a metric, a bar per run."""
    axes.set_title(f"{metric.title} a request")
    known = [(entry, used) for entry in shown if (used := entry.row.per_request.get(metric.name))]
    _rows(axes, [entry for entry, _ in known])
    axes.set_xlim(0, MILLI * max(used for _, used in known) * 1.42)
    axes.set_xlabel("ms")
    for row, (entry, used) in enumerate(known):
        _bar(axes, row, MILLI * used, color=entry.look.colour, label=entry.name)
        _beside(axes, (MILLI * used, row), units.amount(metric, used), 5, style.INK)
    style.few_x(axes, whole=False)


def _bar(axes: Axes, row: int, length: float, **how: Any) -> None:
    axes.barh(row, length, height=0.6, zorder=3, **how)


def _rows(axes: Axes, shown: Sequence[Entry]) -> None:
    """Make one row per run, the first on top, with its name at the left."""
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_yticks(np.arange(len(shown)), [style.drawable(entry.label) for entry in shown])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    for text, entry in zip(axes.get_yticklabels(), shown, strict=True):
        text.set_color(entry.look.ink)


def _beside(axes: Axes, at: tuple[float, float], text: str, offset: float, colour: str) -> None:
    """Write a figure so many points beside its mark: left of it if that is negative."""
    side = "right" if offset < 0 else "left"
    style.write(axes, text, at, (offset, 0), color=colour, ha=side, va="center", zorder=5)
