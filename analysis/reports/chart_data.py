"""The charts of a report as data: what its page draws them from, small however long the run was."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tidemark.analysis import units
from tidemark.analysis.figures.charts import Chart, View
from tidemark.analysis.figures.forecast_lines import forecast_paths, has_fit
from tidemark.analysis.figures.thinning import Thin, bins_for, thinned
from tidemark.analysis.verdict.model import Floats

MOST_NUMBERS = 100_000
"""All charts of a page together hold about so many figures."""
MOST_BINS = 1500
"""More stretches of time than that are more than a wide screen has pixels for a chart."""
DIGITS = 4
"""A figure is told to so many digits of the largest one of its line."""
PATH_POINTS = 25
"""So many points of a forecast are drawn."""
GAP = 2.5
"""So many usual distances without a reading are a hole that no line leads over."""
EVEN = 1e-3
"""Times that are apart by the same, but for this share of it, are told as first and distance."""
FORMATS = {"MiB": "mib", "per second": "rate", "ms": "ms", "% of a core": "percent"}
"""By the unit of an axis, how figures are written; pieces are counted."""


def content(began_s: float | None, view: View, numbers: int = MOST_NUMBERS) -> dict[str, Any]:
    """Return what a page draws the charts of one picture from.

    Args:
        began_s: When the run began, Unix time; None where nobody knows, or of several runs.
        view: The charts.
        numbers: About how many figures they may hold.
    """
    bins = bins_for(view.charts, numbers, MOST_BINS)
    return {
        "began": began_s,
        "span": _plain(np.array(view.span_s), 3),
        "marks": [
            {"time": round(one.elapsed_s, 3), "text": one.text, "loud": one.loud}
            for one in view.marks
        ],
        "spans": [
            {"from": round(one.start_s, 3), "to": round(one.end_s, 3), "text": one.text}
            for one in view.spans
        ],
        "charts": {chart.key: _chart(chart, bins) for chart in view.charts},
    }


def _chart(chart: Chart, bins: int) -> dict[str, Any]:
    times, lines = thinned(chart, bins)
    limit = next(iter(chart.limits), None)
    said = {} if limit is None else {"limit": limit, "limitText": f"limit {_told(chart, limit)}"}
    return {
        "title": chart.title,
        "format": FORMATS.get(chart.unit, "count"),
        "isLog": chart.is_log,
        "gap": GAP,
        "note": "; ".join(chart.notes),
        "times": _times(times),
        "lines": [_line(line) for line in lines],
        **said,
        **_growth(chart),
    }


def _told(chart: Chart, limit: float) -> str:
    return units.count(limit) if chart.metric is None else units.on_axis(chart.metric, limit)


def _times(times: Floats) -> list[float] | dict[str, float]:
    """Times; those that come evenly as the first of them, their distance and their number."""
    if times.size > 2:
        step = (times[-1] - times[0]) / (times.size - 1)
        even = times[0] + step * np.arange(times.size)
        if float(np.abs(times - even).max()) <= EVEN * step:
            return {"first": round(float(times[0]), 3), "step": float(step), "count": times.size}
    return _plain(times, 3)


def _line(line: Thin) -> dict[str, Any]:
    """A line; where nothing varies within a stretch of time, only what was read there."""
    known = line.middle[np.isfinite(line.middle)]
    highest = float(np.abs(known).max()) if known.size else 0.0
    decimals = DIGITS - 1 - math.floor(math.log10(highest)) if highest > 0 else 0
    told: dict[str, Any] = {"name": line.name, "last": _plain(line.middle, decimals)}
    if line.low is not None and line.high is not None:
        low, high = _plain(line.low, decimals), _plain(line.high, decimals)
        if low != high:
            told |= {"low": low, "high": high}
    return told


def _plain(values: Floats, decimals: int) -> list[Any]:
    """Figures as JSON has them: None where nothing is known, whole ones without a point."""
    rounded = np.round(values, max(decimals, 0)).tolist()
    return [
        None if not math.isfinite(value) else int(value) if value.is_integer() else value
        for value in rounded
    ]


def _growth(chart: Chart) -> dict[str, Any]:
    """The fitted growth and the forecast with its band, where they are drawn."""
    judged, metric = chart.judged, chart.metric
    if judged is None or metric is None:
        return {}
    told: dict[str, Any] = {}
    if judged.fit is not None and has_fit(judged):
        line = judged.fit.against_elapsed_s
        ends = (line.x_from, line.x_to)
        heights = [line.at(at) * metric.axis_scale for at in ends]
        told["fit"] = _path((np.array(ends), np.array(heights)))
    paths = forecast_paths(judged, chart.clock)
    scaled = ((at, height * metric.axis_scale) for at, height in paths)
    if paths:
        told["forecast"] = dict(zip(("middle", "low", "high"), map(_path, scaled), strict=True))
    return told


def _path(path: tuple[Floats, Floats]) -> list[list[Any]]:
    """A line as its times and its heights, few of them."""
    at = np.linspace(0, path[0].size - 1, min(path[0].size, PATH_POINTS)).round().astype(int)
    return [_plain(path[0][at], 3), _plain(path[1][at], 4)]


def share_of(numbers: int, views: Sequence[View | None]) -> int:
    """How many figures each of several pictures on one page may hold."""
    return numbers // max(sum(view is not None for view in views), 1)
