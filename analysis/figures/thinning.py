"""The lines of a chart over common times, so few that a page of them stays small."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tidemark.analysis.figures import downsample
from tidemark.analysis.figures.charts import Band, Chart
from tidemark.analysis.figures.curves import Curve
from tidemark.analysis.verdict.model import Floats

RAW = 1.5
"""Up to so many times as many readings as there would be stretches of time, each is drawn."""


@dataclass(frozen=True, eq=False)
class Thin:
    """One line over the times of its chart; NaN is no reading.

    Attributes:
        name: What it is called.
        middle: The readings, or the median of those in each stretch of time.
        low: The lowest reading of each stretch; None where each reading is drawn.
        high: The highest one.
    """

    name: str
    middle: Floats
    low: Floats | None = None
    high: Floats | None = None


def thinned(chart: Chart, most: int) -> tuple[Floats, list[Thin]]:
    """Return the times of a chart, and its lines over them.

    Where there are no more readings than can be drawn they are as they were recorded; else the
    lowest, the median and the highest of each of `most` equal stretches of time.
    """
    lines = [line for line in chart.lines if line.read.size]
    if not lines and not chart.bands:
        return np.empty(0), []
    times = [_read_at(line) for line in lines] + [band.time_s for band in chart.bands]
    longest = max(at.size for at in times)
    together = np.unique(np.concatenate(times)) if longest <= RAW * most else np.empty(0)
    if 0 < together.size <= RAW * most:
        each = [Thin(one.name, _onto(together, one.time_s, one.values)) for one in lines]
        return together, each + [_raw_band(together, band) for band in chart.bands]
    first, last = min(float(at[0]) for at in times), max(float(at[-1]) for at in times)
    edges = np.linspace(first, last, most + 1)
    thin = [_binned(line, edges) for line in lines]
    thin += [_binned_band(band, edges) for band in chart.bands]
    return (edges[:-1] + edges[1:]) / 2, thin


def _read_at(line: Curve) -> Floats:
    return np.asarray(line.time_s[np.isfinite(line.values)])


def _onto(times: Floats, at: Floats, values: Floats) -> Floats:
    """Readings at their places among other times."""
    found = np.full(times.size, math.nan)
    read = np.isfinite(values)
    found[np.searchsorted(times, at[read])] = values[read]
    return found


def _raw_band(times: Floats, band: Band) -> Thin:
    low, high = (_onto(times, band.time_s, edge) for edge in (band.low, band.high))
    return Thin(band.name, (low + high) / 2, low, high)


def _binned(line: Curve, edges: Floats) -> Thin:
    found = downsample.binned(line.time_s, line.values, edges)
    return Thin(line.name, found.middle, found.low, found.high)


def _binned_band(band: Band, edges: Floats) -> Thin:
    low = downsample.binned(band.time_s, band.low, edges).low
    high = downsample.binned(band.time_s, band.high, edges).high
    return Thin(band.name, (low + high) / 2, low, high)


def bins_for(charts: Sequence[Chart], numbers: int, most: int) -> int:
    """Return how many stretches of time each line can have, with so many numbers in all."""
    lines = sum(len(chart.lines) + len(chart.bands) for chart in charts)
    return int(min(most, max(numbers // (3 * max(lines, 1)), 100)))
