"""Response times: exact within a tick, in buckets over a whole run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence


def percentile(ordered: Sequence[float], fraction: float) -> float | None:
    """Nearest-rank percentile of values in ascending order; None when there are none."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


class LatencyHistogram:
    """Response times in milliseconds, kept to three significant digits.

    Memory stays bounded (900 buckets a decade) however long the run, and every percentile is true
    to 0.5 %, which is the idea of HdrHistogram.
    """

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()

    def add(self, values_ms: Iterable[float]) -> None:
        """Count response times in milliseconds."""
        self._counts.update(float(f"{value:.3g}") for value in values_ms)

    def summary(self) -> dict[str, float] | None:
        """Percentiles and maximum in milliseconds, or None when nothing was counted."""
        if not self._counts:
            return None
        fractions = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
        return {name: self.percentile(fraction) for name, fraction in fractions.items()}

    def percentile(self, fraction: float) -> float:
        """Nearest-rank percentile in milliseconds; raises ValueError when nothing was counted."""
        rank = math.ceil(fraction * self._counts.total())
        seen = 0
        for value in sorted(self._counts):
            seen += self._counts[value]
            if seen >= rank:
                return value
        raise ValueError("no response times were counted")
