"""Panels above each other on one time axis, and what is drawn in all of them."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tidemark.analysis import units
from tidemark.analysis.figures import downsample, style
from tidemark.analysis.figures.charts import Chart
from tidemark.analysis.figures.curves import Curve
from tidemark.analysis.figures.events import Mark, Span
from tidemark.analysis.figures.labels import EndLabel
from tidemark.analysis.verdict.model import Floats

LEFT_IN = 0.95
RIGHT_IN = 2.3
BOTTOM_IN = 0.62
GAP_IN = 0.42
HEAD_IN = 1.22
WIDTH_IN = style.WIDTH_IN - LEFT_IN - RIGHT_IN
ROW_PT = 13.0
ROWS = 3
INSIDE_COLUMNS = 110
"""A text within a panel is no wider than that."""
LETTER_IN = 0.078
FEW_READINGS = 40
TITLE_PAD_PT = 6.0
FLAT_SHARE = 0.3
SHADE: dict[str, Any] = {"color": "#d9dce0", "alpha": 0.6, "lw": 0, "label": "_span", "zorder": 0.5}
LOUD: dict[str, Any] = {"color": style.ALARM, "lw": 1.3, "ls": "solid"}
BACKING: dict[str, Any] = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.0}
"""Keeps text readable where lines run behind it."""
QUIET: dict[str, Any] = {"color": style.MUTED, "lw": 0.8, "ls": (0, (1, 2))}
TRAIL_SHARE = 0.02
TRAIL: dict[str, Any] = {"lw": 0.8, "ls": (0, (1, 3)), "label": "_trail", "zorder": 1.6}
LIMIT_NEAR = 1 / 3
"""A limit is drawn once what is drawn comes to this share of it; else the data would be a line
on the axis."""

Heading = tuple[str, str]
"""What a panel shows, and what helps to read it: on the same line, in small print."""

Names = list[list[tuple[float, str, bool]]]
"""Rows of the names of events above the top panel, the lowest first: where each begins as a share
of the width of the axes, the name, and whether it must not be overlooked."""


@dataclass(frozen=True)
class Panel:
    """A panel to draw.

    Attributes:
        key: Its name, which becomes the label of its axes.
        height_in: Its height in inches.
        draw: Fills its axes, whose x range is set by then, and says what stands above them.
        chart: The same as a chart that can be zoomed draws it.
    """

    key: str
    height_in: float
    draw: Callable[[Axes], Heading]
    chart: Chart | None = None


def stack(figure: Figure, panels: Sequence[Panel], head_in: float) -> list[Axes]:
    """Add one axes per panel, from the top down, all of one width."""
    height = figure.get_figheight()
    top = height - head_in
    made = []
    for panel in panels:
        top -= panel.height_in
        left, width = LEFT_IN / style.WIDTH_IN, WIDTH_IN / style.WIDTH_IN
        box = (left, top / height, width, panel.height_in / height)
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
    options: dict[str, Any] = {"label": curve.name} | how
    colour = options["color"]
    if curve.read.size > downsample.DENSE:
        dense = downsample.envelope(curve.time_s, curve.values)
        axes.fill_between(
            dense.time_s, dense.low, dense.high, color=colour, alpha=0.25, lw=0.6, label="_range"
        )
        axes.plot(dense.time_s, dense.middle, **options)
        return
    times, values = downsample.with_gaps(curve.time_s, curve.values)
    if np.isfinite(values).sum() <= FEW_READINGS:
        options = {"marker": "o", "ms": 3.5} | options
    axes.plot(times, values, **options)
    alone = _alone(values)
    if alone.any() and "marker" not in options:
        axes.plot(
            times[alone], values[alone], "o", ms=2.5, mew=0, color=colour, label="_alone", zorder=3
        )


def trail(axes: Axes, curve: Curve, colour: str) -> None:
    """Lead dots from the end of a curve that ended early to its name in the margin."""
    end = axes.get_xlim()[1]
    ended = float(curve.time_s[np.isfinite(curve.values)][-1]) if curve.read.size else end
    if end - ended > TRAIL_SHARE * end:
        axes.hlines(curve.last, ended, end, color=colour, **TRAIL)


def _alone(values: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    hole = np.concatenate([[True], np.isnan(values), [True]])
    return np.asarray(~hole[1:-1] & hole[:-2] & hole[2:], dtype=np.bool_)


def near_limits(limits: Sequence[float], reached: float) -> list[float]:
    """Return the limits that are in sight of the highest figure that is drawn."""
    return [limit for limit in limits if reached >= LIMIT_NEAR * limit]


def draw_limits(
    axes: Axes, limits: Sequence[float], reached: float, told: Callable[[float], str]
) -> list[EndLabel]:
    """Draw the limits that are in sight; say of the others that they are above the chart.

    Args:
        axes: The panel; its y range must hold the limits that are in sight.
        limits: In the unit of the axis.
        reached: The highest figure that is drawn, in the same unit.
        told: Writes a limit with its unit.

    Returns:
        Labels for those that were drawn.
    """
    near = near_limits(limits, reached)
    for limit in near:
        axes.axhline(limit, color=style.INK, lw=1.4, ls=(0, (6, 3)), label="limit", zorder=2.5)
    far = [told(limit) for limit in limits if limit not in near]
    if far:
        text = f"↑ limit {' and '.join(far)}, above the chart"
        how = {"va": "top", "color": style.MUTED, "bbox": BACKING, "zorder": 6}
        style.write_above(axes, text, 0.0, (5, -2), **how)
    return [EndLabel(limit, f"limit {told(limit)}", style.INK, "bold") for limit in near]


def write_inside(axes: Axes, text: str) -> None:
    """Write a text at the top left of a panel, where growth has not come yet, below others."""
    below = -2 - ROW_PT * len(axes.texts)
    how = {"va": "top", "color": style.INK, "weight": "bold", "bbox": BACKING, "zorder": 6}
    for number, part in enumerate(textwrap.wrap(text, INSIDE_COLUMNS)):
        style.write_above(axes, part, 0.0, (5, below - ROW_PT * number), **how)


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


def event_names(marks: Sequence[Mark], spans: Sequence[Span], span_s: tuple[float, float]) -> Names:
    """Return where the names of events go above the top panel; what finds no room is left out."""
    named = [(not mark.loud, mark.elapsed_s, mark.text) for mark in marks if mark.text]
    named += [(True, span.start_s, span.text) for span in spans if span.text]
    rows: Names = [[] for _ in range(ROWS)]
    for quiet, at, text in sorted(named):
        place = (at - span_s[0]) / (span_s[1] - span_s[0])
        place = min(place, 1.0 + RIGHT_IN / WIDTH_IN - _length(text))
        row = next((row for row in rows if _free(row, place, text)), None)
        if row is not None and place <= 1.0:
            row.append((place, text, not quiet))
    return [row for row in rows if row]


def _length(name: str) -> float:
    """Return what a name takes of the width of the axes."""
    return len(name) * LETTER_IN / WIDTH_IN + 0.015


def _free(row: Sequence[tuple[float, str, bool]], place: float, name: str) -> bool:
    end = place + _length(name)
    return all(end <= start or place >= start + _length(other) for start, other, _ in row)


def mark_events(
    axes: Sequence[Axes], marks: Sequence[Mark], spans: Sequence[Span], names: Names
) -> None:
    """Draw moments as lines and stretches as shades through all panels, their names on top."""
    for panel in axes:
        for span in spans:
            panel.axvspan(span.start_s, span.end_s, **SHADE)
        for mark in marks:
            look = LOUD if mark.loud else QUIET
            panel.axvline(mark.elapsed_s, zorder=1.5, label="_mark", **look)
    for place, row in enumerate(names if axes else []):
        for start, text, loud in row:
            how = {"color": style.ALARM, "weight": "bold"} if loud else {"color": style.MUTED}
            style.write_above(axes[0], text, start, (1, 3 + ROW_PT * place), **how)


def write_heading(axes: Axes, heading: Heading, rows: int = 0) -> None:
    """Write the heading of a panel above so many rows of names."""
    (title, remark), pad = heading, TITLE_PAD_PT + ROW_PT * rows
    text = axes.set_title(style.drawable(title), pad=pad)
    if remark:
        beside = 72 * text.get_window_extent().width / style.DPI + 10
        style.write_above(axes, remark, 0.0, (beside, pad), color=style.MUTED, va="baseline")
