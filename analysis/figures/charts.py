"""What a picture shows, as charts that can be zoomed draw it: the same series, not yet thinned."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from tidemark.analysis.figures.curves import Curve
from tidemark.analysis.figures.events import Mark, Span
from tidemark.analysis.figures.forecast_lines import Clock
from tidemark.analysis.verdict.model import Floats, ResourceVerdict
from tidemark.record.metrics import Metric


@dataclass(frozen=True, eq=False)
class Band:
    """What many curves lie within.

    Attributes:
        name: How many they are.
        time_s: Seconds since the run began, shape (n,).
        low: The lowest of them, NaN where there is none, shape (n,).
        high: The highest of them.
    """

    name: str
    time_s: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Chart:
    """What one panel shows.

    Attributes:
        key: The name of the panel.
        title: What stands above it.
        unit: That of its axis: "descriptors", "MiB", "per second", "ms", "% of a core".
        lines: Its curves, in the unit of the axis.
        bands: What others lie within.
        metric: What it shows; None of requests and response times.
        judged: What was found on it: limit, fit and forecast.
        clock: When requests were answered, for a forecast that was made in requests.
        limits: The limits that there are, in the unit of the axis.
        notes: What helps to read it.
        is_log: Whether the axis is logarithmic.
    """

    key: str
    title: str
    unit: str
    lines: tuple[Curve, ...]
    bands: tuple[Band, ...] = ()
    metric: Metric | None = None
    judged: ResourceVerdict | None = None
    clock: Clock | None = None
    limits: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    is_log: bool = False


@dataclass(frozen=True, eq=False)
class View:
    """The charts of a picture, on one time axis.

    Attributes:
        charts: From the top down.
        span_s: What the time axis shows, seconds since the run began.
        marks: Moments that are marked in all of them.
        spans: Stretches that are shaded in all of them.
    """

    charts: tuple[Chart, ...]
    span_s: tuple[float, float]
    marks: tuple[Mark, ...] = ()
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, and what it shows; there is no view of what has no time axis."""

    figure: Figure
    view: View | None


def view_of(
    charts: Iterable[Chart | None],
    span_s: tuple[float, float],
    marks: Sequence[Mark],
    spans: Sequence[Span],
) -> View:
    """The charts that there are."""
    known = tuple(chart for chart in charts if chart is not None)
    return View(known, span_s, tuple(marks), tuple(spans))
