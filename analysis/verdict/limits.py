"""The limits that a run recorded."""

import math
from dataclasses import dataclass

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.series import ProcessSeries
from tidemark.record.events import LimitsRead
from tidemark.record.metrics import Metric

_ENDLESS = 2**62
"""What a kernel says where there is no limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the resources of a target may reach.

    Attributes:
        found: `threads_limit` and the like, the lowest that any process has; what was not
            recorded is missing.
    """

    found: dict[str, float]

    def of(self, metric: Metric, process: ProcessSeries | None) -> float | None:
        """The limit of a metric; one that each process has for itself is the process's own."""
        if metric.limit is None:
            return None
        if metric.has_own_limit:
            return None if process is None else process.limits.get(metric.name)
        return self.found.get(f"{metric.name}_limit")

    @property
    def local_ports(self) -> float | None:
        """Local ports toward one broker endpoint."""
        low, high = self.found.get("local_ports_low"), self.found.get("local_ports_high")
        return high - low + 1 if low is not None and high is not None and high >= low else None


def read_limits(run: Run) -> Limits:
    """Read the limits from the `limits_read` events: the lowest that any process has."""
    found: dict[str, float] = {}
    for recorded in run.events_of(LimitsRead):
        for name, value in recorded.event.details().items():
            if isinstance(value, int | float) and math.isfinite(value) and 0 < value <= _ENDLESS:
                found[name] = min(float(value), found.get(name, math.inf))
    return Limits(found)
