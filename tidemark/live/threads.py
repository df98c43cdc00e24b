"""Threads by name over time, although not all processes are looked at in the same moment."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from tidemark.live.names import Names
from tidemark.live.ticks import Series

Counts = dict[str, float]


class ThreadCounts:
    """The threads of a target by name, from its rows of composition.csv.

    The sampler looks at its processes in rounds, some at a time where there are many. What is
    shown at a moment is what each of them had when it was last looked at; a process that a round
    has not met has ended, and so has one of which that was told.
    """

    def __init__(self) -> None:
        self._round: dict[int, Counts] = {}
        self._before: dict[int, Counts] = {}
        self._looked_s: dict[int, float] = {}
        self._names = Names()
        self._told: dict[str, None] = {}

    def add(self, rows: pd.DataFrame, exits: Mapping[int, float] | None = None) -> Series:
        """The counts at each look of new rows, which come in the order of time.

        A name counts nothing before it was first met, and 0 when none has it any more.

        Args:
            rows: Of one target.
            exits: When which of its processes was said to have ended.
        """
        rows = rows[(rows["kind"] == "thread").to_numpy()]
        times: list[float] = []
        found: list[Counts] = []
        at, pids = rows["elapsed_s"].to_numpy(), rows["pid"].to_numpy()
        edges = np.flatnonzero((np.diff(at, prepend=-1) != 0) | (np.diff(pids, prepend=-1) != 0))
        names, counts = rows["name"].astype("str").to_numpy(), rows["count"].to_numpy()
        for start, end in zip(edges, [*edges[1:], len(at)], strict=False):
            self._forget(exits or {}, float(at[start]))
            self._look(
                int(pids[start]), dict(zip(names[start:end], counts[start:end], strict=True))
            )
            self._looked_s[int(pids[start])] = float(at[start])
            if times and times[-1] == at[start]:
                times.pop()
                found.pop()
            times.append(float(at[start]))
            found.append(self._totals())
        named = dict.fromkeys(name for one in found for name in one)
        table = {name: np.array([one.get(name, np.nan) for one in found]) for name in named}
        return np.array(times), table

    def _look(self, pid: int, counts: Counts) -> None:
        if pid in self._round:  # the next round has begun
            self._before, self._round = self._round, {}
            self._looked_s = {one: self._looked_s[one] for one in self._before}
        self._round[pid] = _summed(self._names.of, [counts])
        self._told |= dict.fromkeys(self._round[pid])

    def _forget(self, exits: Mapping[int, float], now_s: float) -> None:
        """Leave out what has ended since it was last looked at."""
        for pid in self._looked_s.keys() & exits.keys():
            if self._looked_s[pid] < exits[pid] <= now_s:
                for known in (self._round, self._before, self._looked_s):
                    known.pop(pid, None)

    def _totals(self) -> Counts:
        """What all processes have; a name that none has any more counts 0."""
        latest = {**self._before, **self._round}
        return dict.fromkeys(self._told, 0.0) | _summed(str, latest.values())


def _summed(named: Callable[[str], str], several: Iterable[Counts]) -> Counts:
    totals: Counts = {}
    for counts in several:
        for name, count in counts.items():
            totals[named(name)] = totals.get(named(name), 0.0) + float(count)
    return totals
