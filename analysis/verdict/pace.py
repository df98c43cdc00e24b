"""How fast requests come, how unevenly, and how sure that is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis.verdict.model import Floats

WINDOWS = 16
"""Unevenness is that of the counts in so many windows."""
PRIOR_WINDOWS = 24.0
"""Arrivals are thought to be Poisson, as firmly as if so many windows had shown it."""
LEAST_DISPERSION = 0.05
"""No load is believed to be more even than this."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The load of a stretch of a run.

    Attributes:
        per_s: X per second; 0 when nothing came.
        counted: How much x that rests on.
        dispersion: Variance of the counts in windows over their mean: 1 for Poisson arrivals,
            less for users who wait for their answers; 0 where x is seconds and has no chance in it.
    """

    per_s: float
    counted: float
    dispersion: float

    def seconds(self, x: Floats, random: np.random.Generator) -> Floats:
        """How long x takes to come: arrivals, and the pace itself, are known up to chance."""
        known = np.isfinite(x)
        found = np.where(known, x / self.per_s, np.inf)
        if self.dispersion:
            arrived = self.dispersion * random.gamma(x[known] / self.dispersion)
            seen = self.counted / self.dispersion
            pace = self.per_s * random.gamma(seen, 1 / seen, len(arrived))
            # What came all at once says so little that it may not come again.
            found[known] = np.divide(arrived, pace, out=np.full(len(pace), np.inf), where=pace > 0)
        return found


def measure_pace(at: Floats, x: Floats, stretch: NDArray[np.intp], *, counted: bool) -> Pace:
    """Measure the pace over moments of a run, without what lies between its stretches.

    Args:
        at: Moments, seconds.
        x: What is counted, cumulative.
        stretch: Which stretch each moment lies in.
        counted: Whether x is counts, which come by chance.
    """
    together = np.diff(stretch) == 0
    lasted, came = np.diff(at)[together], np.diff(x)[together]
    if not lasted.sum() > 0 or not came.sum() > 0:
        return Pace(0.0, 0.0, 0.0)
    per_s, total = float(came.sum() / lasted.sum()), float(came.sum())
    if not counted:
        return Pace(per_s, total, 0.0)
    group = np.minimum((WINDOWS * np.cumsum(lasted) / lasted.sum()).astype(int), WINDOWS - 1)
    expected = per_s * np.bincount(group, lasted)
    there = expected > 0
    strayed = (np.bincount(group, came)[there] - expected[there]) ** 2 / expected[there]
    freedom = PRIOR_WINDOWS + int(there.sum()) - 1
    return Pace(
        per_s, total, max((PRIOR_WINDOWS + float(strayed.sum())) / freedom, LEAST_DISPERSION)
    )
