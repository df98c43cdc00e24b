"""What the load generator saw, as panels: requests a second, and how long they took."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from tidemark.analysis import units
from tidemark.analysis.figures import curves, downsample, panels, style
from tidemark.analysis.figures.charts import Chart
from tidemark.analysis.figures.curves import Curve
from tidemark.analysis.figures.labels import EndLabel, label_ends
from tidemark.analysis.figures.panels import Heading, Panel
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.latency import DOUBTED, doubted, overall_latency
from tidemark.analysis.verdict.model import Floats

LOG_RANGE = 30.0
RATE_BINS = 160
DENSE_POINTS = 1600
PERCENTILES = (("p99", "p99"), ("p50", "median"))
"""Columns of requests.csv without their unit, and what they are called."""


def counted(run: Run) -> bool:
    """Whether requests were sent, and counted over some time."""
    known = run.counts
    if not len(known):
        return False
    last = known.iloc[-1]
    return bool(last["requests"] > 0 and last["elapsed_s"] > known["elapsed_s"].iloc[0])


def timed(run: Run) -> bool:
    """Whether any response time is known."""
    columns = run.requests[["p50_ms", "p99_ms"]]
    return bool(columns.notna().to_numpy().any())


def load_panels(run: Run) -> list[Panel]:
    """The panels of what was recorded of the load."""
    found = []
    if counted(run):
        found.append(
            Panel("requests", 1.25, lambda axes: draw_requests(axes, run), _requests_chart(run))
        )
    if timed(run):
        found.append(
            Panel("latency", 1.35, lambda axes: draw_latency(axes, run), _latency_chart(run))
        )
    return found


def _requests_chart(run: Run) -> Chart:
    times, finished, failed = run.counts.to_numpy(dtype=float).T
    lines = [Curve("answered", times, finished - failed)]
    lines += [Curve("failed", times, failed)] if failed[-1] > 0 else []
    fine = (curves.rate_of(line, curves.FINE_BINS) for line in lines)
    return Chart("requests", "Requests", "per second", tuple(fine))


def _latency_chart(run: Run) -> Chart:
    times = run.requests["elapsed_s"].to_numpy(dtype=float)
    each = ((name, run.requests[f"{column}_ms"]) for column, name in PERCENTILES)
    lines = [Curve(name, times, values.to_numpy(dtype=float)) for name, values in each]
    lines = [line for line in lines if line.read.size]
    is_log = _is_wide(np.concatenate([line.read for line in lines]))
    notes = ["of each tick"]
    notes += ["where it is doubtful, the load generator was late itself"] * bool(
        overall_latency(run).warning
    )
    return Chart("latency", "Response time", "ms", tuple(lines), notes=tuple(notes), is_log=is_log)


def draw_requests(axes: Axes, run: Run) -> Heading:
    """Draw requests answered and failed, per second."""
    style.count_axis(axes, "per second", whole=False)
    times, finished, failed = run.counts.to_numpy(dtype=float).T
    edges, answered_rate = downsample.rate(times, finished - failed, RATE_BINS)
    _, failed_rate = downsample.rate(times, failed, RATE_BINS)
    panels.headroom(axes, float(np.nan_to_num([answered_rate, failed_rate]).max()), 0.1)
    axes.stairs(answered_rate, edges, color=style.SKY_BLUE, label="answered", fill=True, lw=0)
    labels = [_requests_label("answered", finished[-1] - failed[-1], answered_rate, style.BLUE)]
    if failed[-1] > 0:
        red = style.ALARM
        axes.stairs(failed_rate, edges, color=red, label="failed", fill=True, lw=0, zorder=3)
        labels.append(_requests_label("failed", failed[-1], failed_rate, style.ALARM))
    label_ends(axes, labels)
    return "Requests", ""


def _requests_label(text: str, count: float, rates: Floats, colour: str) -> EndLabel:
    known = rates[np.isfinite(rates)]
    height = float(known[-1]) if known.size else 0.0
    return EndLabel(height, f"{units.count(count)} {text}", style.darker(colour), "bold")


def draw_latency(axes: Axes, run: Run) -> Heading:
    """Draw median and 99th percentile of each tick, and tell those of the whole run."""
    times = run.requests["elapsed_s"].to_numpy(dtype=float)
    labels, seen, overall, any_doubted = [], [], overall_latency(run), False
    for percentile, name, colour, text in (
        ("p99", "p99", style.ORANGE, f"p99 {overall.p99}"),
        ("p50", "median", style.BLUE, f"median {overall.p50}"),
    ):
        values, late = (
            run.requests[f"{prefix}{percentile}_ms"].to_numpy(dtype=float)
            for prefix in ("", "late_")
        )
        curve = Curve(name, times, values)
        if not curve.read.size:
            continue
        is_doubted = doubted(values, late)
        _draw_points(axes, curve, colour, is_doubted)
        any_doubted |= bool(is_doubted.any())
        whole = getattr(overall, f"{percentile}_ms")
        height = float(np.median(curve.read)) if whole is None else whole
        labels.append(EndLabel(height, text, style.darker(colour), "bold"))
        seen.append(curve.read)
    _latency_scale(axes, np.concatenate(seen))
    label_ends(axes, labels)
    dense = any(readings.size > DENSE_POINTS for readings in seen)
    told = ["line and shade: median and range of the ticks" if dense else "dots: each tick"]
    told.append(f"figures: the whole run{', approximate' if overall.approximate else ''}")
    marks = ["hollow"] if any_doubted and not dense else []
    marks += [DOUBTED.strip()] if overall.warning else []
    if marks:
        told.append(f"{' and '.join(marks)}: the load generator was late itself")
    return "Response time", "; ".join(told)


def _draw_points(axes: Axes, curve: Curve, colour: str, is_doubted: NDArray[np.bool_]) -> None:
    if curve.read.size > DENSE_POINTS:
        panels.line(axes, curve, color=colour, lw=1.4, zorder=3)
        return
    how: dict[str, Any] = {"color": colour, "alpha": 0.85, "zorder": 3}
    size = 2.8 if curve.read.size < DENSE_POINTS / 4 else 1.8
    trusted, late = (np.where(which, curve.values, np.nan) for which in (~is_doubted, is_doubted))
    axes.plot(curve.time_s, trusted, "o", ms=size, mew=0, label=curve.name, **how)
    if is_doubted.any():
        hollow: dict[str, Any] = {"mfc": "white", "mew": 0.7, "label": f"{curve.name}, late"}
        axes.plot(curve.time_s, late, "o", ms=size, **hollow, **how)


def _is_wide(seen: Floats) -> bool:
    """Whether response times differ by so much that a logarithmic axis is needed."""
    positive = seen[seen > 0]
    return bool(positive.size and positive.max() > LOG_RANGE * positive.min())


def _latency_scale(axes: Axes, seen: Floats) -> None:
    positive = seen[seen > 0]
    if _is_wide(seen):
        style.log_axis(axes, "ms (log)")
        axes.set_ylim(positive.min() / 1.5, positive.max() * 1.6)
        return
    style.count_axis(axes, "ms", whole=False)
    panels.headroom(axes, float(seen.max()) if math.isfinite(seen.max()) else 1.0)
