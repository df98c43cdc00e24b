"""What a healthy service makes at first: its pools, one place after another.

A pool that makes a place with each request looks like a leak until it is full, and in a run that
ends before no figure tells the two apart. What does is how much a pool may hold: growth that has
gone beyond the largest pool that is usual, or that goes on after the requests that fill one, is a
leak.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis.verdict.decision import Judgement, Pattern, decide
from tidemark.analysis.verdict.tracks import Track
from tidemark.record.metrics import Measure

POOL = 200.0
"""What a pool may hold, in descriptors, connections or threads: the most that is usual where nobody
has set another size (`maxThreads` of Tomcat; the drivers of MongoDB keep 100 connections)."""
PLACES = 32.0
"""Requests that fill a pool which gets a place with each, though others are free: the most that
Python's ThreadPoolExecutor has by default. Larger ones grow with the requests under way at once."""
FILL_S = 60.0
"""For how long pools fill where requests are not counted, seconds."""


@dataclass(frozen=True, slots=True)
class Filling:
    """When and by how much the pools of a process fill.

    Attributes:
        begin_x: X when the load began.
        begin_s: When that was, seconds since the run began.
        per_request: Whether x is requests.
    """

    begin_x: float
    begin_s: float
    per_request: bool

    def is_over(self, track: Track) -> NDArray[np.bool_]:
        """Which bins of a track come after it."""
        if self.per_request:
            return np.asarray(track.x - self.begin_x >= PLACES)
        return np.asarray(track.elapsed_s - self.begin_s >= FILL_S)

    def told_after_s(self, hourly: float) -> float:
        """For how long a load must last so that as much comes after it, seconds.

        Args:
            hourly: X per hour.
        """
        if not self.per_request:
            return 2.0 * FILL_S
        return 2.0 * PLACES / hourly * 3600.0 if hourly > 0 else 2.0 * FILL_S

    def explains(self, found: Judgement) -> bool:
        """Whether a leak that was found may be a pool that fills, by how much it has grown."""
        growth = found.growth
        return found.decision == "leak" and growth is not None and growth.total <= POOL

    def weighed(
        self, track: Track, found: Judgement, judge_later: Callable[[Track], Judgement]
    ) -> Judgement:
        """The judgement, unless pools explain it: then what comes after them decides.

        Args:
            track: The track.
            found: The judgement on all of it.
            judge_later: Judges the track after them.
        """
        if not self.explains(found):
            return found
        full = track.where(self.is_over(track))
        later = judge_later(full) if len(full) else None
        if later is None or later.decision == "inconclusive":
            return replace(found, decision="inconclusive", pattern=Pattern.FILLING)
        return found if later.decision == "leak" else later

    def judged(
        self, track: Track, found: Judgement, scale: Measure, room: float | None, tests: int
    ) -> Judgement:
        """The same, where what comes after the pools is judged as `decide` does."""
        return self.weighed(track, found, partial(decide, scale=scale, room=room, tests=tests))
