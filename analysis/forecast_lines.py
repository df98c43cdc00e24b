"""The growth that was fitted, and where it leads, drawn into a panel."""

import math

from matplotlib.axes import Axes

from analysis import finding, style, units
from analysis.model import Forecast, ResourceVerdict

LATER = 2.0
"""The time axis is drawn out to the forecast death if that is at most this many run lengths."""

GLIMPSE = 1.15
"""Otherwise it shows where the forecast leads for this many run lengths."""

FAR = 50.0
"""A band that has no end is drawn to so many widths of the axis."""

FIT = style.INK
BAND = "#8c6bb1"


def chosen(found: ResourceVerdict) -> Forecast | None:
    """Return the forecast to draw: that of the first quarter if the end came, else the last."""
    check = found.forecast_check
    if check is not None and check.subject == "exhaustion" and check.forecast is not None:
        return check.forecast
    return found.forecast if found.verdict == "leak" else None


def horizon_s(found: ResourceVerdict, end_s: float) -> float:
    """Return how far the time axis must reach to show the forecast, if it is near enough."""
    forecast = chosen(found)
    if found.resource != "fds" or forecast is None or forecast.elapsed_s <= end_s:
        return end_s
    near = forecast.elapsed_s <= LATER * end_s
    return 1.04 * forecast.elapsed_s if near else GLIMPSE * end_s


def draw_fit(axes: Axes, found: ResourceVerdict, scale: float = 1.0) -> str:
    """Draw the fitted growth of a leak over the part it was fitted on; return what explains it."""
    if found.fit is None or found.verdict != "leak":
        return ""
    line = found.fit.against_elapsed_s
    ends = [line.x_from, line.x_to]
    axes.plot(
        ends,
        [line.at(x) * scale for x in ends],
        color=FIT,
        lw=1.2,
        ls=(0, (1.2, 1.8)),
        label="fit",
        zorder=4,
    )
    return f"dotted: fitted growth, {finding.growth(found)}"


def draw_forecast(axes: Axes, found: ResourceVerdict) -> str:
    """Draw the forecast to the limit with its 90 % band; return what explains it."""
    forecast = chosen(found)
    if forecast is None:
        return ""
    made, end = forecast.made_at_elapsed_s, axes.get_xlim()[1]
    low, high = forecast.interval_s.low, forecast.interval_s.high
    top = forecast.limit
    axes.fill(
        [made, low, min(high, FAR * end)],
        [forecast.level, top, top],
        color=BAND,
        alpha=0.28,
        lw=0,
        label="forecast band",
        zorder=1.8,
    )
    ends = [forecast.level, top]
    axes.plot([made, forecast.elapsed_s], ends, color=BAND, lw=1.5, label="forecast", zorder=3.5)
    axes.plot(made, forecast.level, "o", color=BAND, ms=5, label="_made", zorder=5)
    axes.set_xlim(right=end)
    return _said(found, forecast)


def _said(found: ResourceVerdict, forecast: Forecast) -> str:
    check = found.forecast_check
    early = check is not None and forecast is check.forecast
    when = "early forecast" if early else "forecast"
    interval = forecast.interval_s
    high = units.duration(interval.high) if math.isfinite(interval.high) else "never"
    return (
        f"violet: {when}, limit at {units.duration(forecast.elapsed_s)}"
        f" (90 %: {units.duration(interval.low)} to {high})"
    )
