"""How much of a growth each of several counts accounts for: a regression on their increments.

A level that grows by so much with each request of a route is a sum over the routes' counts, plus
noise of two kinds: what requests hold while they last, and counts and samples that are not taken
at one moment, are gone by the next sample; that a route leaks now and then, and not with each
request, stays in the level for ever. So the increments between samples are regressed on the
increments of the counts, by generalised least squares under errors that are the sum of both: a
difference of white noise, and a part that grows with the requests that leak. How much of each is
chosen by the restricted likelihood.

All counts are nearly proportional to time. What tells routes apart are the chance differences of
their mix from sample to sample, and those alone decide how wide the intervals are: the shorter
the stretches between samples, the more of them there are. Errors that are neither of both kinds
are taken care of by the standard errors, which are the larger of two: those of the model, and
those of the scatter between blocks of time, which hold whatever the memory of the errors within.

Sources: Harville, Biometrika 61 (1974) for the restricted likelihood; Liang and Zeger,
"Longitudinal data analysis using generalized linear models", Biometrika 73 (1986) for errors that
need no model of what goes on within a block.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky_banded, solve_banded
from scipy.special import stdtr, stdtrit

from tidemark.analysis.verdict.model import Floats

PASSING = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0)
"""Variance of the noise that passes, in units of that of a mean increment of the one that stays."""
LEAST_SPREAD = 0.05
"""Variance of an increment without a leaking request, in units of that of the mean increment."""
ROUNDS = 3
"""How often the rates are fitted, each time with errors by what the last ones lead to expect."""
MOST_BLOCKS = 40
"""Blocks of time that the scatter is taken between, ..."""
FEWEST_PER_BLOCK = 4
"""... each of at least so many increments."""
PRIOR_WEIGHT = 2.0
"""How many observations the resolution of the instrument counts for in the variance."""
SAME = 1e-9
"""A count of which others explain all but this share of its variation cannot be told from them."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """A level, and the counts that it may grow with.

    Attributes:
        level: Shape `(n,)`.
        counts: Cumulative, shape `(n, k)`.
        load: What else the level may follow (users, the rate), shape `(n, j)`.
        life: Which life each point belongs to: levels of two of them have nothing in common.
        resolution: Half of the smallest step that the level can make.
    """

    level: Floats
    counts: Floats
    load: Floats
    life: NDArray[np.intp]
    resolution: float

    @property
    def within(self) -> NDArray[np.bool_]:
        """Which increments lie within a life, shape `(n - 1,)`."""
        return np.asarray(np.diff(self.life) == 0)

    @property
    def totals(self) -> Floats:
        """What each count went up by within the lives, shape `(k,)`."""
        return np.asarray(np.diff(self.counts, axis=0)[self.within].sum(axis=0))

    @property
    def blocks(self) -> int:
        """Of how many blocks of time the scatter is taken."""
        return min(MOST_BLOCKS, int(self.within.sum()) // FEWEST_PER_BLOCK)

    @property
    def most_counts(self) -> int:
        """How many counts can be told apart."""
        return (self.blocks - 2) // 2 - int(self.load.shape[1])

    def thinned(self, stride: int) -> "Mixture":
        """Every so many points alone: increments are over so many times as long."""
        kept = slice(None, None, stride)
        level, counts, load, life = self.level, self.counts, self.load, self.life
        return replace(
            self, level=level[kept], counts=counts[kept], load=load[kept], life=life[kept]
        )


@dataclass(frozen=True, slots=True)
class Rates:
    """By how much the level grows with each count. Arrays have the shape `(k,)`.

    Attributes:
        rates: The best estimates.
        errors: Their standard errors; infinite where a count cannot be told from others.
        freedom: Degrees of freedom of those.
    """

    rates: Floats
    errors: Floats
    freedom: float

    def reach(self, probability: float) -> Floats:
        """How far above its estimate each rate is at most, with that probability."""
        return float(stdtrit(self.freedom, probability)) * self.errors

    @property
    def chance(self) -> Floats:
        """Probability that there is no growth with each count."""
        with np.errstate(invalid="ignore", divide="ignore"):
            score = np.where(np.isfinite(self.errors), self.rates / self.errors, 0.0)
        return np.asarray(stdtr(self.freedom, -score))


def fit_rates(mixture: Mixture) -> Rates | None:
    """Fit the rates; None where there are too few increments for so many counts."""
    inside = np.flatnonzero(mixture.within)
    steps = np.diff(mixture.counts, axis=0)[inside]
    design = np.column_stack([steps, np.diff(mixture.load, axis=0)[inside]])
    blocks = mixture.blocks
    if mixture.counts.shape[1] > mixture.most_counts:
        return None
    scale = np.sqrt((design**2).mean(axis=0))
    scale[scale == 0] = 1.0
    rise, joined = np.diff(mixture.level)[inside], np.diff(inside) == 1
    increments = _Increments(rise, design / scale, joined, mixture.resolution)
    wanted = slice(0, steps.shape[1])
    expected = steps.sum(axis=1)
    for _ in range(ROUNDS):
        fit = _likeliest(increments, _spread(expected))
        rates = (fit.coefficients / scale)[wanted]
        expected = steps @ np.maximum(rates, 0.0)
    variance = np.maximum(fit.variance, fit.between(blocks))
    errors = np.where(fit.alone, np.sqrt(variance), np.inf) / scale
    return Rates(rates, errors[wanted], float(blocks - design.shape[1]))


@dataclass(frozen=True, slots=True)
class _Increments:
    """What is regressed on what.

    Attributes:
        rise: Of the level, shape `(m,)`.
        design: Of what it may grow with, each of mean square 1, shape `(m, p)`.
        joined: Which of them begin where the one before ends, without the first, shape `(m - 1,)`.
        resolution: As in `Mixture`.
    """

    rise: Floats
    design: Floats
    joined: NDArray[np.bool_]
    resolution: float


def _spread(expected: Floats) -> Floats:
    """Relative variance of the increments, mean about 1: it grows with what is expected of them."""
    mean = float(expected.mean())
    if mean <= 0:
        return np.ones(len(expected))
    return np.asarray(LEAST_SPREAD + (1 - LEAST_SPREAD) * expected / mean)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Coefficients under one model of the errors.

    Attributes:
        coefficients: Shape `(p,)`.
        variance: Of each, if the model of the errors holds, shape `(p,)`.
        alone: Which of them can be told from the others, shape `(p,)`.
        inverse: Of the normal matrix, shape `(p, p)`.
        scores: What each increment adds to the normal equations, shape `(m, p)`.
        likelihood: Restricted, logarithmic.
    """

    coefficients: Floats
    variance: Floats
    alone: NDArray[np.bool_]
    inverse: Floats
    scores: Floats
    likelihood: float

    def between(self, blocks: int) -> Floats:
        """Variance of each coefficient by the scatter between so many blocks of time."""
        parts = [part.sum(axis=0) for part in np.array_split(self.scores, blocks)]
        influence = np.array(parts) @ self.inverse
        few = blocks / (blocks - len(self.coefficients))
        return np.asarray(few * (influence**2).sum(axis=0))


def _likeliest(increments: _Increments, spread: Floats) -> _Fit:
    fits = (_fit(increments, spread, passing) for passing in PASSING)
    return max(fits, key=lambda fit: fit.likelihood)


def _fit(increments: _Increments, spread: Floats, passing: float) -> _Fit:
    """Fit under errors of which so much passes: it comes with one increment and goes with the next.

    The covariance of the increments has two diagonals, and so has its root.
    """
    below = np.append(np.where(increments.joined, -passing, 0.0), 0.0)
    root = cholesky_banded(np.array([spread + 2 * passing, below]), lower=True)
    both = np.column_stack([increments.design, increments.rise])
    white = solve_banded((1, 0), root, both)
    design, rise = white[:, :-1], white[:, -1]
    vectors, sizes, others = np.linalg.svd(design, full_matrices=False)
    told = sizes > SAME * sizes[0] if sizes[0] > 0 else sizes > 0
    alone = np.asarray((others[~told] ** 2).sum(axis=0) < SAME)
    others, sizes = others[told], sizes[told]
    coefficients = others.T @ (vectors.T[told] @ rise / sizes)
    inverse = (others.T / sizes**2) @ others
    residual = rise - design @ coefficients
    freedom = len(rise) - int(told.sum()) + PRIOR_WEIGHT
    squares = float(residual @ residual) + PRIOR_WEIGHT * increments.resolution**2
    variance = squares / freedom
    likelihood = -np.log(root[0]).sum() - np.log(sizes).sum() - 0.5 * freedom * np.log(variance)
    return _Fit(
        coefficients=coefficients,
        variance=np.asarray(variance * np.diag(inverse)),
        alone=alone,
        inverse=inverse,
        scores=design * residual[:, None],
        likelihood=float(likelihood),
    )
