"""What people use: four plain detectors, for comparison.

Each gets the sum of the resource over the processes in at most 2,000 bins, and says leak or not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pymannkendall
import ruptures
from numpy.typing import NDArray
from scipy import stats

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.series import bin_run, summed

Floats = NDArray[np.float64]
SIGNIFICANT = 0.01
GREW_SHARE = 0.10
CHANGES = 3


def series(run: Run, resource: str) -> tuple[Floats, Floats]:
    """Times and values of the resource, summed over the processes."""
    bins, processes = bin_run(run)
    total = summed(processes, resource)
    there = np.isfinite(total) & np.isfinite(bins.elapsed_s)
    return bins.elapsed_s[there], total[there]


def linear_regression(at: Floats, value: Floats) -> bool:
    """A least squares slope that is positive with p below 1 %."""
    if np.ptp(value) == 0:
        return False
    fit = stats.linregress(at, value)
    return bool(fit.slope > 0 and fit.pvalue < SIGNIFICANT)


def mann_kendall(at: Floats, value: Floats) -> bool:
    """Plain Mann-Kendall, rising with p below 1 %."""
    del at
    found = pymannkendall.original_test(_thinned(value, 500), alpha=SIGNIFICANT)
    return bool(found.trend == "increasing")


def last_minus_first(at: Floats, value: Floats) -> bool:
    """The last value is a tenth above the first."""
    del at
    return bool(value[-1] - value[0] > GREW_SHARE * max(value[0], 1.0))


def change_points(at: Floats, value: Floats) -> bool:
    """More upward than downward change points (PELT), by at least three."""
    del at
    thin = _thinned(value, 400)
    spread = float(np.std(np.diff(thin))) or 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ends = ruptures.Pelt(model="l2", min_size=5, jump=5).fit_predict(
            thin, pen=3.0 * spread**2 * np.log(len(thin))
        )
    parts = np.split(thin, ends[:-1])
    levels = np.array([part.mean() for part in parts if len(part)])
    return bool(np.sign(np.diff(levels)).sum() >= CHANGES)


def _thinned(value: Floats, most: int) -> Floats:
    if len(value) <= most:
        return value
    return np.array([part.mean() for part in np.array_split(value, most)])


DETECTORS: dict[str, Callable[[Floats, Floats], bool]] = {
    "linear regression, p < 1 %": linear_regression,
    "plain Mann-Kendall, p < 1 %": mann_kendall,
    "last minus first, > 10 %": last_minus_first,
    "change points (ruptures)": change_points,
}
