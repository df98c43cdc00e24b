"""Names beside the lines they belong to, moved apart where lines run together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from scipy.optimize import isotonic_regression

from tidemark.analysis.figures import style

LINE_SPACING = 1.3
MOVED_PT = 2.0
BESIDE_PT = 13.0
BEYOND_LINES = 0.4
"""Labels may stand this share of a line beyond either end of the axes."""
LEADER = {
    "arrowstyle": "-",
    "color": style.FAINT,
    "lw": 0.7,
    "shrinkA": 1.5,
    "shrinkB": 0,
    "relpos": (0.0, 0.5),
}


@dataclass(frozen=True)
class EndLabel:
    """A name for a line.

    Attributes:
        y: Height of the end of the line, in data.
        text: What it is, with its last figure.
        colour: Of the text.
        weight: "bold" for what the panel is about.
    """

    y: float
    text: str
    colour: str
    weight: str = "normal"


def spread(wanted: Sequence[float], room: tuple[float, float], distance: float) -> list[float]:
    """Return places as near to `wanted` as can be, `distance` apart, inside `room` if they fit.

    Groups that touch move as one about their mean (pool adjacent violators), so that the order
    is kept. More than the room holds is squeezed evenly.

    Args:
        wanted: Places in any order.
        room: Lowest and highest place allowed.
        distance: Least distance between two places.
    """
    if not wanted:
        return []
    low, high = room
    distance = min(distance, (high - low) / max(1, len(wanted) - 1))
    order = np.argsort(wanted, kind="stable")
    clipped = np.clip(np.asarray(wanted, dtype=float)[order], low, high)
    # Without the distances, "apart" becomes "not decreasing", which isotonic regression solves.
    offsets = distance * np.arange(len(wanted))
    placed = isotonic_regression(clipped - offsets).x
    placed = np.clip(placed, low, high - offsets[-1]) + offsets
    result = np.empty(len(wanted))
    result[order] = placed
    return [float(place) for place in result]


def label_ends(axes: Axes, labels: Sequence[EndLabel], size_pt: float = style.SMALL_PT) -> None:
    """Write `labels` in the margin right of `axes`, with a hairline to a line they moved from.

    The limits of the axes must be final.
    """
    box, pixel_per_pt = axes.get_window_extent(), style.DPI / 72
    ends = [axes.transData.transform((0.0, label.y))[1] for label in labels]
    line_px = size_pt * LINE_SPACING * pixel_per_pt
    room = (box.y0 - BEYOND_LINES * line_px, box.y1 + BEYOND_LINES * line_px)
    places = spread(ends, room, line_px)
    for label, end, place in zip(labels, ends, places, strict=True):
        anchor = (np.clip(end, box.y0, box.y1) - box.y0) / box.height
        moved = abs(place - end) > MOVED_PT * pixel_per_pt
        style.write(
            axes,
            label.text,
            (1.002, anchor),
            (BESIDE_PT, (place - (box.y0 + anchor * box.height)) / pixel_per_pt),
            xycoords="axes fraction",
            annotation_clip=False,
            color=label.colour,
            weight=label.weight,
            size=size_pt,
            va="center",
            arrowprops=LEADER if moved else None,
        )
