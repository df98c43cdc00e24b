"""The picture of a comparison: every strategy over the same axes, in its own fixed look."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tidemark.analysis import units
from tidemark.analysis.figures import curves, downsample, entries, panels, style
from tidemark.analysis.figures.charts import Chart, Picture, view_of
from tidemark.analysis.figures.comparison_rows import draw_latency, draw_requests, draw_used
from tidemark.analysis.figures.curves import Curve, of_metric, tcp_state
from tidemark.analysis.figures.entries import Entry
from tidemark.analysis.figures.events import Mark
from tidemark.analysis.figures.labels import EndLabel, label_ends
from tidemark.analysis.figures.panels import Heading
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.summary import unlike
from tidemark.record.events import Emfile
from tidemark.record.metrics import METRICS, USED, Metric, metric

LEFT_IN = 0.95
TOP_RIGHT_IN = 2.35
COLUMN_IN = 3.25
PITCH_IN = 5.83
NAMES_IN = 0.75
BARS_IN = 4.1
TOP_IN = 3.0
TOP_GAP_IN = 0.92
ROW_IN = 1.7
ROW_GAP_IN = 0.8
HEAD_IN = 1.12
BOTTOM_IN = 0.6
WARNING_COLUMNS = 130
WIDEST_PT = 3.6
NARROWEST_PT = 1.4
MARKS = 9
FDS_TITLE = "File descriptors of the process that holds most"


STATES = {"established": "", "time_wait": "closed, kept a minute by the kernel"}
"""The TCP states that have a panel, and what helps to read it."""


def draw_comparison(assessed: Sequence[Assessment]) -> Figure:
    """The picture of several runs alone."""
    return depict_comparison(assessed).figure


@style.themed
def depict_comparison(assessed: Sequence[Assessment]) -> Picture:
    """Draw several runs over each other.

    Descriptors on top with the limit and each EMFILE; below them a panel per metric, what each
    request uses up, response times and requests. A panel for which no run has figures is left out.

    Args:
        assessed: The runs, in the order in which they are listed.

    Returns:
        A figure 12 inches wide with one axes per panel, labelled with the panel's name; and what
        its panels over time show.
    """
    shown = entries.entries(assessed)
    span_s = (0.0, max([entry.run.duration_s for entry in shown] + [1e-3]))
    timed, used, listed = _timed_cells(shown, span_s), _used_cells(shown), _listed_cells(shown)
    # Beside a panel with a row per run there is no room for names at the right of a line.
    cells = [*timed[: len(timed) // 2 * 2], *used, *timed[len(timed) // 2 * 2 :], *listed]
    subtitle = _subtitle(shown)
    marks, spans = entries.common_faults([entry.run for entry in shown])
    width = style.WIDTH_IN - LEFT_IN - TOP_RIGHT_IN
    names = panels.event_names(marks, spans, span_s)
    head_in = HEAD_IN + 0.19 * subtitle.count("\n") + len(names) * panels.ROW_PT / 72
    rows_in = (len(cells) + 1) // 2 * (ROW_IN + ROW_GAP_IN)
    figure = style.new_figure(head_in + TOP_IN + TOP_GAP_IN + rows_in - ROW_GAP_IN + BOTTOM_IN)
    style.headings(figure, entries.headline(shown), subtitle, LEFT_IN)
    top = _add(figure, "fds", (LEFT_IN, head_in), (width, TOP_IN))
    read = [(entry, curve) for entry in shown if (curve := _fds_curve(entry)) is not None]
    _draw_fds(top, shown, read, span_s, rows=len(names))
    moments = [top]
    for place, cell in enumerate(cells):
        down = head_in + TOP_IN + TOP_GAP_IN + (place // 2) * (ROW_IN + ROW_GAP_IN)
        left = LEFT_IN + (place % 2) * PITCH_IN
        if not cell.timed:
            cell.draw(_add(figure, cell.key, (left + NAMES_IN, down), (BARS_IN - NAMES_IN, ROW_IN)))
            continue
        moments.append(_add(figure, cell.key, (left, down), (COLUMN_IN, ROW_IN)))
        cell.draw(moments[-1])
        if any(later.timed for later in cells[place + 2 :: 2]):
            moments[-1].set_xlabel("")
    panels.mark_events(moments, marks, spans, names)
    fds = _chart(metric("fds"), "fds", FDS_TITLE, read)
    view = view_of([fds, *(cell.chart for cell in cells)], span_s, [*_deaths(shown), *marks], spans)
    return Picture(figure, view)


@dataclass(frozen=True)
class Cell:
    """A small panel in its place.

    Attributes:
        key: Its name, which becomes the label of its axes.
        timed: Whether it has the time axis; if not, it has a row per run.
        draw: Fills its axes.
        chart: The same as a chart that can be zoomed draws it; None without the time axis.
    """

    key: str
    timed: bool
    draw: Callable[[Axes], None]
    chart: Chart | None = None


Read = Sequence[tuple[Entry, Curve]]
"""The curve of each run that has one."""


def _chart(metric: Metric, key: str, title: str, read: Read) -> Chart | None:
    if not read:
        return None
    lines = (replace(curve, name=entry.name) for entry, curve in read)
    limits = _limits([entry for entry, _ in read], metric) if key == metric.name else []
    return Chart(key, title, metric.axis, tuple(lines), metric=metric, limits=tuple(limits))


def _deaths(shown: Sequence[Entry]) -> list[Mark]:
    """The first EMFILE of each run."""
    first = ((entry, entry.run.first(Emfile)) for entry in shown)
    return [
        Mark(one.elapsed_s, f"{entry.name}: EMFILE at {units.duration(one.elapsed_s)}", loud=True)
        for entry, one in first
        if one is not None
    ]


def _add(figure: Figure, key: str, at: tuple[float, float], size: tuple[float, float]) -> Axes:
    """Add axes of a size in inches, so many inches from the left and from the top."""
    high, wide = figure.get_figheight(), style.WIDTH_IN
    box = (at[0] / wide, 1 - (at[1] + size[1]) / high, size[0] / wide, size[1] / high)
    return figure.add_axes(box, label=key)


def _timed_cells(shown: Sequence[Entry], span_s: tuple[float, float]) -> list[Cell]:
    held = metric("connections")
    wanted: list[tuple[str, Metric, Heading, Callable[[pd.DataFrame], Curve]]] = [
        (name, held, (f"{held.title}, {name.upper()}", remark), partial(tcp_state, state=name))
        for name, remark in STATES.items()
    ]
    wanted += [
        (one.name, one, (f"{one.title}, all processes", ""), partial(of_metric, metric=one))
        for one in METRICS
        if one.drawn in {"names", "total", "rate"}
    ]
    found = []
    for key, one, heading, curve_of in wanted:
        every = [(entry, curve_of(entry.run.samples)) for entry in shown]
        read = [(entry, curve) for entry, curve in every if curve.read.size]
        if any(curve.highest > 0 for _, curve in read):
            draw = partial(_draw_timed, metric=one, heading=heading, read=read, span_s=span_s)
            title = "; ".join(filter(None, heading))
            found.append(Cell(key, True, draw, _chart(one, key, title, read)))
    return found


def _used_cells(shown: Sequence[Entry]) -> list[Cell]:
    return [
        Cell(f"{one.name}_per_request", False, partial(draw_used, metric=one, shown=shown))
        for one in USED
        if any(entry.row.per_request.get(one.name) for entry in shown)
    ]


def _listed_cells(shown: Sequence[Entry]) -> list[Cell]:
    found = []
    if any(entry.times_ms for entry in shown):
        found.append(Cell("latency", False, partial(draw_latency, shown=shown)))
    if any(entry.row.requests for entry in shown):
        found.append(Cell("requests", False, partial(draw_requests, shown=shown)))
    return found


def _subtitle(shown: Sequence[Entry]) -> str:
    """Say what the runs have in common, and warn where they are unlike."""
    rate = _common([entry.run.metadata.load.get("rate") for entry in shown])
    brokers = _common([len(entry.run.metadata.brokers) for entry in shown])
    longest = max(entry.run.duration_s for entry in shown)
    parts = [
        f"{units.number(rate, 3)} requests/s each" if rate else "",
        units.several(brokers, "broker") if brokers else "",
        f"{len(shown)} runs of up to {units.duration(longest)}",
    ]
    lines = ["   ·   ".join(part for part in parts if part), *_because(shown)]
    warning = unlike([entry.run for entry in shown])
    if warning:
        lines += textwrap.wrap(warning, WARNING_COLUMNS, max_lines=3, placeholder=" …")
    return "\n".join(lines)


def _because(shown: Sequence[Entry]) -> list[str]:
    """Return a line for each run that failed or cannot be told and has no leak to be seen."""
    return [
        units.shortened(
            f"{entry.name}: {entry.assessment.result}: {entry.assessment.because}", WARNING_COLUMNS
        )
        for entry in shown
        if entry.is_grave and entry.verdict.verdict != "leak"
    ]


def _common(values: Sequence[object]) -> float | None:
    """Return the figure that all runs have; None where they differ or one has none."""
    first = values[0]
    if isinstance(first, bool) or not isinstance(first, int | float):
        return None
    return float(first) if all(value == first for value in values) else None


def _draw_fds(
    axes: Axes, shown: Sequence[Entry], there: Read, span_s: tuple[float, float], *, rows: int
) -> None:
    panels.share_time([axes], span_s)
    style.count_axis(axes, "descriptors")
    panels.write_heading(axes, (FDS_TITLE, ""), rows)
    highest = max([curve.highest for _, curve in there], default=1.0)
    limits = _limits(shown, metric("fds"))
    panels.headroom(axes, max([highest, *panels.near_limits(limits, highest)]), 0.12)
    labels = _draw_curves(axes, there, bold=True)
    labels += panels.draw_limits(axes, limits, highest, units.count)
    label_ends(axes, labels, style.TEXT_PT)
    for entry, curve in there:
        _mark_death(axes, entry, curve, span_s)


def _fds_curve(entry: Entry) -> Curve | None:
    found = curves.processes(entry.run.samples, "fds")
    judged = entry.verdict.resources.get("fds")
    chosen = [t for t in found if judged and judged.pid == t.pid]
    return chosen[0] if chosen else max(found, key=lambda curve: curve.highest, default=None)


def _limit(entry: Entry, name: str) -> float | None:
    found = entry.verdict.resources.get(name)
    return found.limit if found else None


def _limits(shown: Sequence[Entry], metric: Metric) -> list[float]:
    """The limits that the runs have, in the unit of the axis."""
    known = {limit for entry in shown if (limit := _limit(entry, metric.name))}
    return sorted(limit * metric.axis_scale for limit in known)


def _mark_death(axes: Axes, entry: Entry, curve: Curve, span_s: tuple[float, float]) -> None:
    """Mark the first EMFILE of a run and say beside it what it means."""
    event = entry.run.first(Emfile)
    if event is None:
        return
    at, colour = event.elapsed_s, entry.look.colour
    height = min(_limit(entry, "fds") or curve.highest, axes.get_ylim()[1])
    axes.plot(at, height, "X", ms=11, mec="white", color=colour, label="EMFILE", zorder=7)
    axes.axvline(at, color=colour, lw=1.2, ls=(0, (1, 2)), zorder=1.5)
    text, dead = f"EMFILE at {units.duration(at)}", entry.verdict.exhausted
    if dead is not None and dead.requests is not None:
        text += f"\nafter {units.several(dead.requests, 'request')}"
    left = at > 0.8 * span_s[1]
    how = {"size": style.TEXT_PT, "weight": "bold", "color": entry.look.ink, "linespacing": 1.3}
    how |= {"ha": "right" if left else "left", "va": "top", "zorder": 7}
    how["bbox"] = panels.BACKING
    style.write(axes, text, (at, height), (-9 if left else 9, -9), **how)


def _draw_timed(
    axes: Axes,
    metric: Metric,
    heading: Heading,
    read: Sequence[tuple[Entry, Curve]],
    span_s: tuple[float, float],
) -> None:
    panels.share_time([axes], span_s)
    style.count_axis(axes, metric.axis, whole=metric.unit == "count")
    panels.write_heading(axes, heading)
    highest = max(curve.highest for _, curve in read)
    limits = _limits([entry for entry, _ in read], metric)
    panels.headroom(axes, max([highest, *panels.near_limits(limits, highest)]), 0.18)
    labels = _draw_curves(axes, read, swings=metric.cumulative)
    labels += panels.draw_limits(axes, limits, highest, partial(units.on_axis, metric))
    label_ends(axes, labels)


def _draw_curves(
    axes: Axes, read: Sequence[tuple[Entry, Curve]], *, bold: bool = False, swings: bool = False
) -> list[EndLabel]:
    """Draw a curve of each run; return its name with its last figure, or the median of swings.

    Broad lines come first, so that lines that coincide all show.
    """
    labels = []
    for entry, curve in read:
        step = max(1, min(curve.time_s.size, downsample.BINS) // MARKS)
        panels.line(
            axes,
            curve,
            label=entry.name,
            color=entry.look.colour,
            ls=entry.look.dashes,
            lw=WIDEST_PT + (NARROWEST_PT - WIDEST_PT) * entry.place / max(1, entry.of - 1),
            marker=entry.look.marker,
            ms=6,
            mec="white",
            mew=0.7,
            markevery=(step * (2 * entry.place + 1) // (2 * entry.of), step),
            zorder=3 + 0.1 * entry.place,
            clip_on=False,
        )
        if not swings:
            panels.trail(axes, curve, entry.look.colour)
        figure = float(np.median(curve.read)) if swings else curve.last
        text = f"{entry.label} {units.number(figure, 3)}"
        weight = "bold" if bold or entry.verdict.verdict == "leak" else "normal"
        labels.append(EndLabel(figure, text, entry.look.ink, weight))
    return labels
