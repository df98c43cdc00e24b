"""Response times: exact within a tick, in buckets over a whole run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

SIGNIFICANT_DIGITS = 3


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
        self._counts.update(_round(value) for value in values_ms)

    def summary(self) -> dict[str, float] | None:
        """Percentiles and maximum in milliseconds, or None when nothing was counted."""
        if not self._counts:
            return None
        return {
            "p50": self.percentile(0.50),
            "p95": self.percentile(0.95),
            "p99": self.percentile(0.99),
            "max": max(self._counts),
        }

    def percentile(self, fraction: float) -> float:
        """Nearest-rank percentile in milliseconds; raises ValueError when nothing was counted."""
        rank = math.ceil(fraction * self._counts.total())
        seen = 0
        for value in sorted(self._counts):
            seen += self._counts[value]
            if seen >= rank:
                return value
        raise ValueError("no response times were counted")


def _round(value: float) -> float:
    if value <= 0:
        return 0.0
    digits = SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(value))
    return round(value, digits)
