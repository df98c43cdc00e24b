"""Mann-Kendall trend test with the correction of Hamed and Rao, and the Theil-Sen slope.

The second opinion beside the fitted line: both look at ranks and medians only, so that a few wild
values cannot make a trend. Plain Mann-Kendall rejects too often on correlated series (Kulkarni
and von Storch 1995); Hamed and Rao, Journal of Hydrology 204 (1998), correct its variance by the
significant autocorrelations of the ranks of the detrended series.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from tidemark.analysis.verdict.model import Floats


@dataclass(frozen=True, slots=True)
class Trend:
    """Result of the test.

    Attributes:
        score: Kendall's S: pairs that rise minus pairs that fall.
        variance: Variance of S, corrected for ties and autocorrelation.
        z: Normal score of S with continuity correction.
        p_rising: One-sided probability of such a rise without a trend.
    """

    score: float
    variance: float
    z: float
    p_rising: float


def hamed_rao(values: Floats, significance: float = 0.05) -> Trend:
    """Mann-Kendall test with corrected variance.

    Args:
        values: Equally spaced values, shape `(n,)`, n at least 3.
        significance: Level at which a rank autocorrelation counts.
    """
    n = len(values)
    score = _kendall_score(values)
    variance = _tied_variance(values) * _correction(values, n, significance)
    if variance <= 0 or score == 0:
        return Trend(score, max(variance, 0.0), 0.0, 0.5)
    z = (score - np.sign(score)) / np.sqrt(variance)
    return Trend(score, variance, float(z), float(ndtr(-z)))


def theil_sen(x: Floats, y: Floats) -> float:
    """The median of the slopes of all pairs of points of different x; 0 where there is none.

    Theil (1950), Sen (1968). Memory and time grow with the square of the number of points.
    """
    i, j = np.triu_indices(len(x), 1)
    apart = x[j] - x[i]
    there = apart > 0
    if not there.any():
        return 0.0
    return float(np.median((y[j] - y[i])[there] / apart[there]))


def _kendall_score(values: Floats) -> float:
    i, j = np.triu_indices(len(values), 1)
    return float(np.sign(values[j] - values[i]).sum())


def _tied_variance(values: Floats) -> float:
    n = len(values)
    ties = np.unique(values, return_counts=True)[1].astype(float)
    return float((n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18)


def _correction(values: Floats, n: int, significance: float) -> float:
    at = np.arange(1, n + 1, dtype=float)
    detrended = pd.Series(values - at * theil_sen(at, values))
    ranks = np.asarray(detrended.rank(), dtype=np.float64)
    correlation = _autocorrelation(ranks)
    bound = ndtri(1 - significance / 2) / np.sqrt(n)
    lag = np.arange(1, n)
    counted = np.where(np.abs(correlation[1:]) > bound, correlation[1:], 0.0)
    total = ((n - lag) * (n - lag - 1) * (n - lag - 2) * counted).sum()
    return float(1 + 2 / (n * (n - 1) * (n - 2)) * total)


def _autocorrelation(values: Floats) -> NDArray[np.float64]:
    centred = values - values.mean()
    power = float(centred @ centred)
    if power == 0:
        return np.zeros(len(values))
    return np.asarray(np.correlate(centred, centred, "full")[len(values) - 1 :] / power)
