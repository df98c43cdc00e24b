"""The picture of a run of very many targets, drawn from what was found on each of them alone.

On top a strip with a cell for each target, in the order in which the run lists them, so that one
sees whether those that leak stand together. Below, for each resource, the growth of all targets
from the least to the most, with its interval: what leaks rises at the end, and is named.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tidemark.analysis import units
from tidemark.analysis.figures import style
from tidemark.analysis.figures.frame import because_lines, subtitle
from tidemark.analysis.figures.labels import EndLabel, label_ends
from tidemark.analysis.figures.target_curves import shown_id
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.model import Floats, ResourceVerdict
from tidemark.analysis.verdict.target_result import TargetResult, tally
from tidemark.record.metrics import JUDGED, Metric

LEFT_IN = 0.95
RIGHT_IN = 2.75
HEAD_IN = 1.15
STRIP_IN = 0.34
STRIP_GAP_IN = 0.75
PANEL_IN = 1.75
GAP_IN = 0.62
BOTTOM_IN = 0.55
MOST_NAMED = 8
"""So many targets are named beside a panel."""
NOISE = 95
"""Percentile of the growth of what does not leak: up to there the axis is linear."""
COLOURS = {"leak": style.VERMILION, "inconclusive": style.ORANGE, "clean": "#b8bcc2"}
WORDS = {"leak": "leak", "inconclusive": "cannot tell", "clean": "clean"}


@style.themed
def draw_overview(assessment: Assessment) -> Figure:
    """Draw the targets of a run by their growth, without looking at a sample.

    Args:
        assessment: What there is to say of the run and of each of its targets.

    Returns:
        A figure 12 inches wide: the axes "targets", and one for each resource that is known.
    """
    results = assessment.targets
    shown = [metric for metric in JUDGED if _growths(results, metric)]
    below = [*because_lines(assessment), subtitle(assessment.run)]
    head_in = HEAD_IN + 0.19 * (len(below) - 1)
    height_in = head_in + STRIP_IN + BOTTOM_IN
    height_in += STRIP_GAP_IN + len(shown) * (PANEL_IN + GAP_IN) - GAP_IN if shown else 0
    figure = style.new_figure(height_in)
    top_in = height_in - head_in - STRIP_IN
    _draw_strip(_add(figure, "targets", top_in, STRIP_IN), _listed(assessment))
    top_in -= STRIP_GAP_IN - GAP_IN
    for metric in shown:
        top_in -= PANEL_IN + GAP_IN
        axes = _add(figure, metric.name, top_in, PANEL_IN)
        _draw_growth(axes, metric, _growths(results, metric), labelled=metric is shown[-1])
    title = f"{assessment.run.strategy}: {units.several(len(results), 'target')}: {tally(results)}"
    style.headings(figure, title, "\n".join(below), LEFT_IN)
    return figure


def _add(figure: Figure, name: str, bottom_in: float, height_in: float) -> Axes:
    height, width = figure.get_figheight(), style.WIDTH_IN
    place = (LEFT_IN / width, bottom_in / height, 1 - (LEFT_IN + RIGHT_IN) / width)
    return figure.add_axes((*place, height_in / height), label=name)


def _listed(assessment: Assessment) -> list[TargetResult]:
    """The targets in the order in which the run lists them; others after those."""
    places = {one.id: place for place, one in enumerate(assessment.run.metadata.targets)}
    return sorted(assessment.targets, key=lambda one: (places.get(one.id, len(places)), one.id))


def _draw_strip(axes: Axes, results: Sequence[TargetResult]) -> None:
    """A cell for each target; what is in doubt or leaks is drawn last, and never too thin."""
    at = np.arange(len(results)) + 0.5
    axes.set(xlim=(0, len(results)), ylim=(0, 1), yticks=[])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    room_pt = axes.get_window_extent().width * 72 / axes.figure.dpi
    width_pt = max(room_pt / max(len(results), 1), 0.8)
    names = []
    for verdict in ("clean", "inconclusive", "leak"):
        chosen = np.array([one.verdict == verdict for one in results])
        if not chosen.any():
            continue
        wide = width_pt if verdict == "clean" else max(width_pt, 2.2)
        axes.vlines(
            at[chosen], 0, 1, color=COLOURS[verdict], lw=wide, label=WORDS[verdict], capstyle="butt"
        )
        names.append((WORDS[verdict], int(chosen.sum()), style.darker(COLOURS[verdict], 0.8)))
    lines = enumerate(reversed(names))
    for line, (word, many, colour) in lines:
        offset = (10, -9 - 12 * line)
        text = f"{units.count(many)} {word}"
        style.write(axes, text, (1.0, 1.0), offset, xycoords="axes fraction", color=colour)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    style.write_above(axes, "each target, in the order of run.json", 0.0, (0, 5), weight="bold")


def _growths(
    results: Sequence[TargetResult], metric: Metric
) -> Mapping[str, tuple[ResourceVerdict, Floats]]:
    """By target, what was found and growth per hour with its interval, in the unit of the axis."""
    found = {}
    for one in results:
        resource = one.resources[metric.name]
        if resource.per_hour is None:
            continue
        interval = resource.per_hour_interval
        low, high = (interval.low, interval.high) if interval else (resource.per_hour,) * 2
        figures = np.array([low, resource.per_hour, high]) * metric.axis_scale
        found[one.id] = (resource, figures)
    return dict(sorted(found.items(), key=lambda pair: (pair[1][1][1], pair[0])))


def _draw_growth(
    axes: Axes,
    metric: Metric,
    found: Mapping[str, tuple[ResourceVerdict, Floats]],
    *,
    labelled: bool,
) -> None:
    verdicts = np.array([resource.verdict for resource, _ in found.values()])
    low, middle, high = np.array([figures for _, figures in found.values()]).T
    at = np.arange(len(found)) + 0.5
    _scale(axes, np.concatenate([low, high]), _noise(low, high, verdicts))
    for verdict in ("clean", "inconclusive", "leak"):
        of = verdicts == verdict
        colour, size = COLOURS[verdict], 1.5 if verdict == "clean" else 3.5
        axes.vlines(at[of], low[of], high[of], color=colour, lw=0.9 if len(at) > 200 else 1.5)
        axes.plot(
            at[of], middle[of], "o", ms=size, color=style.darker(colour, 0.8), label=WORDS[verdict]
        )
    axes.axhline(0.0, color=style.FAINT, lw=0.8, zorder=1.5)
    axes.set_xlim(0, len(found))
    axes.set_ylabel(f"{metric.axis} per hour")
    axes.yaxis.set_label_coords(-0.6 * style.DPI / axes.get_window_extent().width, 0.5)
    axes.tick_params(axis="x", labelbottom=labelled, length=3)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    if labelled:
        axes.set_xlabel("targets, from the least growth to the most, with the 90 % interval")
    label_ends(axes, _names(found))
    shown = next(iter(found.values()))[0].metric
    style.write_above(axes, f"{shown.title}: growth of each target", 0.0, (0, 5), weight="bold")


def _noise(low: Floats, high: Floats, verdicts: np.typing.NDArray[np.str_]) -> float:
    """How far growth reaches where there is none: what is beyond stands out."""
    quiet = verdicts != "leak"
    reach = np.maximum(np.abs(low), np.abs(high))
    chosen = reach[quiet] if quiet.any() else reach
    return float(np.percentile(chosen, NOISE))


def _scale(axes: Axes, values: Floats, noise: float) -> None:
    """Linear within the noise and logarithmic beyond, where growth goes far beyond it."""
    highest = float(np.max(np.abs(values)))
    if noise > 0 and highest > 30 * noise:
        axes.set_yscale("symlog", linthresh=noise, linscale=0.6)
        first, last = int(np.ceil(np.log10(4 * noise))), int(np.floor(np.log10(highest)))
        axes.set_yticks([0.0, *(10.0**power for power in range(first, last + 1))])
        axes.minorticks_off()
        axes.set_ylim(min(float(values.min()) * 1.3, -noise), highest * 2)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.margins(y=0.1)
    axes.yaxis.set_major_formatter(lambda value, _: units.number(value, 2))


def _names(found: Mapping[str, tuple[ResourceVerdict, Floats]]) -> list[EndLabel]:
    """The names of what leaks or cannot be told, the most growth first, beside the panel."""
    told = [
        (target, resource, figures)
        for target, (resource, figures) in reversed(list(found.items()))
        if resource.verdict == "leak"
    ]
    labels = [
        EndLabel(
            float(figures[1]),
            f"{shown_id(target)}: {units.number(float(figures[1]), 2)}/h",
            style.darker(COLOURS["leak"], 0.8),
            "bold",
        )
        for target, _, figures in told[:MOST_NAMED]
    ]
    if len(told) > MOST_NAMED:
        text = f"and {units.several(len(told) - MOST_NAMED, 'more leak')}"
        labels.append(EndLabel(float(told[MOST_NAMED][2][1]), text, style.MUTED))
    return labels
