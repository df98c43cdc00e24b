"""The lives of a run's processes, as they were sampled: who lived when, and when the target ended.

None of it rests on events alone: whoever should have written one may be gone.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.counted_load import CountedLoad
from tidemark.analysis.verdict.model import Floats
from tidemark.record.events import (
    Recorded,
    TargetExited,
    TargetRestarted,
    TargetStarted,
    WorkerKilled,
)
from tidemark.record.layout import KERNEL_PID
from tidemark.record.metadata import DIED

LONGEST_PAUSE = 5.0
"""Samples pause when the next one comes later than after so many of their intervals, ..."""
PAUSE_SHARE, PAUSE_S = 0.1, (1.0, 5.0)
"""... and later than after this share of the load's time, within these bounds."""


@dataclass(frozen=True)
class Lives:
    """The processes that a run has watched, and the load that they were under."""

    run: Run
    load: CountedLoad

    @cached_property
    def rows(self) -> pd.DataFrame:
        """samples.csv without what belongs to no process; `alive` is what a living one has."""
        rows = self.run.samples[self.run.samples["pid"] != KERNEL_PID]
        unread = rows["fds"].isna() & (rows["rss_bytes"] > 0)
        return rows.assign(alive=(rows["fds"] > 0) | unread)

    @cached_property
    def living(self) -> pd.DataFrame:
        """Those rows that are of a living process."""
        return self.rows[self.rows["alive"]]

    @cached_property
    def place_s(self) -> tuple[float, float]:
        """From when on a target was in another one's place, and until when it had its own.

        Replicas come and go; one that has a successor was not lost.
        """
        own, taken = set(self.rows["pid"]), (-np.inf, np.inf)
        if self.run.target is None:
            return taken
        for one in self.run.events_of(TargetRestarted):
            was, is_now = one.event.former_pid in own, one.event.pid in own
            if is_now and not was and one.event.former_pid is not None:
                taken = (max(taken[0], one.elapsed_s), taken[1])
            elif was and not is_now:
                taken = (taken[0], min(taken[1], one.elapsed_s))
        return taken

    @property
    def end_s(self) -> float:
        """When the load ended, or the target with it."""
        last = min(self.load.last_s, self.place_s[1])
        return last if self.death_s is None else min(last, self.death_s)

    @cached_property
    def death_s(self) -> float | None:
        """When the target ended for good while it was driven; None where it did not."""
        return self._vanished_s if self.exit is None else self.exit.elapsed_s

    @cached_property
    def exit(self) -> Recorded[TargetExited] | None:
        """The event that tells of it."""
        killed = {recorded.event.pid for recorded in self.run.events_of(WorkerKilled)}
        back = self.run.events_of(TargetRestarted)
        died = self.run.outcome == DIED
        last_s = -np.inf if self._others_until_s is None else self._others_until_s
        last_s = self.load.last_s if len(self.load.counted) else last_s
        found = [
            one
            for one in self.run.events_of(TargetExited)
            if (died or one.elapsed_s <= last_s)
            and (one.event.pid is None or one.event.pid not in killed)
            and not any(
                later.elapsed_s >= one.elapsed_s
                and (None in (which := {later.event.target, one.event.target}) or len(which) == 1)
                for later in back
            )
        ]
        return next(iter(found), None)

    @cached_property
    def _vanished_s(self) -> float | None:
        """When a target, or its root, was last seen, if the sampler saw others after that."""
        if not len(self.living):
            return None
        if len(self.load.counted) >= 2:
            begin_s, last_s = self.load.begin_s, self.load.last_s
            seen_s = min(self.run.sampled_until_s, last_s)
        elif self._others_until_s is not None:
            begin_s, seen_s = -np.inf, self._others_until_s + self.longest_pause_s
        else:
            return None
        roots = {pid for target in self.run.metadata.targets for pid in target.pids}
        roots |= {recorded.event.pid or 0 for recorded in self.run.events_of(TargetStarted)}
        rows = self.living[["target", "pid", "elapsed_s"]]
        of_roots = rows[rows["pid"].isin(roots - {KERNEL_PID})]
        lasts = [
            *rows.groupby("target", observed=True)["elapsed_s"].max(),
            *of_roots.groupby(["target", "pid"], observed=True)["elapsed_s"].max(),
        ]
        pause_s = self.longest_pause_s
        back = [recorded.elapsed_s for recorded in self.run.events_of(TargetRestarted)]
        gone = [
            float(last)
            for last in lasts
            if begin_s < last < seen_s - pause_s and not any(at >= last for at in back)
        ]
        return min(gone, default=None)

    @cached_property
    def _others_until_s(self) -> float | None:
        """Until when others lived of several targets that nobody drives; None elsewhere.

        When all of them go at once somebody has ended them.
        """
        until = self.run.watched_until_s
        return None if until is None or self.load.is_driven else until - self.longest_pause_s

    @cached_property
    def ticks(self) -> Floats:
        """When living processes were seen, in order and once each."""
        return np.unique(self.living["elapsed_s"].to_numpy(dtype=float))

    @cached_property
    def longest_pause_s(self) -> float:
        """The longest time between two samples that is no pause."""
        between = np.diff(self.ticks)
        usual = float(np.median(between)) if len(between) else 0.0
        lasted_s = self.load.duration_s if len(self.load.counted) else self.run.sampled_until_s
        return max(LONGEST_PAUSE * usual, float(np.clip(PAUSE_SHARE * lasted_s, *PAUSE_S)))
