"""When a resource reaches its limit, and whether the run's beginning had said so.

The level at the end of the judged part, the slope and the unevenness of the growth to come are
drawn from the fitted models many times over; each draw reaches the limit somewhere. Growth in
pieces is a random walk with drift, whose first passage is distributed as inverse Gaussian
(Schroedinger 1915; Folks and Chhikara, J. R. Statist. Soc. B 40, 1978).
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis.verdict.growth import Growth
from tidemark.analysis.verdict.model import Floats, Forecast, ForecastCheck, Interval
from tidemark.analysis.verdict.regression import LineFit
from tidemark.analysis.verdict.scope import Approach
from tidemark.analysis.verdict.window import Window

DRAWS = 4000
SEED = 20
"""The draws are always the same ones: a report rebuilt says what it said."""
EARLY_SHARE = 0.25
"""The share of the run, counted in x, that the early forecast is made from."""
SHARES_WORTH = 5.0
REQUESTS_WORTH = 200.0
"""Shares of the requests are worth so many draws, and one more for so many requests."""
NEVER = 1e15
"""A forecast beyond this many requests or seconds is none."""


def forecast_limit(approach: Approach, window: Window, limit: float) -> Forecast | None:
    """Forecast when the first of the processes that have a limit reaches it.

    Args:
        approach: What grows toward the limit.
        window: What the growth was measured in.
        limit: The limit.

    Returns:
        None when nothing grows toward the limit, or when more than half of the draws never do.
    """
    growth = approach.growth
    if growth.fit is None or growth.slope <= 0 or not window.pace.per_s > 0:
        return None
    random = np.random.default_rng(SEED)
    remaining, level = _passages(approach, growth.fit, limit, random)
    remaining = remaining - max(window.end_x - float(growth.points.x[-1]), 0.0)
    if window.per_request:
        remaining += _whole_requests(growth, random)
    remaining = np.maximum(remaining, 0.0)
    ends = _quantiles(remaining)
    if not ends[1] < NEVER:
        return None
    end_x, end_s = window.end_x, window.end_s
    lasts = _quantiles(window.pace.seconds(remaining, random))
    counted = window.per_request
    return Forecast(
        made_at_elapsed_s=end_s,
        made_at_requests=end_x if counted else None,
        level=level,
        limit=limit,
        requests=end_x + ends[1] if counted else None,
        requests_interval=Interval(end_x + ends[0], end_x + ends[2]) if counted else None,
        elapsed_s=end_s + lasts[1],
        interval_s=Interval(end_s + lasts[0], end_s + lasts[2]),
    )


def _quantiles(draws: Floats) -> list[float]:
    """The ends of the 90 % interval, and the median between them."""
    return [float(np.quantile(draws, q, method="nearest")) for q in (0.05, 0.5, 0.95)]


def _passages(
    approach: Approach, fit: LineFit, limit: float, random: np.random.Generator
) -> tuple[Floats, float]:
    """What x has still to advance until the limit, drawn many times; and the present level."""
    model, slope = _draw(fit, random)
    if len(approach.levels) > 1:
        return _first_of_several(approach, slope, limit, random)
    level = fit.end_level[model] + random.normal(size=DRAWS) * fit.end_scale[model]
    room = np.maximum(limit - level, 0.0)
    there = (slope > 0) & (room > 0)
    remaining = np.where(room > 0, np.inf, 0.0)
    mean = room[there] / slope[there]
    spread = np.maximum(fit.walk_variance[model][there], 1e-12)
    shape = np.clip(room[there] ** 2 / spread, 1e-9, 1e9 * mean)
    remaining[there] = random.wald(mean, shape)
    return remaining, float(np.median(level))


def _draw(fit: LineFit, random: np.random.Generator) -> tuple[NDArray[np.intp], Floats]:
    """Error models of the fit, drawn by their weights, and a slope from each, per unit of x."""
    model = random.choice(len(fit.weights), size=DRAWS, p=fit.weights)
    student = random.standard_t(fit.freedom, size=DRAWS)
    slope = fit.means[model, 0] + student * np.sqrt(fit.covariances[model, 0, 0])
    return model, slope / fit.half_span


def _first_of_several(
    approach: Approach, slope: Floats, limit: float, random: np.random.Generator
) -> tuple[Floats, float]:
    """The same where several processes share the requests, and the first to arrive counts.

    Who answers how many changes slowly (connections are kept alive), so that the shares seen so
    far are worth a few independent draws only, however many requests they rest on.
    """
    grown = np.array(approach.grown)
    worth = SHARES_WORTH + approach.growth.longest_span / REQUESTS_WORTH
    seen = grown / grown.sum() if grown.sum() > 0 else np.full(len(grown), 1 / len(grown))
    shares = random.dirichlet(1.0 + worth * seen, size=DRAWS)
    room = np.maximum(limit - np.array(approach.levels), 0.0)
    speed = np.maximum(slope, 0.0)[:, None] * shares
    with np.errstate(divide="ignore", over="ignore"):
        remaining = np.where(speed > 1e-300, room / np.maximum(speed, 1e-300), np.inf)
    return remaining.min(axis=1), float(max(approach.levels))


def _whole_requests(growth: Growth, random: np.random.Generator) -> Floats:
    """What counting requests adds: the last one fails, and others are on their way meanwhile.

    The limit is reached within a request, which is then not answered; and a count at one moment
    belongs to a sample at another only up to the requests that are answered in between.
    """
    between = 0.5 * float(growth.track.busy.mean())
    return -random.uniform(0.0, 1.0, DRAWS) + between * random.normal(size=DRAWS)


Measure = Callable[[Window], "Approach | None"]
"""Measures what approaches the limit of a resource in a window."""


def check_early_forecast(
    window: Window, measure: Measure, limit: float | None, level_at_end: float | None, unit: str
) -> ForecastCheck | None:
    """Compare what the first quarter of the run says with what happened.

    Args:
        window: The judged part of the run.
        measure: Measures the resource in any window.
        limit: The limit that was reached; None if it was not.
        level_at_end: The level that was seen at the end, where the limit was not reached.
        unit: Name of the resource.

    Returns:
        None when the first quarter holds too little to say anything.
    """
    begin, end = window.begin_x, _actual_x(window)
    early = window.until(begin + EARLY_SHARE * (end - begin))
    approach = measure(early)
    if approach is None:
        return None
    if limit is not None:
        return _check_exhaustion(approach, early, limit, end)
    if level_at_end is None or len(approach.levels) > 1:
        return None
    return _check_level(approach.growth, end, level_at_end, unit)


def _actual_x(window: Window) -> float:
    death = window.death
    if death is None:
        return window.end_x
    if not window.per_request:
        return death.elapsed_s
    return window.end_x if death.requests is None else death.requests


def _check_exhaustion(
    approach: Approach, early: Window, limit: float, actual: float
) -> ForecastCheck | None:
    forecast = forecast_limit(approach, early, limit)
    if forecast is None:
        return None
    predicted, interval, unit = forecast.elapsed_s, forecast.interval_s, "s"
    if forecast.requests is not None and forecast.requests_interval is not None:
        predicted, interval, unit = forecast.requests, forecast.requests_interval, "requests"
    error = (predicted - actual) / actual if actual else math.nan
    covered = interval.contains(actual)
    return ForecastCheck(forecast, "exhaustion", predicted, interval, actual, unit, error, covered)


def _check_level(growth: Growth, end_x: float, actual: float, unit: str) -> ForecastCheck | None:
    fit = growth.fit
    if fit is None:
        return None
    random = np.random.default_rng(SEED)
    model, slope = _draw(fit, random)
    ahead = max(end_x - float(growth.points.x[-1]), 0.0)
    noise = fit.end_scale[model] ** 2 + fit.walk_variance[model] * ahead + growth.spread**2
    level = fit.end_level[model] + slope * ahead
    level += random.normal(size=DRAWS) * np.sqrt(noise)
    low, middle, high = (float(end) for end in np.quantile(level, [0.05, 0.5, 0.95]))
    error = (middle - actual) / actual if actual else math.nan
    interval = Interval(low, high)
    covered = interval.contains(actual)
    return ForecastCheck(None, "level", middle, interval, actual, unit, error, covered)
