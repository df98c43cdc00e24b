"""Response times of a run, and whether they can be trusted: the load generator may have been late.

A response time is counted from when the request was due. What the generator itself was late is in
it, and says nothing of the service.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.model import Floats

MOST_LATE_SHARE = 0.2
"""A percentile of response times is doubted if the generator's own lateness is more of it."""
DOUBTED = " (?)"
"""What stands behind a response time that is not to be trusted."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Response times over a whole run, in milliseconds. None is what is not known.

    Attributes:
        p50_ms: Median.
        p99_ms: 99th percentile.
        approximate: Whether they were put together from the percentiles of the ticks.
        late_p50_ms: How late requests left after they were due, the median.
        late_p99_ms: 99th percentile of the same.
    """

    p50_ms: float | None
    p99_ms: float | None
    approximate: bool
    late_p50_ms: float | None = None
    late_p99_ms: float | None = None

    @property
    def p50_doubted(self) -> bool:
        """Whether the median says too much of the generator to be trusted."""
        return bool(doubted(self.p50_ms, self.late_p50_ms))

    @property
    def p99_doubted(self) -> bool:
        """Whether the 99th percentile does."""
        return bool(doubted(self.p99_ms, self.late_p99_ms))

    @property
    def p50(self) -> str:
        """The median as it is shown."""
        return _marked(self.p50_ms, is_doubted=self.p50_doubted)

    @property
    def p99(self) -> str:
        """The 99th percentile as it is shown."""
        return _marked(self.p99_ms, is_doubted=self.p99_doubted)

    @property
    def warning(self) -> str | None:
        """Which of them are not to be trusted, and why; None if all are."""
        told = [
            f"the {name} ({units.milliseconds(value)}), the generator was late by "
            f"{units.milliseconds(late)}"
            for name, value, late, is_doubted in (
                ("median", self.p50_ms, self.late_p50_ms, self.p50_doubted),
                ("p99", self.p99_ms, self.late_p99_ms, self.p99_doubted),
            )
            if is_doubted
        ]
        if not told:
            return None
        return (
            f"response times not to be trusted, marked{DOUBTED}: {'; '.join(told)}; "
            "give the load generator more of a processor, or send less"
        )

    def to_json(self) -> dict[str, Any]:
        """As verdict.json has it."""
        return {
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "approximate": self.approximate,
            "late_p50_ms": self.late_p50_ms,
            "late_p99_ms": self.late_p99_ms,
            "p50_doubted": self.p50_doubted,
            "p99_doubted": self.p99_doubted,
        }


def doubted(latency_ms: Any, late_ms: Any) -> NDArray[np.bool_]:
    """Whether response times are not to be trusted, for the generator was late itself.

    Args:
        latency_ms: A percentile of response times, or several of them; None or NaN where unknown.
        late_ms: The same percentile, of the same time, of how late requests left.
    """
    latency, late = (np.asarray(each, dtype=float) for each in (latency_ms, late_ms))
    return np.asarray(late > MOST_LATE_SHARE * latency)  # what is unknown is not doubted


def _marked(value: float | None, *, is_doubted: bool) -> str:
    return units.milliseconds(value) + (DOUBTED if is_doubted else "")


def overall_latency(run: Run) -> Latency:
    """Return the response times of the whole run.

    run.json carries them in `latency_ms`, counted over all requests, and in `lateness_ms` how late
    these left. Without it they are approximated from the ticks of requests.csv, each weighted by
    its requests: the weighted median of their medians, and the weighted 99th percentile of their
    99th percentiles, which is at or above the true one.
    """
    late_p50, late_p99 = _recorded(run, "lateness_ms") or _of_ticks(run, "late_")
    if found := _recorded(run, "latency_ms"):
        return Latency(*found, False, late_p50, late_p99)
    p50, p99 = _of_ticks(run, "")
    return Latency(p50, p99, p50 is not None or p99 is not None, late_p50, late_p99)


def _recorded(run: Run, key: str) -> tuple[float | None, float | None] | None:
    """Median and 99th percentile as run.json has them; None where it has neither."""
    recorded = run.metadata.raw.get(key)
    if not isinstance(recorded, Mapping):
        return None
    p50, p99 = _figure(recorded.get("p50")), _figure(recorded.get("p99"))
    return None if p50 is None and p99 is None else (p50, p99)


def _figure(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _of_ticks(run: Run, prefix: str) -> tuple[float | None, float | None]:
    if not len(run.requests):
        return None, None
    weights = np.diff(run.requests["requests"].to_numpy(dtype=float), prepend=0.0)
    p50, p99 = (
        _weighted(run.requests[f"{prefix}{name}_ms"].to_numpy(dtype=float), weights, share)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    )
    return p50, p99


def _weighted(values: Floats, weights: Floats, share: float) -> float | None:
    known = np.isfinite(values) & (weights > 0)
    if not known.any():
        return None
    weights = weights[known]
    return float(np.quantile(values[known], share, weights=weights, method="inverted_cdf"))
