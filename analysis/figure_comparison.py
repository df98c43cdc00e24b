"""The picture of a comparison: every strategy over the same axes, in its own fixed look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import curves, downsample, finding, panels, style, units
from analysis.curves import Curve
from analysis.labels import EndLabel, label_ends
from analysis.model import ResourceVerdict, Verdict
from analysis.run import Run
from analysis.style import Look
from analysis.summary import Summary, summarise, unlike

LEFT_IN = 0.95
TOP_RIGHT_IN = 2.35
COLUMN_IN = 3.32
COLUMN_RIGHT_IN = 1.78
COLUMNS_GAP_IN = 0.78
TOP_IN = 3.0
ROW_IN = 1.75
ROW_GAP_IN = 0.62
HEAD_IN = 1.35
BOTTOM_IN = 0.62
LIMIT_WORTH_SHOWING = 60.0
WIDEST_PT = 4.6
NARROWEST_PT = 1.3
MARKS = 9


@dataclass(frozen=True)
class Entry:
    """One run of a comparison.

    Attributes:
        run: The run.
        verdict: What was found on it.
        look: How it is drawn.
        row: Its row in the table.
        name: What it is called in the picture.
        place: Its number in the comparison, from 0.
        of: How many there are.
    """

    run: Run
    verdict: Verdict
    look: Look
    row: Summary
    name: str
    place: int
    of: int

    @property
    def width_pt(self) -> float:
        """Width of its lines: broad ones are drawn first, so that lines that coincide all show."""
        share = self.place / max(1, self.of - 1)
        return WIDEST_PT + (NARROWEST_PT - WIDEST_PT) * share


@dataclass(frozen=True)
class Facet:
    """A small panel of the comparison.

    Attributes:
        key: Its name, which becomes the label of its axes.
        title: What it shows.
        unit: Unit of the y axis.
        curve: Reads its series from a run.
        whole: Whether the figures are whole numbers.
        resource: The resource of the verdict that it shows, if any.
    """

    key: str
    title: str
    unit: str
    curve: Callable[[Run], Curve]
    whole: bool = True
    resource: str | None = field(default=None)


def _state(name: str) -> Callable[[Run], Curve]:
    return lambda run: curves.tcp_state(run.samples, name)


FACETS = (
    Facet("established", "Broker connections, ESTABLISHED", "connections", _state("established")),
    Facet("time_wait", "Broker connections, TIME_WAIT", "connections", _state("time_wait")),
    Facet("threads", "Threads", "threads", lambda run: curves.total(run.samples, "threads")),
    Facet(
        "rss",
        "Resident memory",
        "MiB",
        lambda run: curves.total(run.samples, "rss_bytes").scaled(1 / units.MIB),
        whole=False,
    ),
)


def entries(judged: Sequence[tuple[Run, Verdict]]) -> list[Entry]:
    """Return the runs with their looks; runs of one strategy are told apart by their directory."""
    looks = style.looks(run.strategy for run, _ in judged)
    strategies = [run.strategy for run, _ in judged]
    return [
        Entry(
            run,
            verdict,
            looks[run.strategy],
            summarise(run, verdict),
            run.strategy if strategies.count(run.strategy) == 1 else run.name,
            place,
            len(judged),
        )
        for place, (run, verdict) in enumerate(judged)
    ]


@style.themed
def draw_comparison(judged: Sequence[tuple[Run, Verdict]]) -> Figure:
    """Draw several runs over each other.

    Descriptors on top with the limit and each EMFILE; below them connections, threads, memory,
    response times and requests. A panel for which no run has figures is left out.

    Args:
        judged: The runs with their verdicts, in the order in which they are listed.

    Returns:
        A figure 12 inches wide with one axes per panel, labelled with the panel's name.
    """
    shown = entries(judged)
    span_s = (0.0, max([entry.run.duration_s for entry in shown] + [1e-3]))
    small = _small_panels(shown, span_s)
    rows = (len(small) + 1) // 2
    warning = unlike([entry.run for entry in shown])
    head_in = HEAD_IN + (0.2 if warning else 0.0)
    figure = style.new_figure(head_in + TOP_IN + rows * (ROW_IN + ROW_GAP_IN) + BOTTOM_IN)
    top = _add(figure, "fds", LEFT_IN, head_in, style.WIDTH_IN - LEFT_IN - TOP_RIGHT_IN, TOP_IN)
    _draw_fds(top, shown, span_s)
    for index, (key, draw) in enumerate(small):
        left = LEFT_IN + (index % 2) * (COLUMN_IN + COLUMN_RIGHT_IN + COLUMNS_GAP_IN)
        down = head_in + TOP_IN + ROW_GAP_IN + (index // 2) * (ROW_IN + ROW_GAP_IN)
        draw(_add(figure, key, left, down, COLUMN_IN, ROW_IN))
    subtitle = _subtitle(shown) + (f"\n{warning}" if warning else "")
    style.headings(figure, comparison_finding(shown), subtitle, LEFT_IN)
    return figure


def _add(figure: Figure, key: str, left: float, down: float, width: float, high: float) -> Axes:
    height = figure.get_figheight()
    box = (left / style.WIDTH_IN, 1 - (down + high) / height, width / style.WIDTH_IN, high / height)
    return figure.add_axes(box, label=key)


def _small_panels(
    shown: Sequence[Entry], span_s: tuple[float, float]
) -> list[tuple[str, Callable[[Axes], None]]]:
    found: list[tuple[str, Callable[[Axes], None]]] = []
    for facet in FACETS:
        every = [(entry, facet.curve(entry.run)) for entry in shown]
        read = [(entry, curve) for entry, curve in every if curve.read.size]
        if read:
            found.append((facet.key, _facet_drawer(facet, read, span_s)))
    if any(entry.row.p50_ms is not None or entry.row.p99_ms is not None for entry in shown):
        found.append(("latency", lambda axes: _draw_latency(axes, shown)))
    if any(entry.row.requests for entry in shown):
        found.append(("requests", lambda axes: _draw_requests(axes, shown)))
    return found


def _facet_drawer(
    facet: Facet, read: Sequence[tuple[Entry, Curve]], span_s: tuple[float, float]
) -> Callable[[Axes], None]:
    return lambda axes: _draw_facet(axes, facet, read, span_s)


def comparison_finding(shown: Sequence[Entry]) -> str:
    """Return the finding of a comparison: what leaks worst, beside what holds least."""
    leaking = [entry for entry in shown if entry.verdict.verdict == "leak"]
    sound = [entry for entry in shown if entry.verdict.verdict == "clean" and _last_fds(entry)]
    if not leaking:
        return _all_sound(shown)
    worst = max(leaking, key=_severity)
    text = f"{worst.name}: {finding.statement(worst.run, worst.verdict)}"
    if sound:
        best = next((e for e in sound if e.run.strategy == "shared"), min(sound, key=_last_fds))
        text += f"; {best.name} stays at {units.count(_last_fds(best))}"
    return text


def _all_sound(shown: Sequence[Entry]) -> str:
    unsure = [entry.name for entry in shown if entry.verdict.verdict == "inconclusive"]
    if unsure:
        return f"No leak seen; cannot tell yet: {', '.join(unsure)}"
    return f"No leak in {len(shown)} run{'s' if len(shown) != 1 else ''}"


def _severity(entry: Entry) -> tuple[bool, float]:
    return entry.verdict.exhausted is not None, entry.row.fds_per_request or 0.0


def _last_fds(entry: Entry) -> float:
    found = entry.verdict.resources.get("fds")
    return (found.last if found else None) or 0.0


def _subtitle(shown: Sequence[Entry]) -> str:
    load, parts = shown[0].run.metadata.load, []
    if isinstance(load.get("rate"), int | float):
        parts.append(f"{units.number(load['rate'], 3)} requests/s each")
    brokers = len(shown[0].run.metadata.brokers)
    parts.append(f"{brokers} brokers" if brokers else "")
    longest = max(entry.run.duration_s for entry in shown)
    parts.append(f"{len(shown)} runs of up to {units.duration(longest)}")
    return "   ·   ".join(part for part in parts if part)


def _draw_fds(axes: Axes, shown: Sequence[Entry], span_s: tuple[float, float]) -> None:
    read = [(entry, _fds_curve(entry)) for entry in shown]
    there = [(entry, curve) for entry, curve in read if curve is not None]
    panels.share_time([axes], span_s)
    style.count_axis(axes, "descriptors")
    axes.set_title("File descriptors of the process that holds most")
    highest = max([curve.highest for _, curve in there], default=1.0)
    limits = sorted({limit for entry in shown if (limit := _limit(entry))})
    near = [limit for limit in limits if limit <= LIMIT_WORTH_SHOWING * highest]
    panels.headroom(axes, max([highest, *near]), 0.12)
    labels = [EndLabel(at, f"limit {units.count(at)}", style.INK, "bold") for at in near]
    for limit in near:
        axes.axhline(limit, color=style.INK, lw=1.4, ls=(0, (6, 3)), label="limit", zorder=2.5)
    labels += _draw_curves(axes, there, bold=True)
    label_ends(axes, labels, style.TEXT_PT)
    for entry in shown:
        _mark_death(axes, entry, span_s)


def _fds_curve(entry: Entry) -> Curve | None:
    found = curves.processes(entry.run.samples, "fds")
    judged = entry.verdict.resources.get("fds")
    chosen = [t for t in found if judged and judged.pid == t.pid]
    return chosen[0] if chosen else max(found, key=lambda curve: curve.highest, default=None)


def _limit(entry: Entry) -> float | None:
    found: ResourceVerdict | None = entry.verdict.resources.get("fds")
    return found.limit if found else None


def _mark_death(axes: Axes, entry: Entry, span_s: tuple[float, float]) -> None:
    """Mark the first EMFILE of a run and say beside it what it means."""
    event = entry.run.first_event("emfile")
    if event is None:
        return
    low, high = axes.get_ylim()
    height = _limit(entry) or high
    axes.plot(
        event.elapsed_s,
        height,
        "X",
        ms=11,
        color=entry.look.colour,
        mec="white",
        label="EMFILE",
        zorder=7,
    )
    axes.axvline(event.elapsed_s, color=entry.look.colour, lw=1.2, ls=(0, (1, 2)), zorder=1.5)
    left = event.elapsed_s > 0.6 * span_s[1]
    text = f"EMFILE at {units.duration(event.elapsed_s)}"
    if entry.row.requests_at_death is not None:
        text += f"\nafter {units.count(entry.row.requests_at_death)} requests"
    axes.annotate(
        text,
        xy=(event.elapsed_s, height),
        xytext=(-9 if left else 9, -9),
        textcoords="offset points",
        size=style.TEXT_PT,
        weight="bold",
        color=entry.look.ink,
        ha="right" if left else "left",
        va="top",
        linespacing=1.3,
        zorder=7,
    )


def _draw_facet(
    axes: Axes, facet: Facet, read: Sequence[tuple[Entry, Curve]], span_s: tuple[float, float]
) -> None:
    panels.share_time([axes], span_s)
    style.count_axis(axes, facet.unit, whole=facet.whole)
    axes.set_title(facet.title)
    panels.headroom(axes, max(curve.highest for _, curve in read), 0.12)
    label_ends(axes, _draw_curves(axes, read))


def _draw_curves(
    axes: Axes, read: Sequence[tuple[Entry, Curve]], *, bold: bool = False
) -> list[EndLabel]:
    labels = []
    for entry, curve in read:
        _draw_curve(axes, entry, curve)
        text = f"{entry.name} {units.number(curve.last, 3)}"
        weight = "bold" if bold or entry.verdict.verdict == "leak" else "normal"
        labels.append(EndLabel(curve.last, text, entry.look.ink, weight))
    return labels


def _draw_curve(axes: Axes, entry: Entry, curve: Curve) -> None:
    times, values = downsample.series(curve.time_s, curve.values)
    step = max(1, times.size // MARKS)
    axes.plot(
        times,
        values,
        color=entry.look.colour,
        ls=entry.look.dashes,
        lw=entry.width_pt,
        marker=entry.look.marker,
        markersize=6,
        markeredgecolor="white",
        markeredgewidth=0.7,
        markevery=(step * (2 * entry.place + 1) // (2 * entry.of), step),
        label=entry.name,
        zorder=3 + 0.1 * entry.place,
        clip_on=False,
    )


def _draw_latency(axes: Axes, shown: Sequence[Entry]) -> None:
    """Draw median and 99th percentile of each run as a dumbbell on a logarithmic axis."""
    timed = [e for e in shown if e.row.p50_ms is not None and e.row.p99_ms is not None]
    approximate = any(entry.row.latency_approximate for entry in timed)
    axes.set_title("Response time, median and p99" + (", approximate" if approximate else ""))
    _rows(axes, timed)
    axes.set_xscale("log")
    values = [v for e in timed for v in (e.row.p50_ms, e.row.p99_ms) if v]
    if values:
        axes.set_xlim(min(values) / 2.2, max(values) * 2.6)
    for row, entry in enumerate(timed):
        pair = [entry.row.p50_ms, entry.row.p99_ms]
        axes.plot(pair, [row, row], color=entry.look.colour, lw=2.5, label=entry.name, zorder=3)
        for value, place, ha in ((pair[0], -6, "right"), (pair[1], 6, "left")):
            face = entry.look.colour if ha == "right" else "white"
            axes.plot(value, row, "o", ms=7, mfc=face, mec=entry.look.colour, mew=2, zorder=4)
            _beside(axes, (value or 0.0, row), units.milliseconds(value), place, ha, entry.look.ink)
    style.plain_log_x(axes, "ms (log)")


def _draw_requests(axes: Axes, shown: Sequence[Entry]) -> None:
    """Draw requests answered and failed of each run as bars."""
    axes.set_title("Requests answered and failed")
    counted = [entry for entry in shown if entry.row.requests is not None]
    _rows(axes, counted)
    most = max([entry.row.requests or 0 for entry in counted], default=1)
    axes.set_xlim(0, most * 1.42)
    axes.set_xlabel("requests")
    for row, entry in enumerate(counted):
        total, failed = entry.row.requests or 0, entry.row.failures or 0
        answered = total - failed
        axes.barh(row, answered, height=0.6, color=entry.look.colour, label=entry.name, zorder=3)
        text = units.count(answered)
        if failed:
            axes.barh(
                row,
                failed,
                left=answered,
                height=0.6,
                color="white",
                edgecolor=style.ALARM,
                hatch="////",
                label="failed",
                zorder=3,
            )
            text += f", {units.count(failed)} failed"
        _beside(axes, (total, row), text, 5, "left", style.ALARM if failed else style.INK)
    style.few_counts_x(axes)


def _rows(axes: Axes, shown: Sequence[Entry]) -> None:
    """Make one row per run, the first on top, with its name at the left."""
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_yticks(np.arange(len(shown)), [entry.name for entry in shown])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    for text, entry in zip(axes.get_yticklabels(), shown, strict=True):
        text.set_color(entry.look.ink)


def _beside(
    axes: Axes, at: tuple[float, float], text: str, offset: float, ha: str, colour: str
) -> None:
    axes.annotate(
        text,
        xy=at,
        xytext=(offset, 0),
        textcoords="offset points",
        size=style.SMALL_PT,
        color=colour,
        ha=ha,  # type: ignore[arg-type]
        va="center",
        zorder=5,
    )
