"""How the pictures look: colours that the colour-blind can tell apart, one font, one grid.

The colours are those of Okabe and Ito, "Color Universal Design" (2008). Each run of a comparison
has a colour, dashes and a marker of its own, so that it can be told apart in greyscale too.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, ClassVar, ParamSpec, TypeVar, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import MaxNLocator

from tidemark.analysis import units

BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"

INK = "#1a1a1a"
MUTED = "#5f6368"
FAINT = "#9aa0a6"
GRID = "#e3e5e8"
ALARM = "#B00020"
STACK = (VERMILION, BLUE, ORANGE, GREEN, PURPLE, SKY_BLUE, FAINT)

WIDTH_IN = 12.0
DPI = 150
TEXT_PT = 9.5
SMALL_PT = 8.8
TITLE_PT = range(17, 9, -1)
LONGEST_TEXT = 160
"""No text in a picture is longer."""

STRANGE = "\N{REPLACEMENT CHARACTER}"
"""Drawn in place of a character that the font does not have."""

FONT = "DejaVu Sans"
"""The font that comes with matplotlib, so that every machine draws the same picture."""

MOST_FRACTIONS = 3
"""Below so many whole steps, an axis of times is divided into fractions."""

THEME: dict[str, Any] = {
    "font.family": FONT,
    "font.size": TEXT_PT,
    "text.color": INK,
    "text.usetex": False,
    "text.parse_math": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.unicode_minus": False,
    "axes.xmargin": 0.0,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": TEXT_PT,
    "ytick.labelsize": TEXT_PT,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "path.simplify": True,
    "agg.path.chunksize": 20000,
}

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Look:
    """How a run is drawn among others.

    Attributes:
        colour: Of its lines and marks.
        dashes: matplotlib line style; distinct, for greyscale.
        marker: matplotlib marker; distinct.
    """

    colour: str
    dashes: Any
    marker: str

    @property
    def ink(self) -> str:
        """The colour, dark enough for text on white."""
        return darker(self.colour)


LOOKS = (
    Look(VERMILION, "solid", "^"),
    Look(BLUE, (0, (6, 2)), "o"),
    Look(PURPLE, (0, (1.2, 1.6)), "v"),
    Look(ORANGE, (0, (6, 2, 1.2, 2)), "s"),
    Look(GREEN, "solid", "D"),
    Look(SKY_BLUE, (0, (3, 1.5)), "h"),
    Look(BLACK, (0, (8, 2, 2, 2)), "P"),
    Look("#8A6D00", (0, (4, 1, 1, 1, 1, 1)), "<"),
    Look(FAINT, (0, (2, 2)), ">"),
)


def looks(count: int) -> list[Look]:
    """Return the looks of so many runs in the order in which they are listed."""
    return [LOOKS[place % len(LOOKS)] for place in range(count)]


def darker(colour: str, share: float = 0.72) -> str:
    """Return `colour` with each channel times `share`, as #rrggbb."""
    return "#" + "".join(f"{round(channel * share * 255):02x}" for channel in to_rgb(colour))


def themed(draw: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Make `draw` use the theme, whatever matplotlibrc the machine has."""

    @wraps(draw)
    def with_theme(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(cast("Any", THEME))
            return draw(*args, **kwargs)

    return with_theme


def new_figure(height_in: float) -> Figure:
    """Return an empty figure of the common width with its own Agg canvas."""
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


@themed
def png(figure: Figure) -> bytes:
    """Return the figure as PNG. Equal figures give equal bytes: no date, no version in it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": "tidemark"})
    return buffer.getvalue()


@cache
def _drawable() -> frozenset[int]:
    return frozenset(get_font(findfont(FONT)).get_charmap())


def drawable(text: str) -> str:
    """Return a text as the font can draw it, each line no longer than a picture is wide."""
    known = _drawable()
    lines = (units.shortened(line, LONGEST_TEXT) for line in text.split("\n"))
    return "\n".join(
        "".join(one if ord(one) in known else STRANGE for one in line) for line in lines
    )


def write(
    axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], **how: Any
) -> None:
    """Write small text so many points from a place in the data."""
    axes.annotate(
        drawable(text), at, offset, textcoords="offset points", **{"size": SMALL_PT} | how
    )


def write_above(axes: Axes, text: str, at: float, offset: tuple[float, float], **how: Any) -> None:
    """Write small text above axes, so many points from a share of their width."""
    write(axes, text, (at, 1.0), offset, xycoords="axes fraction", annotation_clip=False, **how)


def headings(figure: Figure, title: str, subtitle: str, left_in: float) -> None:
    """Write the finding at the top left, shrunk until it fits, and below it what was run.

    What does not fit at the smallest size is cut.
    """
    left, height = left_in / WIDTH_IN, figure.get_figheight()
    title = drawable(title)
    heading = figure.text(left, 1 - 0.16 / height, title, weight="bold", va="top")
    room_px = (WIDTH_IN - left_in - 0.25) * figure.dpi
    for size in TITLE_PT:
        heading.set_fontsize(size)
        if (taken_px := heading.get_window_extent().width) <= room_px:
            break
    else:
        heading.set_text(units.shortened(title, int(len(title) * room_px / taken_px)))
    below, lines = 1 - 0.54 / height, drawable(subtitle.strip())
    figure.text(left, below, lines, size=TEXT_PT, color=MUTED, va="top", linespacing=1.4)


def count_axis(axes: Axes, unit: str, *, whole: bool = True) -> None:
    """Label the y axis with its unit and few, plain figures that begin at 0."""
    _unit_label(axes, unit)
    axes.yaxis.set_major_locator(
        MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10], integer=whole, min_n_ticks=2)
    )
    axes.yaxis.set_major_formatter(lambda value, _: units.short(value))


def log_axis(axes: Axes, unit: str) -> None:
    """Make the y axis logarithmic with plain figures: 1, 10, 100."""
    axes.set_yscale("log")
    _unit_label(axes, unit)
    _plain_log(axes.yaxis)


def _plain_log(axis: Axis) -> None:
    """Give a logarithmic axis plain figures, and none between its powers."""
    axis.set_major_formatter(lambda value, _: units.number(value, 2))
    axis.set_minor_formatter("")


def _unit_label(axes: Axes, unit: str) -> None:
    """Put the unit at the same distance from every axis, so that the panels line up."""
    axes.set_ylabel(unit)
    axes.yaxis.set_label_coords(-0.6 * DPI / axes.get_window_extent().width, 0.5)


def time_axis(axes: Axes, unit: units.TimeUnit, *, labelled: bool) -> None:
    """Show times given in seconds in `unit`; only the lowest panel says so in words."""
    axes.xaxis.set_major_locator(_TimeLocator(unit))
    axes.xaxis.set_major_formatter(lambda value, _: units.number(value / unit.seconds, 4))
    axes.tick_params(axis="x", labelbottom=labelled, length=3)
    if labelled:
        axes.set_xlabel(f"time since the run began, {unit.name}")


class _TimeLocator(MaxNLocator):
    """At most ten ticks, round in the unit of the axis: every 12 hours, every 15 minutes."""

    STEPS: ClassVar = {
        "seconds": (1, 2, 5, 10, 20, 30, 60),
        "minutes": (1, 2, 5, 10, 15, 30, 60),
        "hours": (1, 2, 3, 6, 12, 24),
        "days": (1, 2, 5, 7, 14, 28, 56),
    }
    MOST = 10

    def __init__(self, unit: units.TimeUnit) -> None:
        super().__init__(nbins=self.MOST, steps=[1, 2, 5, 10])
        self._seconds = unit.seconds
        self._steps = self.STEPS[unit.name]

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """Return ticks in seconds."""
        low, high = vmin / self._seconds, vmax / self._seconds
        step = next((step for step in self._steps if high - low <= self.MOST * step), None)
        if step is None or high - low < MOST_FRACTIONS * step:
            return np.asarray(super().tick_values(low, high)) * self._seconds
        return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step * self._seconds


def plain_log_x(axes: Axes, unit: str) -> None:
    """Give a logarithmic x axis plain figures."""
    axes.set_xlabel(unit)
    _plain_log(axes.xaxis)


def few_x(axes: Axes, *, whole: bool = True) -> None:
    """Give a linear x axis few, plain figures."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10], integer=whole))
    axes.xaxis.set_major_formatter(lambda value, _: units.number(value, 3))
