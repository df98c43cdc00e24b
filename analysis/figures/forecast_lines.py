"""The growth that was fitted, and where it leads, drawn into a panel."""

import math
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes

from tidemark.analysis import units
from tidemark.analysis.figures import style
from tidemark.analysis.run import Run
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.model import Floats, Forecast, ResourceVerdict

LATER = 2.0
"""The time axis is drawn out to the forecast death if that is at most this many run lengths."""

GLIMPSE = 1.15
"""Otherwise it shows where the forecast leads for this many run lengths."""

FAR = 50.0
"""A band that has no end is drawn to so many widths of the axis."""

POINTS = 100
BAND = "#8c6bb1"

Path = tuple[Floats, Floats]
"""Times in seconds and heights of a line."""

Clock = Callable[[Floats], Floats]
"""Tells when so many requests had been answered, in seconds since the run began."""


def clock_of(run: Run, until_s: float | None) -> Clock | None:
    """Return when the requests of a run were answered; None where too few are known.

    Requests after `until_s`, when the limit was met, are told at the rate of the run before it.
    """
    if not len(run.requests):
        return None
    rows = run.requests[run.requests["elapsed_s"] <= (until_s or run.duration_s)]
    answered = (rows["requests"] - rows["failures"]).to_numpy(dtype=float)
    known = np.isfinite(answered)
    distinct, first = np.unique(answered[known], return_index=True)
    times = rows["elapsed_s"].to_numpy(dtype=float)[known][first]
    if distinct.size < 2 or (np.diff(times) <= 0).any():
        return None
    per_request = (times[-1] - times[0]) / (distinct[-1] - distinct[0])

    def time_of(requests: Floats) -> Floats:
        beyond = np.clip(requests - distinct[-1], 0.0, None)
        return np.asarray(np.interp(requests, distinct, times) + per_request * beyond)

    return time_of


def chosen(found: ResourceVerdict) -> Forecast | None:
    """Return the forecast to draw: that of the first quarter if the end came, else the last."""
    check = found.forecast_check
    if check is not None and check.subject == "exhaustion" and check.forecast is not None:
        return check.forecast
    return found.forecast if found.verdict == "leak" else None


def horizon_s(found: ResourceVerdict, end_s: float) -> float:
    """Return how far the time axis must reach to show the forecast, if it is near enough."""
    forecast = chosen(found)
    if forecast is None or forecast.elapsed_s <= end_s:
        return end_s
    near = forecast.elapsed_s <= LATER * end_s
    return 1.04 * forecast.elapsed_s if near else GLIMPSE * end_s


def reached(found: ResourceVerdict, end_s: float) -> float:
    """Return how high the forecast is at the end of the time axis; 0 where none is drawn."""
    forecast = chosen(found)
    if forecast is None:
        return 0.0
    ahead = forecast.elapsed_s - forecast.made_at_elapsed_s
    share = (end_s - forecast.made_at_elapsed_s) / ahead if ahead > 0 else 1.0
    return forecast.level + min(max(share, 0.0), 1.0) * (forecast.limit - forecast.level)


def growth_notes(found: ResourceVerdict) -> list[str]:
    """What explains the fit of a leak, and the forecast, where they are drawn."""
    notes = [] if not has_fit(found) else [f"dotted: fitted growth, {headline.growth(found)}"]
    forecast = chosen(found)
    return notes if forecast is None else [*notes, _said(forecast, early=_is_early(found))]


def has_fit(found: ResourceVerdict) -> bool:
    """Whether there is fitted growth to draw."""
    return found.fit is not None and found.verdict == "leak"


def _is_early(found: ResourceVerdict) -> bool:
    check = found.forecast_check
    return check is not None and check.forecast is chosen(found)


def forecast_paths(found: ResourceVerdict, clock: Clock | None) -> list[Path]:
    """Return the forecast that is drawn and the two edges of its band; nothing without one.

    Args:
        found: What was found on the resource.
        clock: When requests were answered in the run. With it an early forecast, which is one in
            requests, is drawn over the moments at which those requests really came.
    """
    forecast = chosen(found)
    return [] if forecast is None else _paths(forecast, clock if _is_early(found) else None)


def draw_fit(axes: Axes, found: ResourceVerdict, scale: float = 1.0) -> None:
    """Draw the fitted growth of a leak over the part it was fitted on."""
    if found.fit is None or not has_fit(found):
        return
    line = found.fit.against_elapsed_s
    ends = [line.x_from, line.x_to]
    heights = [line.at(x) * scale for x in ends]
    axes.plot(ends, heights, color=style.INK, lw=1.2, ls=(0, (1.2, 1.8)), label="fit", zorder=4)


def draw_forecast(
    axes: Axes, found: ResourceVerdict, clock: Clock | None = None, scale: float = 1.0
) -> None:
    """Draw the forecast to the limit with its 90 % band.

    Args:
        axes: The panel of the resource; its x range stays as it is.
        found: What was found on the resource.
        clock: As `forecast_paths` has it.
        scale: From the unit of the resource to that of the axis.
    """
    forecast = chosen(found)
    if forecast is None:
        return
    middle, low, high = forecast_paths(found, clock)
    end = axes.get_xlim()[1]
    times, heights = (np.concatenate([low[i], high[i][::-1]]) for i in (0, 1))
    heights = heights * scale
    axes.fill(times, heights, color=BAND, alpha=0.28, lw=0, label="forecast band", zorder=1.8)
    axes.plot(middle[0], middle[1] * scale, color=BAND, lw=1.5, label="forecast", zorder=3.5)
    made = (forecast.made_at_elapsed_s, forecast.level * scale)
    axes.plot(*made, "o", color=BAND, ms=5, label="_made", zorder=5)
    axes.set_xlim(right=end)


def _paths(forecast: Forecast, clock: Clock | None) -> list[Path]:
    """Return the forecast and the two edges of its band, from when it was made to the limit."""
    start, made = forecast.made_at_elapsed_s, forecast.made_at_requests
    counts = forecast.requests_interval
    if clock is None or made is None or forecast.requests is None or counts is None:
        end, span = forecast.elapsed_s, forecast.interval_s
        latest = start + FAR * max(end - start, start, 1e-9)
        rise = np.array([forecast.level, forecast.limit])
        return [(np.array([start, min(at, latest)]), rise) for at in (end, span.low, span.high)]
    height = np.linspace(forecast.level, forecast.limit, POINTS)
    found = []
    for until in (forecast.requests, counts.low, counts.high):
        times = clock(np.linspace(made, min(until, FAR * max(made, 1.0)), POINTS))
        times[0] = start
        found.append((np.maximum.accumulate(times), height))
    return found


def _said(forecast: Forecast, *, early: bool) -> str:
    interval = forecast.requests_interval
    if early and forecast.requests is not None and interval is not None:
        high = units.count(interval.high) if math.isfinite(interval.high) else "never"
        return (
            f"violet: early forecast, limit after {units.several(forecast.requests, 'request')}"
            f" (90 %: {units.count(interval.low)} to {high})"
        )
    when = "early forecast" if early else "forecast"
    return (
        f"violet: {when}, limit at {units.duration(forecast.elapsed_s)}"
        f" (90 %: {headline.moments(forecast.interval_s)})"
    )
