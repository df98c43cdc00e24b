"""The picture of a comparison: every strategy over the same axes, in its own fixed look."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tidemark.analysis import units
from tidemark.analysis.figures import curves, downsample, entries, panels, style
from tidemark.analysis.figures.comparison_rows import draw_latency, draw_requests, draw_used
from tidemark.analysis.figures.curves import Curve
from tidemark.analysis.figures.entries import Entry
from tidemark.analysis.figures.labels import EndLabel, label_ends
from tidemark.analysis.figures.panels import Heading
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.model import ResourceVerdict
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
LIMIT_WORTH_SHOWING = 60.0
WIDEST_PT = 3.6
NARROWEST_PT = 1.4
MARKS = 9


@dataclass(frozen=True)
class Facet:
    """A small panel of the comparison.

    Attributes:
        key: Its name, which becomes the label of its axes.
        title: What it shows.
        unit: Unit of the y axis.
        curve: Reads its series from a run.
        whole: Whether the figures are whole numbers.
        remark: What helps to read it.
        swings: Whether its figure is the median; if not, it is the last one.
    """

    key: str
    title: str
    unit: str
    curve: Callable[[Run], Curve]
    whole: bool = True
    remark: str = ""
    swings: bool = False


def _state(name: str, remark: str = "") -> Facet:
    title, noun = f"{metric('connections').title}, {name.upper()}", metric("connections").axis
    return Facet(name, title, noun, lambda run: curves.tcp_state(run.samples, name), remark=remark)


def _facet(one: Metric) -> Facet:
    title, whole = f"{one.title}, all processes", one.unit == "count"
    return Facet(
        one.name,
        title,
        one.axis,
        lambda run: curves.of_metric(run.samples, one),
        whole,
        swings=one.cumulative,
    )


FACETS = (
    _state("established"),
    _state("time_wait", "closed, kept a minute by the kernel"),
    *(_facet(one) for one in METRICS if one.drawn in {"names", "total", "rate"}),
)


@style.themed
def draw_comparison(assessed: Sequence[Assessment]) -> Figure:
    """Draw several runs over each other.

    Descriptors on top with the limit and each EMFILE; below them a panel per metric, what each
    request uses up, response times and requests. A panel for which no run has figures is left out.

    Args:
        assessed: The runs, in the order in which they are listed.

    Returns:
        A figure 12 inches wide with one axes per panel, labelled with the panel's name.
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
    head_in = HEAD_IN + 0.19 * subtitle.count("\n") + panels.rows_of(names) * panels.ROW_PT / 72
    rows_in = (len(cells) + 1) // 2 * (ROW_IN + ROW_GAP_IN)
    figure = style.new_figure(head_in + TOP_IN + TOP_GAP_IN + rows_in - ROW_GAP_IN + BOTTOM_IN)
    style.headings(figure, entries.headline(shown), subtitle, LEFT_IN)
    top = _add(figure, "fds", (LEFT_IN, head_in), (width, TOP_IN))
    _draw_fds(top, shown, span_s, rows=panels.rows_of(names))
    panels.write_event_names(top, names)
    moments = [top]
    for place, cell in enumerate(cells):
        down = head_in + TOP_IN + TOP_GAP_IN + (place // 2) * (ROW_IN + ROW_GAP_IN)
        left = LEFT_IN + (place % 2) * PITCH_IN
        if cell.timed:
            axes = _add(figure, cell.key, (left, down), (COLUMN_IN, ROW_IN))
            moments.append(axes)
        else:
            size = (BARS_IN - NAMES_IN, ROW_IN)
            axes = _add(figure, cell.key, (left + NAMES_IN, down), size)
        cell.draw(axes, not any(later.timed for later in cells[place + 2 :: 2]))
    panels.mark_events(moments, marks, spans)
    return figure


@dataclass(frozen=True)
class Cell:
    """A small panel in its place.

    Attributes:
        key: Its name, which becomes the label of its axes.
        timed: Whether it has the time axis; if not, it has a row per run.
        draw: Fills its axes; is told whether it is the lowest with a time axis in its column.
    """

    key: str
    timed: bool
    draw: Callable[[Axes, bool], None]


def _add(figure: Figure, key: str, at: tuple[float, float], size: tuple[float, float]) -> Axes:
    """Add axes of a size in inches, so many inches from the left and from the top."""
    high, wide = figure.get_figheight(), style.WIDTH_IN
    box = (at[0] / wide, 1 - (at[1] + size[1]) / high, size[0] / wide, size[1] / high)
    return figure.add_axes(box, label=key)


def _timed_cells(shown: Sequence[Entry], span_s: tuple[float, float]) -> list[Cell]:
    found = []
    for facet in FACETS:
        every = [(entry, facet.curve(entry.run)) for entry in shown]
        read = [(entry, curve) for entry, curve in every if curve.read.size]
        if any(curve.highest > 0 for _, curve in read):
            found.append(Cell(facet.key, True, _facet_drawer(facet, read, span_s)))
    return found


def _used_cells(shown: Sequence[Entry]) -> list[Cell]:
    return [
        Cell(f"{one.name}_per_request", False, _used_drawer(one, shown))
        for one in USED
        if any(entry.row.per_request.get(one.name) for entry in shown)
    ]


def _listed_cells(shown: Sequence[Entry]) -> list[Cell]:
    found = []
    if any(entry.times_ms for entry in shown):
        found.append(Cell("latency", False, lambda axes, _: draw_latency(axes, shown)))
    if any(entry.row.requests for entry in shown):
        found.append(Cell("requests", False, lambda axes, _: draw_requests(axes, shown)))
    return found


def _used_drawer(one: Metric, shown: Sequence[Entry]) -> Callable[[Axes, bool], None]:
    return lambda axes, _: draw_used(axes, one, shown)


def _facet_drawer(
    facet: Facet, read: Sequence[tuple[Entry, Curve]], span_s: tuple[float, float]
) -> Callable[[Axes, bool], None]:
    return lambda axes, lowest: _draw_facet(axes, facet, read, span_s, lowest=lowest)


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
    lines = ["   ·   ".join(part for part in parts if part)]
    warning = unlike([entry.run for entry in shown])
    if warning:
        lines += textwrap.wrap(warning, WARNING_COLUMNS, max_lines=3, placeholder=" …")
    return "\n".join(lines)


def _common(values: Sequence[object]) -> float | None:
    """Return the figure that all runs have; None where they differ or one has none."""
    first = values[0]
    if isinstance(first, bool) or not isinstance(first, int | float):
        return None
    return float(first) if all(value == first for value in values) else None


def _draw_fds(
    axes: Axes, shown: Sequence[Entry], span_s: tuple[float, float], *, rows: int
) -> None:
    read = [(entry, _fds_curve(entry)) for entry in shown]
    there = [(entry, curve) for entry, curve in read if curve is not None]
    panels.share_time([axes], span_s)
    style.count_axis(axes, "descriptors")
    panels.write_heading(axes, Heading("File descriptors of the process that holds most"), rows)
    highest = max([curve.highest for _, curve in there], default=1.0)
    limits = sorted({limit for entry in shown if (limit := _limit(entry))})
    near = [limit for limit in limits if limit <= LIMIT_WORTH_SHOWING * highest]
    panels.headroom(axes, max([highest, *near]), 0.12)
    for limit in near:
        axes.axhline(limit, color=style.INK, lw=1.4, ls=(0, (6, 3)), label="limit", zorder=2.5)
    labels = _draw_curves(axes, there, bold=True)
    labels += [EndLabel(at, f"limit {units.count(at)}", style.INK, "bold") for at in near]
    label_ends(axes, labels, style.TEXT_PT)
    for entry, curve in there:
        _mark_death(axes, entry, curve, span_s)


def _fds_curve(entry: Entry) -> Curve | None:
    found = curves.processes(entry.run.samples, "fds")
    judged = entry.verdict.resources.get("fds")
    chosen = [t for t in found if judged and judged.pid == t.pid]
    return chosen[0] if chosen else max(found, key=lambda curve: curve.highest, default=None)


def _limit(entry: Entry) -> float | None:
    found: ResourceVerdict | None = entry.verdict.resources.get("fds")
    return found.limit if found else None


def _mark_death(axes: Axes, entry: Entry, curve: Curve, span_s: tuple[float, float]) -> None:
    """Mark the first EMFILE of a run and say beside it what it means."""
    event = entry.run.first(Emfile)
    if event is None:
        return
    colour, height = entry.look.colour, _limit(entry) or curve.highest
    axes.plot(
        event.elapsed_s,
        height,
        marker="X",
        markersize=11,
        markeredgecolor="white",
        color=colour,
        label="EMFILE",
        zorder=7,
    )
    axes.axvline(event.elapsed_s, color=colour, lw=1.2, ls=(0, (1, 2)), zorder=1.5)
    left = event.elapsed_s > 0.6 * span_s[1]
    text = f"EMFILE at {units.duration(event.elapsed_s)}"
    dead = entry.verdict.exhausted
    if dead is not None and dead.requests is not None:
        text += f"\nafter {units.count(dead.requests)} requests"
    axes.annotate(
        text,
        xy=(event.elapsed_s, height),
        xytext=(-9 if left else 9, -9),
        textcoords="offset points",
        size=style.TEXT_PT,
        weight="bold",
        color=entry.look.ink,
        ha="right" if left else "left",
        va="top",
        linespacing=1.3,
        zorder=7,
    )


def _draw_facet(
    axes: Axes,
    facet: Facet,
    read: Sequence[tuple[Entry, Curve]],
    span_s: tuple[float, float],
    *,
    lowest: bool,
) -> None:
    panels.share_time([axes], span_s)
    style.count_axis(axes, facet.unit, whole=facet.whole)
    panels.write_heading(axes, Heading(facet.title, facet.remark))
    if not lowest:
        axes.set_xlabel("")
    panels.headroom(axes, max(curve.highest for _, curve in read), 0.12)
    label_ends(axes, _draw_curves(axes, read, swings=facet.swings))


def _draw_curves(
    axes: Axes, read: Sequence[tuple[Entry, Curve]], *, bold: bool = False, swings: bool = False
) -> list[EndLabel]:
    labels = []
    for entry, curve in read:
        _draw_curve(axes, entry, curve)
        if not swings:
            panels.trail(axes, curve, entry.look.colour)
        figure = float(np.median(curve.read)) if swings else curve.last
        text = f"{entry.label} {units.number(figure, 3)}"
        weight = "bold" if bold or entry.verdict.verdict == "leak" else "normal"
        labels.append(EndLabel(figure, text, entry.look.ink, weight))
    return labels


def _width_pt(entry: Entry) -> float:
    """Return the width of its lines: broad ones first, so that lines that coincide all show."""
    share = entry.place / max(1, entry.of - 1)
    return WIDEST_PT + (NARROWEST_PT - WIDEST_PT) * share


def _draw_curve(axes: Axes, entry: Entry, curve: Curve) -> None:
    count = min(curve.time_s.size, downsample.BINS)
    step = max(1, count // MARKS)
    panels.line(
        axes,
        curve,
        label=entry.name,
        color=entry.look.colour,
        ls=entry.look.dashes,
        lw=_width_pt(entry),
        marker=entry.look.marker,
        markersize=6,
        markeredgecolor="white",
        markeredgewidth=0.7,
        markevery=(step * (2 * entry.place + 1) // (2 * entry.of), step),
        zorder=3 + 0.1 * entry.place,
        clip_on=False,
    )
