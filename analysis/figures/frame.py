"""The frame of a picture of one run: the finding above, panels on one time axis below."""

import textwrap
from collections.abc import Sequence

from tidemark.analysis import units
from tidemark.analysis.figures import downsample, panels, style
from tidemark.analysis.figures.charts import Picture, view_of
from tidemark.analysis.figures.events import Mark, Span
from tidemark.analysis.figures.panels import Panel
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.assessment import Assessment

NOTHING = "\nnone of the figures could be read; the events say why (report.html)"
REASON_COLUMNS = 145
REASON_LINES = 2
LINE_IN = 0.19


def draw_stack(
    chosen: Sequence[Panel],
    told: tuple[str, Sequence[str]],
    span_s: tuple[float, float],
    marks: Sequence[Mark],
    spans: Sequence[Span],
) -> Picture:
    """Draw panels on one time axis, with what happened in all of them.

    Args:
        chosen: The panels, from the top down.
        told: The finding, and the lines below it, the last of which says what was run.
        span_s: What the time axis shows.
        marks: Moments to mark.
        spans: Stretches to shade.
    """
    title, below = told
    names = panels.event_names(marks, spans, span_s)
    head_in = panels.HEAD_IN + len(names) * panels.ROW_PT / 72 + (len(below) - 1) * LINE_IN
    figure = style.new_figure(panels.height_of(chosen, head_in))
    axes = panels.stack(figure, chosen, head_in)
    panels.share_time(axes, span_s)
    for panel, place in zip(chosen, axes, strict=True):
        panels.write_heading(place, panel.draw(place), len(names) if place is axes[0] else 0)
    panels.mark_events(axes, marks, spans, names)
    subtitle = "\n".join(below) + ("" if axes else NOTHING)
    style.headings(figure, title, subtitle, panels.LEFT_IN)
    view = view_of((panel.chart for panel in chosen), span_s, marks, spans)
    return Picture(figure, view)


def because_lines(assessment: Assessment) -> list[str]:
    """The result and what it rests on, unless the title says it: in the words of every output."""
    if assessment.because in assessment.headline:
        return []
    text = f"{assessment.result}: {assessment.because}"
    return textwrap.wrap(text, REASON_COLUMNS, max_lines=REASON_LINES, placeholder=" …")


def subtitle(run: Run) -> str:
    """Return what was run, for how long and when."""
    load, parts = run.metadata.load, []
    if isinstance(load.get("rate"), int | float):
        parts.append(f"{units.number(load['rate'], 3)} requests/s")
    if isinstance(load.get("batch_size"), int | float):
        parts.append(f"{units.several(load['batch_size'], 'message')} each")
    parts.append(units.several(len(run.metadata.brokers), "broker") if run.metadata.brokers else "")
    parts.append(f"ran {units.duration(run.duration_s)}, {run.outcome}")
    if len(run.samples) > downsample.DENSE * run.samples["pid"].nunique():
        parts.append("lines: median, shade: lowest to highest")
    if run.started_at:
        parts.append(f"{run.started_at:%Y-%m-%d %H:%M} UTC")
    return "   ·   ".join(part for part in parts if part)
