"""The growth that was fitted, and where it leads, drawn into a panel."""

import math
from dataclasses import dataclass

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
FIT = style.INK
BAND = "#8c6bb1"


Path = tuple[Floats, Floats]
"""Times in seconds and heights of a line."""


@dataclass(frozen=True, eq=False)
class Progress:
    """The requests answered in a run until the limit was met.

    Attributes:
        time_s: Seconds since the run began, increasing, shape (n,).
        answered: Requests answered by then, increasing, shape (n,).
    """

    time_s: Floats
    answered: Floats

    def time_of(self, requests: Floats) -> Floats:
        """Return when so many requests were answered; later ones at the rate of the run."""
        times = np.interp(requests, self.answered, self.time_s)
        per_request = (self.time_s[-1] - self.time_s[0]) / (self.answered[-1] - self.answered[0])
        beyond = np.clip(requests - self.answered[-1], 0.0, None)
        return np.asarray(times + per_request * beyond)


def progress_of(run: Run, until_s: float | None) -> Progress | None:
    """Return the requests answered by `until_s`; None where too few are known."""
    if not len(run.requests):
        return None
    rows = run.requests[run.requests["elapsed_s"] <= (until_s or run.duration_s)]
    answered = (rows["requests"] - rows["failures"]).to_numpy(dtype=float)
    known = np.isfinite(answered)
    distinct, first = np.unique(answered[known], return_index=True)
    times = rows["elapsed_s"].to_numpy(dtype=float)[known][first]
    if distinct.size < 2 or (np.diff(times) <= 0).any():
        return None
    return Progress(times, distinct)


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
    return f"dotted: fitted growth, {headline.growth(found)}"


def draw_forecast(axes: Axes, found: ResourceVerdict, progress: Progress | None = None) -> str:
    """Draw the forecast to the limit with its 90 % band; return what explains it.

    Args:
        axes: The panel of the resource; its x range stays as it is.
        found: What was found on the resource.
        progress: The requests answered in the run. With them an early forecast, which is one in
            requests, is drawn over the moments at which those requests really came.
    """
    forecast = chosen(found)
    if forecast is None:
        return ""
    early = found.forecast_check is not None and forecast is found.forecast_check.forecast
    middle, low, high = _paths(forecast, progress if early else None)
    end = axes.get_xlim()[1]
    axes.fill(
        np.concatenate([low[0], high[0][::-1]]),
        np.concatenate([low[1], high[1][::-1]]),
        color=BAND,
        alpha=0.28,
        lw=0,
        label="forecast band",
        zorder=1.8,
    )
    axes.plot(*middle, color=BAND, lw=1.5, label="forecast", zorder=3.5)
    made = (forecast.made_at_elapsed_s, forecast.level)
    axes.plot(*made, "o", color=BAND, ms=5, label="_made", zorder=5)
    axes.set_xlim(right=end)
    return _said(forecast, early=early)


def _paths(forecast: Forecast, progress: Progress | None) -> tuple[Path, Path, Path]:
    """Return the forecast and the two edges of its band, from when it was made to the limit."""
    made, interval = forecast.made_at_requests, forecast.requests_interval
    if progress is None or made is None or forecast.requests is None or interval is None:
        start = forecast.made_at_elapsed_s
        far = FAR * max(forecast.elapsed_s - start, start, 1e-9)
        moments = (forecast.elapsed_s, forecast.interval_s.low, forecast.interval_s.high)
        ends = [min(at, start + far) for at in moments]
        rise = np.array([forecast.level, forecast.limit])
        one, two, three = ((np.array([start, at]), rise) for at in ends)
        return one, two, three
    counts = (forecast.requests, interval.low, interval.high)
    one, two, three = (_over_requests(forecast, made, count, progress) for count in counts)
    return one, two, three


def _over_requests(forecast: Forecast, made: float, until: float, progress: Progress) -> Path:
    requests = np.linspace(made, min(until, FAR * max(made, 1.0)), POINTS)
    height = np.linspace(forecast.level, forecast.limit, POINTS)
    times = progress.time_of(requests)
    times[0] = forecast.made_at_elapsed_s
    return np.maximum.accumulate(times), height


def _said(forecast: Forecast, *, early: bool) -> str:
    if early and forecast.requests is not None and forecast.requests_interval is not None:
        interval = forecast.requests_interval
        high = units.count(interval.high) if math.isfinite(interval.high) else "never"
        return (
            f"violet: early forecast, limit after {units.count(forecast.requests)} requests"
            f" (90 %: {units.count(interval.low)} to {high})"
        )
    when = "early forecast" if early else "forecast"
    return (
        f"violet: {when}, limit at {units.duration(forecast.elapsed_s)}"
        f" (90 %: {headline.moments(forecast.interval_s)})"
    )
