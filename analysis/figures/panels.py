"""Panels above each other on one time axis, and what is drawn in all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tidemark.analysis import units
from tidemark.analysis.figures import downsample, events, style
from tidemark.analysis.figures.curves import Curve

LEFT_IN = 0.95
RIGHT_IN = 2.3
BOTTOM_IN = 0.62
GAP_IN = 0.42
HEAD_IN = 1.22
WIDTH_IN = style.WIDTH_IN - LEFT_IN - RIGHT_IN
ROW_PT = 13.0
ROWS = 3
LETTER_IN = 0.078
FEW_READINGS = 40
TITLE_PAD_PT = 6.0
FLAT_SHARE = 0.3
SHADE = "#d9dce0"
TRAIL_SHARE = 0.02


@dataclass(frozen=True)
class Heading:
    """What stands above a panel.

    Attributes:
        title: What it shows.
        remark: What helps to read it; on the same line, in small print.
    """

    title: str
    remark: str = ""


@dataclass(frozen=True)
class Panel:
    """A panel to draw.

    Attributes:
        key: Its name, which becomes the label of its axes.
        height_in: Its height in inches.
        draw: Fills its axes, whose x range is set by then, and says what stands above them.
    """

    key: str
    height_in: float
    draw: Callable[[Axes], Heading]


@dataclass(frozen=True)
class EventName:
    """The name of an event above the top panel.

    Attributes:
        text: The name.
        place: Where it begins, as a share of the width of the axes.
        row: Its row above the axes, from 0.
        loud: Whether it must not be overlooked.
    """

    text: str
    place: float
    row: int
    loud: bool


def stack(figure: Figure, panels: Sequence[Panel], head_in: float) -> list[Axes]:
    """Add one axes per panel, from the top down, all of one width."""
    height = figure.get_figheight()
    top = height - head_in
    made = []
    for panel in panels:
        top -= panel.height_in
        box = (
            LEFT_IN / style.WIDTH_IN,
            top / height,
            WIDTH_IN / style.WIDTH_IN,
            panel.height_in / height,
        )
        made.append(figure.add_axes(box, label=panel.key))
        top -= GAP_IN
    return made


def height_of(panels: Sequence[Panel], head_in: float) -> float:
    """Return the height in inches of a figure that holds `panels`."""
    return head_in + sum(panel.height_in + GAP_IN for panel in panels) - GAP_IN + BOTTOM_IN


def share_time(axes: Sequence[Axes], span_s: tuple[float, float]) -> None:
    """Give all panels the same time axis; the lowest says what it is."""
    unit = units.time_unit(span_s[1] - span_s[0])
    for panel in axes:
        panel.set_xlim(*span_s)
        style.time_axis(panel, unit, labelled=panel is axes[-1])


def line(axes: Axes, curve: Curve, **how: object) -> None:
    """Draw a curve; readings that stand alone, and short curves, get dots.

    A dense one is drawn as its median over the range it moves in.
    """
    options: dict[str, object] = {"label": curve.name} | how
    colour = cast("str", options.get("color"))
    if curve.read.size > downsample.DENSE:
        dense = downsample.envelope(curve.time_s, curve.values)
        axes.fill_between(
            dense.time_s, dense.low, dense.high, color=colour, alpha=0.25, lw=0.6, label="_range"
        )
        axes.plot(dense.time_s, dense.middle, **options)  # type: ignore[arg-type]
        return
    times, values = downsample.series(curve.time_s, curve.values)
    if np.isfinite(values).sum() <= FEW_READINGS:
        options = {"marker": "o", "markersize": 3.5} | options
    axes.plot(times, values, **options)  # type: ignore[arg-type]
    alone = _alone(values)
    if alone.any() and "marker" not in options:
        dots(axes, times[alone], values[alone], colour)


def trail(axes: Axes, curve: Curve, colour: str) -> None:
    """Lead a hairline from the end of a curve that ended early to its name in the margin."""
    end = axes.get_xlim()[1]
    ended = float(curve.time_s[np.isfinite(curve.values)][-1]) if curve.read.size else end
    if end - ended > TRAIL_SHARE * end:
        axes.hlines(curve.last, ended, end, color=colour, lw=0.6, label="_trail", zorder=1.6)


def dots(axes: Axes, times: downsample.Floats, values: downsample.Floats, colour: str) -> None:
    """Draw readings that belong to no line."""
    axes.plot(times, values, "o", markersize=2.5, mew=0, color=colour, label="_alone", zorder=3)


def _alone(values: downsample.Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    hole = np.concatenate([[True], np.isnan(values), [True]])
    return np.asarray(~hole[1:-1] & hole[:-2] & hole[2:], dtype=np.bool_)


def headroom(axes: Axes, highest: float, share: float = 0.08) -> None:
    """Let the y axis begin at 0 and end a little above `highest`."""
    top = highest if np.isfinite(highest) and highest > 0 else 1.0
    axes.set_ylim(0, top * (1 + share))


def near(axes: Axes, lowest: float, highest: float) -> None:
    """Let the y axis show small changes of a large figure, without making noise look large.

    It begins at 0 unless the figure changes by less than a third; then it spans at least a fifth.
    """
    if not np.isfinite(highest) or highest - lowest > FLAT_SHARE * highest:
        headroom(axes, highest, 0.15)
        return
    height = max(0.2 * highest, 1.5 * (highest - lowest), 1e-9)
    bottom = max(0.0, (lowest + highest - height) / 2)
    axes.set_ylim(bottom, bottom + height)


def event_names(
    marks: Sequence[events.Mark], spans: Sequence[events.Span], span_s: tuple[float, float]
) -> list[EventName]:
    """Return where the names of events go above the top panel; what finds no room is left out."""
    named = [(not mark.loud, mark.elapsed_s, mark.text) for mark in marks if mark.text]
    named += [(True, span.start_s, span.text) for span in spans]
    taken: list[list[tuple[float, float]]] = [[] for _ in range(ROWS)]
    placed = []
    for quiet, at, text in sorted(named):
        place = (at - span_s[0]) / (span_s[1] - span_s[0])
        length = len(text) * LETTER_IN / WIDTH_IN + 0.015
        place = min(place, 1.0 + RIGHT_IN / WIDTH_IN - length)
        row = next((r for r in range(ROWS) if _free(taken[r], place, place + length)), None)
        if row is not None and place <= 1.0:
            taken[row].append((place, place + length))
            placed.append(EventName(text, place, row, not quiet))
    return placed


def _free(taken: Sequence[tuple[float, float]], start: float, end: float) -> bool:
    return all(end <= other_start or start >= other_end for other_start, other_end in taken)


def rows_of(names: Sequence[EventName]) -> int:
    """Return how many rows of names stand above the top panel."""
    return max((name.row + 1 for name in names), default=0)


def mark_events(
    axes: Sequence[Axes], marks: Sequence[events.Mark], spans: Sequence[events.Span]
) -> None:
    """Draw moments as lines and stretches as shades through all panels."""
    for panel in axes:
        for span in spans:
            panel.axvspan(
                span.start_s, span.end_s, color=SHADE, alpha=0.6, lw=0, zorder=0.5, label="_span"
            )
        for mark in marks:
            panel.axvline(
                mark.elapsed_s,
                color=style.ALARM if mark.loud else style.MUTED,
                lw=1.3 if mark.loud else 0.8,
                ls="solid" if mark.loud else (0, (1, 2)),
                zorder=1.5,
                label="_mark",
            )


def write_event_names(axes: Axes, names: Sequence[EventName]) -> None:
    """Write the names of events above the top panel."""
    for name in names:
        axes.annotate(
            name.text,
            xy=(name.place, 1.0),
            xycoords="axes fraction",
            xytext=(1, 3 + ROW_PT * name.row),
            textcoords="offset points",
            size=style.SMALL_PT,
            color=style.ALARM if name.loud else style.MUTED,
            weight="bold" if name.loud else "normal",
            annotation_clip=False,
        )


def write_heading(axes: Axes, heading: Heading, rows: int = 0) -> None:
    """Write the heading of a panel above so many rows of names."""
    pad = TITLE_PAD_PT + ROW_PT * rows
    text = axes.set_title(heading.title, pad=pad)
    figure = axes.get_figure(root=True)
    if not heading.remark or figure is None:
        return
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    width_in = text.get_window_extent(renderer).width / figure.dpi
    axes.annotate(
        heading.remark,
        xy=(0.0, 1.0),
        xycoords="axes fraction",
        xytext=(72 * width_in + 10, pad),
        textcoords="offset points",
        size=style.SMALL_PT,
        color=style.MUTED,
        va="baseline",
        annotation_clip=False,
    )
