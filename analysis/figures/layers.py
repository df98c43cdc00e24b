"""Counts by name on top of each other, those that grow in colour."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tidemark.analysis import units
from tidemark.analysis.figures import style
from tidemark.analysis.figures.curves import Curve
from tidemark.analysis.figures.events import Span
from tidemark.analysis.figures.labels import EndLabel
from tidemark.analysis.verdict.model import Floats

LAYER_LETTERS = 25
GREYS = ("#b8bcc2", "#d3d6da")


def draw_layers(
    axes: Axes, named: Sequence[Curve], layers: Sequence[Floats], holes: Sequence[Span]
) -> list[EndLabel]:
    """Draw counts on top of each other, open where nothing was sampled; return their names."""
    labels, below = [], np.zeros_like(layers[0])
    times = named[0].time_s
    at = np.array([(hole.start_s + hole.end_s) / 2 for hole in holes])
    places = np.searchsorted(times, at)
    opened = np.insert(times, places, at)
    for index, (curve, top) in enumerate(zip(named, layers, strict=True)):
        colours = style.STACK if grows(curve) else GREYS
        colour = colours[index % len(colours)]
        how: dict[str, Any] = {"color": colour, "label": curve.name, "alpha": 0.75, "lw": 0}
        low, high = (np.insert(edge, places, np.nan) for edge in (below, top))
        axes.fill_between(opened, low, high, zorder=2, **how)
        labels.append(_layer_label(curve, below, top, colour))
        below = top
    return [label for label in labels if label]


def _layer_label(curve: Curve, below: Floats, top: Floats, colour: str) -> EndLabel | None:
    if not curve.highest:
        return None
    change = curve.values[-1] - curve.values[0]
    figures = units.count(curve.last) + (f" ({change:+,.0f})" if change else "")
    text = f"{units.shortened(curve.name, max(LAYER_LETTERS - len(figures), 4))} {figures}"
    look = (style.darker(colour), "bold") if grows(curve) else (style.MUTED,)
    return EndLabel(float(below[-1] + top[-1]) / 2, text, *look)


def grows(curve: Curve) -> bool:
    """Whether there were more at the end than once the run had warmed up: after a quarter."""
    return bool(curve.values[-1] > curve.values[curve.values.size // 4])
