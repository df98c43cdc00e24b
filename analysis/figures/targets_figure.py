"""The picture of a run that watched several targets: a line for each of the worst of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tidemark.analysis import units
from tidemark.analysis.figures import events, panels, style
from tidemark.analysis.figures.charts import Band, Chart, Picture
from tidemark.analysis.figures.curves import Curve
from tidemark.analysis.figures.forecast_lines import (
    draw_fit,
    draw_forecast,
    growth_notes,
    horizon_s,
    reached,
)
from tidemark.analysis.figures.frame import because_lines, draw_stack, subtitle
from tidemark.analysis.figures.labels import EndLabel, label_ends
from tidemark.analysis.figures.load_panels import load_panels
from tidemark.analysis.figures.panels import Heading, Panel
from tidemark.analysis.figures.target_curves import band, of_targets, others_text, thinned
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.assessment import Assessment, Severity
from tidemark.analysis.verdict.model import ResourceVerdict
from tidemark.analysis.verdict.target_result import TargetResult, foremost
from tidemark.record.metrics import JUDGED, Metric

MOST_DRAWN = 5
"""So many targets have a colour and a name."""
MOST_LINES = 30
"""So many of the others have a thin line each; of more, the band that they lie in is drawn."""
COLOURS = (style.VERMILION, style.BLUE, style.PURPLE, style.ORANGE, style.GREEN)
THIN: dict[str, Any] = {"color": "#b8bcc2", "lw": 0.8, "zorder": 1.9}
BAND: dict[str, Any] = {"color": "#b8bcc2", "alpha": 0.55, "lw": 0, "zorder": 1.9}
HEIGHT_IN = 2.1
Looks = Mapping[str, str]
"""By target, its colour; others have none."""


def draw_targets(assessment: Assessment) -> Figure:
    """The picture of a run of several targets alone."""
    return depict_targets(assessment).figure


@style.themed
def depict_targets(assessment: Assessment) -> Picture:
    """Draw a run of several targets on one time axis: a panel per resource, then the load.

    The worst targets, a handful at most, have a colour and their id beside their line; the others
    are thin lines, or the band that they lie in.

    Args:
        assessment: What there is to say of the run; targets that it holds no samples of are
            left out.
    """
    run, looks = assessment.run, looks_of(assessment.targets)
    lead = _lead(assessment)
    chosen = [
        panel for metric in JUDGED if (panel := _panel(metric, assessment, looks, lead)) is not None
    ]
    chosen += load_panels(run)
    end_s = max(run.duration_s, 1e-3)
    span_s = (0.0, end_s if lead is None else horizon_s(lead[1], end_s))
    marks, spans = events.marks(run.events, several=True), events.spans(run)
    marks += [mark for _, mark in events.fault_marks(run)]
    if span_s[1] > end_s * 1.001:
        marks.append(events.Mark(end_s, "end of the run", loud=False))
    below = [*because_lines(assessment), *_shown(assessment, looks), subtitle(run)]
    return draw_stack(chosen, (assessment.headline, below), span_s, marks, spans)


def looks_of(results: Sequence[TargetResult]) -> dict[str, str]:
    """Return which targets are drawn in a colour: what fails or is in doubt, the worst first.

    A handful of targets are all drawn so; of more that are all well, the first stands for them.
    """
    grave = [one.id for one in results if one.severity in {Severity.FAIL, Severity.UNKNOWN}]
    if len(results) <= MOST_DRAWN:
        grave = [one.id for one in results]
    chosen = grave[:MOST_DRAWN] or [one.id for one in results[:1]]
    return dict(zip(chosen, COLOURS, strict=False))


def _lead(assessment: Assessment) -> tuple[str, ResourceVerdict] | None:
    """Return the target that the run is about with the resource that it leaks."""
    worst = foremost(assessment.targets, assessment.leading.target)
    found = headline.leading(worst.found)
    return None if found is None else (worst.id, found)


def _shown(assessment: Assessment, looks: Looks) -> list[str]:
    """Return what the lines are, where not all targets have one of their own."""
    count = len(assessment.targets)
    if count == len(looks):
        return []
    return [f"{units.several(count, 'target')}: those named in colour, the others grey"]


def _panel(
    metric: Metric,
    assessment: Assessment,
    looks: Looks,
    lead: tuple[str, ResourceVerdict] | None,
) -> Panel | None:
    """The panel of a resource; None where no target has a reading."""
    found = of_targets(assessment.run.samples, metric)
    if not found:
        return None
    own = lead if lead is not None and lead[1].resource == metric.name else None
    together = assessment.verdict.resources[metric.name]
    shown = together.metric
    each = {one.resources[metric.name].limit for one in assessment.targets}
    limits = sorted(limit * shown.axis_scale for limit in each if limit)[:1]
    judged = None if own is None else own[1]
    return Panel(
        metric.name,
        HEIGHT_IN,
        lambda axes: _draw(axes, shown, found, looks, judged=judged, limits=limits),
        _chart(shown, found, looks, together=together, judged=judged, limits=limits),
    )


def _chart(
    metric: Metric,
    found: Mapping[str, Curve],
    looks: Looks,
    *,
    together: ResourceVerdict,
    judged: ResourceVerdict | None,
    limits: Sequence[float],
) -> Chart:
    """The same as a chart: a line for each target that is named, a band for the others."""
    others = [found[one] for one in found if one not in looks]
    bands = []
    if others:
        bands.append(Band(units.several(len(others), "other"), *band(others)))
    return Chart(
        metric.name,
        f"{metric.title} by target",
        metric.axis,
        tuple(found[one] for one in looks if one in found),
        tuple(bands),
        metric=metric,
        judged=replace(together, **_ahead(judged)),
        limits=tuple(limits),
        notes=(_whose(metric), *(growth_notes(judged) if judged is not None else ())),
    )


def _ahead(judged: ResourceVerdict | None) -> dict[str, Any]:
    """The fit and the forecast of the target that the run is about, if they are of this one."""
    return {name: getattr(judged, name, None) for name in ("fit", "forecast", "forecast_check")}


def _whose(metric: Metric) -> str:
    return "the process that holds most" if metric.has_own_limit else "all processes together"


def _draw(
    axes: Axes,
    metric: Metric,
    found: Mapping[str, Curve],
    looks: Looks,
    *,
    judged: ResourceVerdict | None,
    limits: Sequence[float],
) -> Heading:
    style.count_axis(axes, metric.axis)
    highest = max(curve.highest for curve in found.values())
    if judged is not None:
        highest = max(highest, reached(judged, axes.get_xlim()[1]) * metric.axis_scale)
    panels.headroom(axes, max([highest, *panels.near_limits(limits, highest)]), 0.12)
    labels = _draw_others(axes, {one: found[one] for one in found if one not in looks})
    for target in reversed(list(looks)):
        if target in found:
            labels.append(_draw_target(axes, found[target], looks[target]))
    labels += panels.draw_limits(axes, limits, highest, partial(units.on_axis, metric))
    said: list[str] = []
    if judged is not None:
        draw_fit(axes, judged, metric.axis_scale)
        draw_forecast(axes, judged, scale=metric.axis_scale)
        said = growth_notes(judged)
    label_ends(axes, labels)
    return f"{metric.title} by target", "   ".join(said) or _whose(metric)


def _draw_target(axes: Axes, curve: Curve, colour: str) -> EndLabel:
    panels.line(axes, curve, color=colour, lw=2.0, zorder=3)
    panels.trail(axes, curve, colour)
    text = f"{curve.name}: {units.number(curve.last, 4)}"
    return EndLabel(curve.last, text, style.darker(colour, 0.85), "bold")


def _draw_others(axes: Axes, others: Mapping[str, Curve]) -> list[EndLabel]:
    """Draw the targets that are not named, and say how many they are and where they end."""
    if not others:
        return []
    if len(others) > MOST_LINES:
        times, low, high = band(list(others.values()))
        axes.fill_between(times, low, high, label="others", **BAND)
    else:
        for curve in others.values():
            thin = thinned(curve)
            axes.plot(thin.time_s, thin.values, label=curve.name, **THIN)
    ends = {name: curve.last for name, curve in others.items()}
    middle = sum(ends.values()) / len(ends)
    return [EndLabel(middle, others_text(len(others), ends), style.MUTED)]
