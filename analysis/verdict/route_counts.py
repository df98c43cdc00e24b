"""How often each route was asked for, as routes.csv has it."""

from dataclasses import dataclass

import numpy as np

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.model import Floats

NAMELESS = "(no name)"
"""What requests without a name are called."""


@dataclass(frozen=True, slots=True)
class RouteCounts:
    """How often each route was asked for.

    Attributes:
        names: The routes.
        elapsed_s: When each was counted, seconds since the run began.
        requests: The running totals of each at those times.
    """

    names: tuple[str, ...] = ()
    elapsed_s: tuple[Floats, ...] = ()
    requests: tuple[Floats, ...] = ()

    def at(self, elapsed_s: Floats) -> Floats:
        """The counts at some moments, shape `(moments, routes)`."""
        each = zip(self.elapsed_s, self.requests, strict=True)
        return np.array([np.interp(elapsed_s, at, counts) for at, counts in each]).T


def read_routes(run: Run) -> RouteCounts:
    """Read how often each route was asked for; a route that is not in the file yet was not."""
    rows = run.routes[run.routes["requests"].notna()]
    ticks = np.unique(rows["elapsed_s"].to_numpy())
    names, times, counts = [], [], []
    for name, one in rows.groupby("route", observed=True):
        at = one["elapsed_s"].to_numpy()
        before = ticks[ticks < at[0]][-1:]
        total = np.maximum.accumulate(one["requests"].to_numpy())
        names.append(str(name) or NAMELESS)
        times.append(np.concatenate([before, at]))
        counts.append(np.concatenate([np.zeros(len(before)), total]))
    return RouteCounts(tuple(names), tuple(times), tuple(counts))
