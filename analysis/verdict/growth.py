"""How a track grows once it is warm, and whether that growth goes on.

The judged part begins at the earliest share of the run from which on the growth neither slows
down nor speeds up. If there is no such share, the growth is still slowing down at the end: that
is a fill which has not shown its end, not a leak.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tidemark.analysis.verdict.model import Floats, Interval
from tidemark.analysis.verdict.regression import LineFit, Points, enough, fit_line
from tidemark.analysis.verdict.tracks import Track
from tidemark.analysis.verdict.trend import hamed_rao, theil_sen

STARTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Shares of a track at which the judged part may begin."""
ENVELOPES = ("value", "floor")
"""The medians and the minima of groups of bins: a sawtooth or a burst leaves the minima alone."""
STEADY_RATIO = 0.85
"""Growth that keeps this share of its rate from the first half to the second is steady."""
HINT_OF_BEND = 0.8
"""The same once an earlier start has shown that growth slows down: then a hint is enough."""
SURE_OF_BEND = 0.98
"""Probability above which growth is believed to slow down or to speed up."""
LATEST_OF_SPEEDING = 0.6
"""Growth that speeds up is measured on its last part, but on no less than the rest after this."""
RISING_SHARE = 0.6
"""Kendall's tau above which ranks agree with growth whatever the correction for autocorrelation,
which overshoots where most of the series is growth."""
FEWEST_LIVES = 5
"""With fewer lives than these the rank test looks at the longest one alone."""
FEWEST_POINTS = 8
"""Below this many points nothing is judged."""
FEWEST_TO_FORECAST = 5
"""A forecast carries its own uncertainty, so that fewer will do."""


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth of a track over its judged part.

    Attributes:
        start: Share of the track at which the judged part begins.
        track: The judged part.
        envelope: `value` or `floor`: what the line was fitted to.
        slope: Theil-Sen slope, per unit of x.
        interval: 90 % interval of the slope.
        upper: The growth that is excluded with 95 %: also counts steps that can be missed by luck.
        chance: Probability that there is no growth at all.
        chance_late: Probability that there was none in the second half of the judged part.
        monotonic_chance: One-sided p-value of a rank test: Mann-Kendall after Hamed and Rao, or
            with several lives Wilcoxon's signed ranks of their slopes.
        slowing: Whether growth slows down to the very end.
        slowed: Whether it was seen to slow down from an earlier start on.
        speeding: Whether growth speeds up.
        ups: Number of rises between points.
        downs: Number of falls between points.
        total: Growth over the judged part, in the unit of the resource (slope times span).
        spread: Standard deviation around the line.
        points: What the line was fitted to.
        fit: The fitted line.
    """

    start: float
    track: Track
    envelope: str
    slope: float
    interval: Interval
    upper: float
    chance: float
    chance_late: float
    monotonic_chance: float
    slowing: bool
    slowed: bool
    speeding: bool
    ups: int
    downs: int
    total: float
    spread: float
    points: Points
    fit: LineFit | None

    @property
    def mean_slope(self) -> float:
        """The slope of the fitted line, which unlike the median of slopes follows a step."""
        return 0.0 if self.fit is None else 2.0 * self.fit.slope.mean / self.longest_span

    @property
    def longest_span(self) -> float:
        """How far x goes within the longest life of the judged part."""
        return _longest_span(self.points)


def measure(track: Track, resolution: float, fewest: int = FEWEST_POINTS) -> Growth | None:
    """Measure the growth of a track.

    Args:
        track: The track, load and limit already taken care of.
        resolution: The smallest step the resource can make.
        fewest: How many points there must be.

    Returns:
        None when there are too few points.
    """
    best: Growth | None = None
    for envelope in ENVELOPES:
        found = _measure_envelope(track, resolution, envelope, fewest)
        if found is not None and (best is None or _clearer(found, best)):
            best = found
    return best


def _clearer(one: Growth, other: Growth) -> bool:
    if one.slowing != other.slowing:
        return other.slowing
    return one.interval.width < 0.8 * other.interval.width


def later_parts(track: Track, resolution: float, after: float) -> Iterator[Growth]:
    """The growth of ever later parts of a track, in both envelopes."""
    for start in STARTS:
        if start > after:
            for envelope in ENVELOPES:
                found = measure_from(track, resolution, start, envelope)
                if found is not None and len(found.points) >= FEWEST_POINTS:
                    yield found


def _measure_envelope(track: Track, resolution: float, envelope: str, fewest: int) -> Growth | None:
    found: Growth | None = None
    for start in STARTS:
        if found is not None and not found.slowing and start > LATEST_OF_SPEEDING:
            break
        slowed = found is not None and (found.slowing or found.slowed)
        following = measure_from(track, resolution, start, envelope, slowed=slowed)
        if following is None or len(following.points) < fewest:
            break
        found = following
        if not found.slowing and not found.speeding:
            break
    return found


def measure_from(
    track: Track, resolution: float, start: float, envelope: str, *, slowed: bool = False
) -> Growth | None:
    """Measure the growth from one start on; None when there are too few points.

    Args:
        track: The track.
        resolution: The smallest step the resource can make.
        start: Share of the track at which to begin.
        envelope: `value` or `floor`.
        slowed: Whether growth was seen to slow down from an earlier start on.
    """
    part = track.after(start)
    points = part.points(envelope)
    if len(points) < FEWEST_TO_FORECAST or not enough(points, bent=True) or part.span_x <= 0:
        return None
    luck = 6.0 * resolution / _longest_span(points)  # three steps can stay away by luck
    steps = _steps(points)
    flat = Growth(
        start=start,
        track=part,
        envelope=envelope,
        slope=0.0,
        interval=Interval(0.0, luck),
        upper=luck,
        chance=0.5,
        chance_late=0.5,
        monotonic_chance=0.5,
        slowing=False,
        slowed=slowed,
        speeding=False,
        ups=int((steps > 0).sum()),
        downs=int((steps < 0).sum()),
        total=0.0,
        spread=0.0,
        points=points,
        fit=None,
    )
    return _fitted(flat, resolution, luck) if steps.any() else flat


def _fitted(flat: Growth, resolution: float, luck: float) -> Growth:
    points = flat.points
    half = 0.5 * _longest_span(points)
    bent = fit_line(points, resolution, bent=True)
    fit = fit_line(points, resolution)
    plain = fit.without_load(points)
    slope = _slope(plain)
    low, high = (fit.slope.quantile(q) / half for q in (0.05, 0.95))
    chance = fit.slope.below(0.0)
    few_steps = slope * 2 * half < 6 * resolution
    return replace(
        flat,
        slope=slope,
        interval=Interval(min(low, slope), max(high, slope)),
        upper=max(high, luck if few_steps else high),
        chance=chance,
        chance_late=bent.contrast(1.0, 1.0).below(0.0),
        monotonic_chance=_monotonic_chance(plain),
        slowing=_slows(bent, 1.0, HINT_OF_BEND if flat.slowed else SURE_OF_BEND),
        speeding=_slows(bent, -1.0, SURE_OF_BEND),
        total=slope * 2 * half,
        spread=_spread(plain, slope),
        fit=fit,
    )


def _slows(bent: LineFit, direction: float, sure: float) -> bool:
    """Whether growth in the second half is surely less than most of that in the first.

    With a direction of -1 the halves change places.
    """
    keeps = bent.contrast(1.0 - STEADY_RATIO, direction * (1.0 + STEADY_RATIO))
    return keeps.below(0.0) > sure


def _longest_span(points: Points) -> float:
    spans = [np.ptp(points.x[points.life == life]) for life in range(int(points.life.max()) + 1)]
    return float(max(spans))


def _steps(points: Points) -> Floats:
    steps = np.diff(points.y)
    return np.asarray(steps[np.diff(points.life) == 0])


def _slope(points: Points) -> float:
    """Theil-Sen slope; with several lives the mean of theirs, weighted by their spans squared."""
    slopes = _life_slopes(points)
    weights = [np.ptp(points.x[points.life == life]) ** 2 for life in range(len(slopes))]
    return float(np.average(slopes, weights=weights)) if sum(weights) > 0 else 0.0


def _life_slopes(points: Points) -> list[float]:
    lives = [points.life == life for life in range(int(points.life.max()) + 1)]
    return [theil_sen(points.x[inside], points.y[inside]) for inside in lives]


def _monotonic_chance(points: Points) -> float:
    slopes = np.array(_life_slopes(points))
    if len(slopes) >= FEWEST_LIVES and slopes.any():
        from scipy.stats import wilcoxon  # noqa: PLC0415 (slow to load, and rarely needed)

        found = wilcoxon(slopes, alternative="greater", zero_method="zsplit")
        return float(found.pvalue)
    longest = int(np.argmax(np.bincount(points.life)))
    values = points.y[points.life == longest]
    trend = hamed_rao(values)
    pairs = len(values) * (len(values) - 1) / 2
    return 0.0 if trend.score > RISING_SHARE * pairs else trend.p_rising


def _spread(points: Points, slope: float) -> float:
    """Standard deviation around the line."""
    residual = points.y - slope * points.x
    for life in range(int(points.life.max()) + 1):
        inside = points.life == life
        residual[inside] -= residual[inside].mean()
    return float(residual.std())
