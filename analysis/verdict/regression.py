"""A straight line through a series whose errors are correlated.

A resource of a service wobbles with a memory of its own (requests in flight, pools, caches), and
a slow leak of whole descriptors is a staircase: its deviations from a line are a random walk. A
least squares line that takes the points as independent is far too sure of itself with either.

Here the errors are the sum of three parts, each with its own share: white noise, noise with an
exponential memory (AR(1) in continuous time, so that gaps do no harm) and a random walk; the
white part may be stronger at busy moments. The
shares are not known; instead of picking the likeliest ones, the line is fitted under each of a
fixed set of them and the fits are averaged with their restricted likelihoods as weights. That
keeps intervals honest where the data are too few to tell noise with a long memory from growth.

Sources: Harville, "Bayesian inference for variance components using only error contrasts",
Biometrika 61 (1974) for the restricted likelihood as a posterior; Hoeting et al., "Bayesian model
averaging: a tutorial", Statistical Science 14 (1999).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from tidemark.analysis.verdict.model import Floats

MEMORIES = (0.01, 0.03, 0.1, 0.3)
"""Memory of the AR(1) part, as shares of the span of the series."""
AR_SHARES = (0.5, 0.9, 1.0)
"""Share of the AR(1) part in the variance that is no random walk."""
WALKS = (0.0, 0.1, 1.0, 10.0, 300.0)
"""Variance of the random walk over the whole span, in units of the rest of the variance."""
WALK_PRIORS = (0.6, 0.1, 0.1, 0.1, 0.1)
"""What is thought of each of those before the data are seen."""
BASE_PRIORS = (0.5, 0.5)
"""The same of white noise and of all AR(1) noise together, ..."""
BASE_PRIORS_BUSY = (0.25, 0.5, 0.25)
"""... and of white noise, of white noise that is stronger at busy moments, and of AR(1) noise."""
PRIOR_WEIGHT = 2.0
"""How many observations the resolution of the instrument counts for in the variance."""


@dataclass(frozen=True, slots=True)
class Points:
    """A series to put a line through. Arrays have the shape `(n,)` unless said otherwise.

    Attributes:
        elapsed_s: Times, seconds.
        x: What the slope is counted in: requests, or seconds.
        y: The resource.
        life: Which life of a process each point belongs to, 0 to lives - 1. Every life has a
            level of its own, and errors of different lives are independent.
        load: Covariates, shape `(n, k)`: what the load explains and growth must not.
        doubt: Relative variance of the white noise of each point, should it differ; ones if not.
    """

    elapsed_s: Floats
    x: Floats
    y: Floats
    life: NDArray[np.intp]
    load: Floats
    doubt: Floats

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class LineFit:
    """The posterior of the coefficients: a mixture of Student distributions.

    The coefficients are, in this order: slope over the span, bend, then load and levels. With
    `w` running from -1 to 1 over each life, the series is `level + slope * w + bend * w**2`:
    `slope - bend` is the growth over the first half and `slope + bend` that over the second.

    Attributes:
        weights: Of the error models, shape `(m,)`, adding up to 1.
        means: Of the coefficients, shape `(m, p)`.
        covariances: Scale matrices, shape `(m, p, p)`.
        freedom: Degrees of freedom.
        bent: Whether a bend was fitted; if not, the slope comes alone.
        end_level: Level at the last point, without the noise that passes, shape `(m,)`.
        end_scale: Standard deviation of it, shape `(m,)`.
        walk_variance: Variance of the random walk per unit of x, shape `(m,)`.
        half_span: What a slope is divided by to be one per unit of x.
    """

    weights: Floats
    means: Floats
    covariances: Floats
    freedom: float
    bent: bool
    end_level: Floats
    end_scale: Floats
    walk_variance: Floats
    half_span: float

    def contrast(self, slope: float, bend: float = 0.0) -> "Posterior":
        """The posterior of a linear combination of slope and bend."""
        direction = np.zeros(self.means.shape[1])
        direction[0] = slope
        if self.bent:
            direction[1] = bend
        scale = np.sqrt(np.maximum(self.covariances @ direction @ direction, 1e-300))
        return Posterior(self.weights, self.means @ direction, scale, self.freedom)

    def without_load(self, points: Points) -> Points:
        """The series that the line was fitted to, less what the load explains of it."""
        columns = points.load.shape[1]
        if not columns:
            return points
        first = 2 if self.bent else 1
        effect = self.weights @ self.means[:, first : first + columns]
        return replace(points, y=points.y - _standardised(points.load) @ effect)

    @cached_property
    def slope(self) -> "Posterior":
        """The posterior of the slope, per half span."""
        return self.contrast(1.0)


@dataclass(frozen=True, slots=True)
class Posterior:
    """One quantity: a mixture of Student distributions of common degrees of freedom."""

    weights: Floats
    centres: Floats
    scales: Floats
    freedom: float

    @property
    def mean(self) -> float:
        """The mean of the mixture."""
        return float(self.weights @ self.centres)

    def below(self, value: float) -> float:
        """The probability that the quantity is below a value."""
        z = (value - self.centres) / self.scales
        return float(self.weights @ stdtr(self.freedom, z))

    def quantile(self, probability: float) -> float:
        """The value below which the quantity is with that probability."""
        reach = abs(float(stdtrit(self.freedom, min(probability, 1 - probability))))
        low = float(np.min(self.centres - (reach + 1) * self.scales))
        high = float(np.max(self.centres + (reach + 1) * self.scales))
        return float(brentq(lambda value: self.below(value) - probability, low, high))


def fit_line(points: Points, resolution: float, *, bent: bool = False) -> LineFit:
    """Fit a line (with a bend, if asked) under every error model and weigh the fits.

    Args:
        points: The series; at least two points more than there are coefficients.
        resolution: The smallest step the resource can make: no spread is believed below it.
        bent: Whether to fit a bend.
    """
    design, half_span = _design(points, bent=bent)
    covariance, walk_ends = _covariances(points)
    count = design.shape[1]
    right = np.empty((len(covariance), len(points), count + 2))
    right[:, :, :count] = design
    right[:, :, count] = points.y
    right[:, :, count + 1] = walk_ends
    solved = np.linalg.solve(covariance, right)
    normal = design.T @ solved[:, :, :count]
    means = np.linalg.solve(normal, (design.T @ solved[:, :, count : count + 1]))[:, :, 0]
    residual = points.y - means @ design.T
    weighted = solved[:, :, count] - np.einsum("mip,mp->mi", solved[:, :, :count], means)
    freedom = len(points) - count + PRIOR_WEIGHT
    squares = np.maximum(np.einsum("mi,mi->m", residual, weighted), 0.0)
    variance = (squares + PRIOR_WEIGHT * resolution**2) / freedom
    likelihood = -0.5 * (
        np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(normal)[1] + freedom * np.log(variance)
    )
    likelihood += np.log(_priors(len(covariance)))
    weights = np.exp(likelihood - likelihood.max())
    # The walk at the last point, given the series: kriging with the line taken as fitted.
    end = design[-1] - np.einsum("mi,ip->mp", solved[:, :, count + 1], design)
    inverse = np.linalg.inv(normal)
    walked = np.einsum("mi,mi->m", walk_ends, weighted)
    unsure = walk_ends[:, -1] - np.einsum("mi,mi->m", walk_ends, solved[:, :, count + 1])
    unsure += np.einsum("mp,mpq,mq->m", end, inverse, end)
    return LineFit(
        weights=weights / weights.sum(),
        means=means,
        covariances=inverse * variance[:, None, None],
        freedom=freedom,
        bent=bent,
        end_level=means @ design[-1] + walked,
        end_scale=np.sqrt(np.maximum(unsure, 0.0) * variance),
        walk_variance=walk_ends[:, -1] * variance / (2 * half_span or 1.0),
        half_span=half_span,
    )


def _priors(models: int) -> Floats:
    """What is thought of each error model before the data are seen, shape `(models,)`."""
    memorable = len(MEMORIES) * len(AR_SHARES)
    *plain, correlated = BASE_PRIORS_BUSY if models // len(WALKS) > memorable + 1 else BASE_PRIORS
    base = np.array([*plain, *[correlated / memorable] * memorable])
    return np.outer(base, WALK_PRIORS).ravel()


def enough(points: Points, *, bent: bool = False) -> bool:
    """Whether the series has enough points, and they differ enough, for `fit_line`."""
    lives = len(np.unique(points.life))
    if len(points) < 4 + bent + points.load.shape[1] + lives:
        return False
    design, _ = _design(points, bent=bent)
    # Of the normal matrix, which is what has to be solved: it squares how near to singular it is.
    return bool(np.linalg.matrix_rank(design.T @ design) == design.shape[1])


def _design(points: Points, *, bent: bool) -> tuple[Floats, float]:
    """The coefficients' columns, and half of the longest life's span of x."""
    lives = int(points.life.max()) + 1
    position = np.empty(len(points))
    half = 0.0
    for life in range(lives):
        inside = points.life == life
        x = points.x[inside]
        position[inside] = x - 0.5 * (x[0] + x[-1])
        half = max(half, 0.5 * float(x[-1] - x[0]))
    position /= half or 1.0
    levels = (points.life[:, None] == np.arange(lives)).astype(float)
    bend = [position**2] if bent else []
    return np.column_stack([position, *bend, _standardised(points.load), levels]), half or 1.0


def _standardised(load: Floats) -> Floats:
    spread = load.std(axis=0)
    spread[spread == 0] = 1.0
    return np.asarray((load - load.mean(axis=0)) / spread)


def _covariances(points: Points) -> tuple[Floats, Floats]:
    """Covariance matrices of the error models, and the walk's part of their last columns.

    Shapes `(models, n, n)` and `(models, n)`.
    """
    same = points.life[:, None] == points.life
    span = float(np.ptp(points.elapsed_s)) or 1.0
    apart = np.abs(points.elapsed_s[:, None] - points.elapsed_s) / span
    white = np.eye(len(points))
    rest = [white]
    if np.ptp(points.doubt) > 0:
        rest.append(np.diag(points.doubt))
    for memory in MEMORIES:
        memorable = np.where(same, np.exp(-apart / memory), 0.0)
        rest += [share * memorable + (1 - share) * white for share in AR_SHARES]
    walk = _walk(points, same)
    jitter = 1e-6 * white
    matrices = np.array([part + ratio * walk + jitter for part in rest for ratio in WALKS])
    ratios = np.tile(WALKS, len(rest))
    return matrices, ratios[:, None] * walk[:, -1]


def _walk(points: Points, same: NDArray[np.bool_]) -> Floats:
    """Covariance of a random walk along x that starts anew with each life."""
    begun = np.empty(len(points))
    for life in range(int(points.life.max()) + 1):
        inside = points.life == life
        begun[inside] = points.x[inside] - points.x[inside][0]
    span = float(begun.max()) or 1.0
    return np.where(same, np.minimum(begun[:, None], begun), 0.0) / span
