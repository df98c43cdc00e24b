"""The load of a run, as its generator counted it: whether there was one, when, and for how long."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from tidemark.analysis.run import Run
from tidemark.record.events import LevelReached
from tidemark.record.layout import REQUESTS


@dataclass(frozen=True)
class CountedLoad:
    """What requests.csv tells of the load; where it has no counts there are no times either."""

    run: Run

    @cached_property
    def counted(self) -> pd.DataFrame:
        """requests.csv, rows without counts left out."""
        return self.run.counts

    @cached_property
    def is_driven(self) -> bool:
        """Whether a load was meant; a run that is only watched has no requests.csv."""
        return len(self.run.requests) > 0 or (self.run.path / REQUESTS.file).exists()

    @property
    def begin_s(self) -> float:
        """When the load began."""
        return float(self.counted["elapsed_s"].iloc[0])

    @cached_property
    def last_s(self) -> float:
        """When the load generator counted last."""
        return float(self.counted["elapsed_s"].iloc[-1])

    @property
    def duration_s(self) -> float:
        """For how long there was a load."""
        return self.last_s - self.begin_s - self.interrupted_s(self.begin_s, self.last_s)

    def interrupted_s(self, begin_s: float, end_s: float) -> float:
        """How much of a span the run was not there: it was cut off, and gone on with later."""
        spans = self.run.interruptions
        return sum(max(min(end, end_s) - max(begin, begin_s), 0.0) for begin, end in spans)

    @property
    def planned_s(self) -> float | None:
        """How long the load was to last; None where nobody said.

        One that was to end at the level of a resource has lasted long enough where it did.
        """
        if (stopped := self.run.first(LevelReached)) and stopped.elapsed_s > self.begin_s:
            return stopped.elapsed_s - self.begin_s
        told = self.run.metadata.load.get("run_time_s")
        if isinstance(told, bool) or not isinstance(told, int | float) or not told > 0:
            return None
        return float(told)
