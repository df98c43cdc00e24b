"""The numbers beside a chart, as rows of a small table."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from tidemark.analysis import units
from tidemark.analysis.figures.charts import Chart, View
from tidemark.analysis.figures.curves import Curve
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.model import ResourceVerdict


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        label: What it is.
        value: The figure with its unit.
        beside: Its 90 % interval, or what else belongs to it.
    """

    label: str
    value: str
    beside: str = ""


@dataclass(frozen=True, slots=True)
class ChartTable:
    """The numbers of one chart.

    Attributes:
        key: The chart that they stand beside.
        title: What the chart shows.
        caption: Whose numbers they are.
        rows: The numbers.
        verdict: What was found; None of what is not judged.
    """

    key: str
    title: str
    caption: str
    rows: tuple[Row, ...]
    verdict: str | None = None


def tables(view: View, assessment: Assessment | None) -> list[ChartTable]:
    """The numbers of each chart, in the same order.

    Args:
        view: The charts.
        assessment: What there is to say of the run; None where the charts compare several.
    """
    return [_table(chart, assessment) for chart in view.charts]


def _table(chart: Chart, assessment: Assessment | None) -> ChartTable:
    judged = chart.judged
    if judged is not None:
        caption = f"{judged.metric.title}, {judged.scope}"
        rows = tuple(_of_resource(judged))
        return ChartTable(chart.key, chart.title, caption, rows, judged.verdict)
    if assessment is None:
        rows = tuple(map(partial(_of_line, chart), chart.lines))
    elif chart.key == "requests":
        rows = tuple(_of_requests(chart, assessment))
    elif chart.key == "latency":
        latency = assessment.summary.latency
        about = "approximate" if latency.approximate else ""
        rows = (Row("Median", latency.p50, about), Row("99th percentile", latency.p99, about))
    elif chart.metric is not None and chart.metric.cumulative:
        used = assessment.summary.per_request.get(chart.metric.name)
        of = _one(chart)
        rows = (
            Row("A request", units.amount(chart.metric, used)),
            *_levels(of, f"{{}} {chart.unit}"),
        )
    else:
        rows = tuple(map(partial(_of_line, chart), chart.lines))
    return ChartTable(chart.key, chart.title, chart.title, rows)


def _of_resource(found: ResourceVerdict) -> Iterator[Row]:
    """First, last, growth, limit, and when it is reached."""
    metric = found.metric
    level = partial(units.level, metric)
    yield Row("At the start", level(found.baseline))
    yield Row("At the end", level(found.last))
    if found.per_request is not None:
        span = headline.span(metric, found.per_request_interval)
        yield Row("Growth a request", units.amount(metric, found.per_request, 3), span)
    yield Row(
        "Growth an hour",
        units.amount(metric, found.per_hour, 3),
        headline.span(metric, found.per_hour_interval),
    )
    if found.excluded_per_request is not None and found.verdict == "clean":
        excluded = units.amount(metric, found.excluded_per_request, 2)
        yield Row("Excluded a request", f"above {excluded}")
    if found.limit is not None:
        yield Row("Limit", level(found.limit))
        yield from _forecast(found)


def _forecast(found: ResourceVerdict) -> Iterator[Row]:
    if found.exhaustion_elapsed_s is None:
        yield Row("Limit reached", "not foreseen")
        return
    is_over = found.requests_to_limit == 0
    at, span = units.duration(found.exhaustion_elapsed_s), found.exhaustion_interval_s
    yield Row("Limit reached at" if is_over else "Forecast: limit at", at, headline.moments(span))
    if not is_over and found.requests_to_limit is not None:
        yield Row("Requests left", units.count(found.requests_to_limit))


def _of_requests(chart: Chart, assessment: Assessment) -> Iterator[Row]:
    summary = assessment.summary
    if summary.requests is not None and summary.failures is not None:
        yield Row("Answered", units.count(summary.requests - summary.failures))
        yield Row("Failed", units.count(summary.failures))
    yield from _levels(_one(chart), "{} a second")


def _one(chart: Chart) -> Curve | None:
    return next((line for line in chart.lines if line.read.size), None)


def _levels(line: Curve | None, told: str) -> Iterator[Row]:
    """The usual figure of a rate, and the highest."""
    if line is None:
        return
    usual = float(np.median(line.read))
    yield Row("Usually", told.format(units.number(usual, 3)), "median")
    yield Row("At most", told.format(units.number(line.highest, 3)))


def _of_line(chart: Chart, line: Curve) -> Row:
    """The last figure of a line and the first, or the usual one of a rate and the highest."""
    told = partial(_in_unit, chart)
    if chart.metric is not None and chart.metric.cumulative:
        return Row(line.name, told(float(np.median(line.read))), f"at most {told(line.highest)}")
    return Row(line.name, told(line.last), f"at the start {told(float(line.read[0]))}")


def _in_unit(chart: Chart, value: float) -> str:
    if chart.metric is None or chart.metric.cumulative:
        return f"{units.number(value, 3)} {chart.unit}"
    return units.on_axis(chart.metric, value)
