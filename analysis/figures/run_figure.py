"""The picture of one run: what its processes held, on one time axis, and where that leads."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tidemark.analysis import units
from tidemark.analysis.figures import curves, events, panels, style
from tidemark.analysis.figures.charts import Chart, Picture
from tidemark.analysis.figures.curves import Curve
from tidemark.analysis.figures.forecast_lines import (
    clock_of,
    draw_fit,
    draw_forecast,
    growth_notes,
    horizon_s,
    reached,
)
from tidemark.analysis.figures.frame import because_lines, draw_stack, subtitle
from tidemark.analysis.figures.labels import EndLabel, label_ends
from tidemark.analysis.figures.layers import draw_layers
from tidemark.analysis.figures.load_panels import load_panels
from tidemark.analysis.figures.panels import Heading, Panel
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.headline import leading
from tidemark.analysis.verdict.model import ResourceVerdict, Verdict
from tidemark.analysis.verdict.route_words import note
from tidemark.analysis.verdict.summary import use_per_request
from tidemark.record.metrics import METRICS, Drawing, Metric

MANY_PROCESSES = 6
MOST_PROCESSES = 8
"""So many have a line in a chart; the table of the resource tells of all of them."""
PROCESS_LETTERS = 13
STATE_LOOKS = {
    "ESTABLISHED": (style.BLUE, "solid"),
    "TIME_WAIT": (style.FAINT, (0, (5, 2))),
    "CLOSE_WAIT": (style.VERMILION, "solid"),
    "SYN_SENT": (style.PURPLE, (0, (2, 1.5))),
    "FIN_WAIT1": (style.GREEN, (0, (4, 1.5))),
    "FIN_WAIT2": (style.SKY_BLUE, (0, (4, 1.5))),
    "LAST_ACK": (style.ORANGE, (0, (4, 1.5))),
    "CLOSING": (style.BLACK, (0, (2, 1.5))),
}
TIME_WAIT_NOTE = (
    "TIME_WAIT: closed already, kept a minute by the kernel; these come and go, they are not a leak"
)
HEIGHTS_IN: dict[Drawing, float] = {
    "processes": 2.7,
    "states": 1.75,
    "names": 1.6,
    "total": 1.35,
    "rate": 1.1,
}
Judged = Mapping[str, ResourceVerdict]


def draw_run(assessment: Assessment) -> Figure:
    """The picture of a run alone."""
    return depict_run(assessment).figure


@style.themed
def depict_run(assessment: Assessment) -> Picture:
    """Draw a run on one time axis: a panel per metric, then requests and response times.

    A panel whose figures were not recorded is left out. What was not read is a hole in its line.

    Args:
        assessment: What there is to say of it; its fits, forecast and limits are drawn.

    Returns:
        A figure 12 inches wide with one axes per panel, labelled with the panel's name; and what
        it shows.
    """
    run, judged = assessment.run, _judged(assessment.verdict)
    chosen = _panels(run, judged)
    span_s = (0.0, _end_s(run, judged))
    marks, spans = events.marks(run.events), events.spans(run)
    marks += [mark for _, mark in events.fault_marks(run)]
    if span_s[1] > run.duration_s * 1.001:
        marks.append(events.Mark(run.duration_s, "end of the run", loud=False))
    below = [*because_lines(assessment), subtitle(run)]
    return draw_stack(chosen, (assessment.headline, below), span_s, marks, spans)


def _judged(verdict: Verdict) -> dict[str, ResourceVerdict]:
    """What was found, with the forecast of the resource that the verdict is about alone."""
    lead = leading(verdict)
    return {
        name: found if found is lead else replace(found, forecast=None, forecast_check=None)
        for name, found in verdict.resources.items()
    }


def _panels(run: Run, judged: Judged) -> list[Panel]:
    found = [_panel(metric, run, judged.get(metric.name)) for metric in METRICS]
    return [panel for panel in found if panel is not None] + load_panels(run)


def _panel(metric: Metric, run: Run, judged: ResourceVerdict | None) -> Panel | None:
    """The panel of a metric; None where there is nothing to draw."""
    if metric.drawn is None:
        return None
    drawn = _DRAWERS[metric.drawn](metric, run, judged)
    return None if drawn is None else Panel(metric.name, HEIGHTS_IN[metric.drawn], *drawn)


def _end_s(run: Run, judged: Judged) -> float:
    """Return where the time axis ends: a little later than the run if that shows the limit met."""
    end = max(run.duration_s, 1e-3)
    return max([end, *(horizon_s(found, end) for found in judged.values())])


Draw = Callable[[Axes], Heading]
Drawn = tuple[Draw, Chart]
"""What fills a panel, and the same as a chart."""


def _headed(fill: Callable[[Axes], None], heading: Heading) -> Draw:
    """What fills a panel whose heading is known before it is drawn."""

    def draw(axes: Axes) -> Heading:
        fill(axes)
        return heading

    return draw


def _chart(
    metric: Metric,
    title: str,
    lines: Iterable[Curve],
    judged: ResourceVerdict | None = None,
    *,
    run: Run | None = None,
    notes: Sequence[str] = (),
) -> Chart:
    """A chart of a metric with what was found on it."""
    limit = None if judged is None else judged.limit
    said = [] if judged is None else [*growth_notes(judged), note(judged)]
    clock = None if judged is None or run is None else clock_of(run, judged.judged_until_s)
    return Chart(
        metric.name,
        title,
        metric.axis,
        tuple(lines),
        metric=metric,
        judged=judged,
        clock=clock,
        limits=(limit * metric.axis_scale,) if limit else (),
        notes=tuple(filter(None, [*said, *notes])),
    )


def _each(metric: Metric, run: Run) -> list[Curve]:
    """Each process, in the unit of the axis."""
    each = curves.processes(run.samples, metric.columns[0])
    return [curve.scaled(metric.axis_scale) for curve in each]


def _processes_drawer(metric: Metric, run: Run, judged: ResourceVerdict | None) -> Drawn | None:
    found = _each(metric, run)
    if not found:
        return None
    title = metric.title + (f" of {found[0].name}" if len(found) == 1 else ", each process")
    chart = _chart(metric, title, _foremost(found, judged), judged, run=run)
    return lambda axes: (title, _draw_each(axes, metric, found, judged, run)), chart


def _foremost(found: Sequence[Curve], judged: ResourceVerdict | None) -> list[Curve]:
    """The processes that a chart has a line for: the one that is judged, and who holds most."""
    lead = _lead(found, judged)
    by_height = sorted(found, key=lambda curve: (curve is not lead, -curve.highest))
    return by_height[:MOST_PROCESSES]


def _draw_each(
    axes: Axes, metric: Metric, found: list[Curve], judged: ResourceVerdict | None, run: Run
) -> str:
    style.count_axis(axes, metric.axis)
    lead = _lead(found, judged)
    limits, high = _in_sight(axes, metric, found, judged)
    panels.headroom(axes, max([high, *panels.near_limits(limits, high)]), 0.12)
    labels = _draw_processes(axes, found, lead)
    labels += panels.draw_limits(axes, limits, high, partial(units.on_axis, metric))
    remark = _draw_growth(axes, metric, run, judged) if lead else ""
    label_ends(axes, labels)
    return remark


def _in_sight(
    axes: Axes, metric: Metric, drawn: Sequence[Curve], judged: ResourceVerdict | None
) -> tuple[list[float], float]:
    """Return the limit, if there is one, and the highest figure that is drawn below it."""
    highest = max((curve.highest for curve in drawn if curve.read.size), default=0.0)
    if judged is None or not judged.limit:
        return [], highest
    forecast = reached(judged, axes.get_xlim()[1]) * metric.axis_scale
    return [judged.limit * metric.axis_scale], max(highest, forecast)


def _draw_growth(axes: Axes, metric: Metric, run: Run, judged: ResourceVerdict | None) -> str:
    """Draw the fit of a leak, and the forecast if it is there; return what explains them."""
    if judged is None:
        return ""
    clock, scale = clock_of(run, judged.judged_until_s), metric.axis_scale
    draw_fit(axes, judged, scale)
    draw_forecast(axes, judged, clock, scale)
    panels.write_inside(axes, note(judged))
    return "   ".join(growth_notes(judged))


def _lead(found: Sequence[Curve], judged: ResourceVerdict | None) -> Curve | None:
    """Return the process to draw in colour: the one judged, else the one that holds most."""
    if judged and judged.pid is not None:
        return next((curve for curve in found if curve.pid == judged.pid), None)
    return max(found, key=lambda curve: curve.highest)


def _draw_processes(axes: Axes, found: Sequence[Curve], lead: Curve | None) -> list[EndLabel]:
    line = _lineage(found, lead)
    others = [curve for curve in found if curve not in line]
    for curve in others:
        panels.line(axes, curve, color=style.FAINT, lw=1.0)
    for curve in line:
        panels.line(axes, curve, color=style.VERMILION, lw=2.2, zorder=3)
    alive = [curve for curve in line if _lives_on(curve, found)]
    for curve in alive:
        panels.trail(axes, curve, style.VERMILION)
    colour = style.darker(style.VERMILION, 0.9)
    labels = [_end(curve, colour, "bold") for curve in alive or line[-1:]]
    quiet = [curve for curve in others if _lives_on(curve, found)]
    if len(quiet) < MANY_PROCESSES:
        return labels + [_end(curve, style.MUTED, "normal") for curve in quiet]
    lowest, highest = min(curve.last for curve in quiet), max(curve.last for curve in quiet)
    text = f"{len(quiet)} others: {units.number(lowest, 3)} to {units.number(highest, 3)}"
    return [*labels, EndLabel((lowest + highest) / 2, text, style.MUTED)]


def _end(curve: Curve, colour: str, weight: str) -> EndLabel:
    process, _, pid = curve.name.rpartition(" ")
    name = f"{units.shortened(process, PROCESS_LETTERS)} {pid}"
    return EndLabel(curve.last, f"{name}: {units.number(curve.last, 4)}", colour, weight)


def _lineage(found: Sequence[Curve], lead: Curve | None) -> list[Curve]:
    """Return the lead and those that came before and after it: a worker that is replaced."""
    if lead is None:
        return []
    start, end = lead.time_s[0], lead.time_s[-1]
    line = [c for c in found if c is lead or c.time_s[0] > end or c.time_s[-1] < start]
    return sorted(line, key=lambda curve: float(curve.time_s[0]))


def _lives_on(curve: Curve, found: Sequence[Curve]) -> bool:
    """Whether a process lasted to the end; those that were replaced are not named."""
    end = max(other.time_s[-1] for other in found)
    return bool(curve.time_s[-1] >= end - 0.02 * max(end, 1e-9))


_TO_BROKERS = "Connections to the brokers"


def _states_drawer(metric: Metric, run: Run, judged: ResourceVerdict | None) -> Drawn | None:
    states = curves.tcp_states(run.samples)
    if not states:
        return None
    title = f"{'Outgoing connections' if run.counts_all_remotes else _TO_BROKERS} by TCP state"
    waits = any(curve.name == "TIME_WAIT" for curve in states)
    remark = TIME_WAIT_NOTE if waits else ""
    undrawn = judged and replace(judged, fit=None, forecast=None, forecast_check=None)
    chart = _chart(metric, title, states, undrawn, notes=[remark])
    return _headed(lambda axes: _draw_states(axes, metric, states), (title, remark)), chart


def _draw_states(axes: Axes, metric: Metric, states: Sequence[Curve]) -> None:
    style.count_axis(axes, metric.axis)
    panels.headroom(axes, max(curve.highest for curve in states), 0.12)
    labels = []
    for curve in states:
        colour, dashes = STATE_LOOKS[curve.name]
        panels.line(axes, curve, color=colour, linestyle=dashes, zorder=3)
        weight = "bold" if curve.name == "ESTABLISHED" else "normal"
        text = f"{curve.name} {units.count(curve.last)}"
        labels.append(EndLabel(curve.last, text, style.darker(colour), weight))
        panels.trail(axes, curve, colour)
    label_ends(axes, labels)


def _names_drawer(metric: Metric, run: Run, judged: ResourceVerdict | None) -> Drawn | None:
    named = curves.by_name(run.composition, metric.noun)
    total = curves.of_metric(run.samples, metric)
    known = total.read.size or named
    if not known:
        return None
    layered = bool(named) and named[0].time_s.size >= 2
    title = f"{metric.title}{' by name' if layered else ''}, all processes"
    lines = [*([total] if total.read.size else []), *(named if layered else [])]
    chart = _chart(metric, title, lines, judged, run=run)
    return (
        lambda axes: (title, _draw_names(axes, metric, named, total, judged=judged, run=run)),
        chart,
    )


def _draw_names(
    axes: Axes,
    metric: Metric,
    named: Sequence[Curve],
    total: Curve,
    *,
    judged: ResourceVerdict | None,
    run: Run,
) -> str:
    style.count_axis(axes, metric.axis)
    layered = bool(named) and named[0].time_s.size >= 2
    layers = list(np.cumsum([curve.values for curve in named], axis=0)) if layered else []
    tops = [Curve("", named[0].time_s, layers[-1])] if layered else []
    limits, high = _in_sight(axes, metric, [total, *tops], judged)
    panels.headroom(axes, max([high, *panels.near_limits(limits, high)]), 0.18)
    labels = panels.draw_limits(axes, limits, high, partial(units.on_axis, metric))
    if layered:
        labels += draw_layers(axes, named, layers, events.unsampled(run))
        if total.read.size:
            panels.line(axes, total, color=style.INK, lw=1.0, zorder=3)
    else:
        panels.line(axes, total, color=style.BLUE)
        labels.append(EndLabel(total.last, units.count(total.last), style.INK))
    remark = _draw_growth(axes, metric, run, judged)
    label_ends(axes, labels)
    return remark


def _total_drawer(metric: Metric, run: Run, judged: ResourceVerdict | None) -> Drawn | None:
    total, each = curves.of_metric(run.samples, metric), _each(metric, run)
    shown = [total] if total.read.size else each
    if not shown or (metric.absent_is_zero and max(curve.highest for curve in shown) <= 0):
        return None
    title = metric.title + (f" of {each[0].name}" if len(each) == 1 else ", all processes")
    chart = _chart(metric, title, shown, judged, run=run)
    return lambda axes: (title, _draw_total(axes, metric, shown, judged=judged, run=run)), chart


def _draw_total(
    axes: Axes,
    metric: Metric,
    shown: Sequence[Curve],
    *,
    judged: ResourceVerdict | None,
    run: Run,
) -> str:
    style.count_axis(axes, metric.axis, whole=False)
    lowest = min(float(curve.read.min()) for curve in shown)
    limits, high = _in_sight(axes, metric, shown, judged)
    panels.near(axes, lowest, max([high, *panels.near_limits(limits, high)]))
    labels = panels.draw_limits(axes, limits, high, partial(units.on_axis, metric))
    for curve in shown:
        panels.line(axes, curve, color=style.BLUE)
        panels.trail(axes, curve, style.BLUE)
        text = f"{units.number(curve.last, 3)} {metric.axis}"
        labels.append(EndLabel(curve.last, text, style.darker(style.BLUE), "bold"))
    label_ends(axes, labels)
    return _draw_growth(axes, metric, run, judged)


def _rate_drawer(metric: Metric, run: Run, _: ResourceVerdict | None) -> Drawn | None:
    added = curves.added(run.samples, metric.columns[0]).scaled(metric.axis_scale)
    curve = curves.rate_of(added)
    if not curve.read.size:
        return None
    each = use_per_request(run, metric)
    remark = "" if each is None else f"{units.quantity(metric, each)} a request"
    title = f"{metric.title}, all processes"
    chart = _chart(metric, title, [curves.rate_of(added, curves.FINE_BINS)], notes=[remark])
    return _headed(lambda axes: _draw_rate(axes, metric, curve), (title, remark)), chart


def _draw_rate(axes: Axes, metric: Metric, curve: Curve) -> None:
    style.count_axis(axes, metric.axis, whole=False)
    panels.headroom(axes, curve.highest, 0.15)
    panels.line(axes, curve, color=style.GREEN)
    height = float(np.median(curve.read))
    text = f"{units.number(height, 3)} {metric.axis}"
    label_ends(axes, [EndLabel(height, text, style.darker(style.GREEN), "bold")])


_DRAWERS: dict[Drawing, Callable[[Metric, Run, ResourceVerdict | None], Drawn | None]] = {
    "processes": _processes_drawer,
    "states": _states_drawer,
    "names": _names_drawer,
    "total": _total_drawer,
    "rate": _rate_drawer,
}
"""How each way to draw a metric is done."""
