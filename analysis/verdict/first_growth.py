"""What memory does before a service is warm, and what a heap can hide, by what runs it.

A heap takes from the system before it gives back to itself, and a service fills its caches and
pools with its first requests: growth that begins with the load is no leak yet. How much that is,
how long it lasts and how much of a leak a heap swallows before it shows was measured on recorded
runs of small services, half of them (`benchmarks/memory`, docs/verdict.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis.verdict.growth import Growth
from tidemark.analysis.verdict.model import Floats
from tidemark.analysis.verdict.tracks import Track
from tidemark.record.metrics import KIB, MIB

CACHED_BYTES = 12 * KIB
"""What a healthy service keeps of a request while its caches fill, ..."""
CACHED_REQUESTS = 3000.0
"""... which they have done after so many requests, ..."""
CACHED_S = 1800.0
"""... or seconds, at whatever rate, ..."""
UNCOUNTED_S = 600.0
"""... or these, where requests are not known."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a healthy process of one kind does with memory under a load.

    Attributes:
        phrase: What one of its processes is called.
        first: What it grows by at first, bytes.
        first_s: For how long, seconds of load.
        wander: By how much it goes up and down later, bytes.
        hidden: What its heap may have free, bytes: so much of a leak does not show.
    """

    phrase: str
    first: float
    first_s: float
    wander: float
    hidden: float


UNKNOWN = Runtime("any process", 8 * MIB, 180.0, 4 * MIB, 4 * MIB)
"""What is taken of a runtime that was not measured, or not recognised."""
RUNTIMES = {
    "cpython": Runtime("a Python process", 3 * MIB, 120.0, 2 * MIB, 3 * MIB),
    "go": Runtime("a Go process", 8 * MIB, 120.0, 2 * MIB, 4 * MIB),
    "node": Runtime("a Node process", 16 * MIB, 300.0, 4 * MIB, 8 * MIB),
    "native": Runtime("a native process", 2 * MIB, 60.0, MIB, MIB),
    "jvm": Runtime("a JVM", 256 * MIB, 900.0, 64 * MIB, 64 * MIB),
}
"""Those that were measured, by their names in the event `runtime_seen`: resident memory."""
COLLECTED = Runtime("a JVM", 8 * MIB, 180.0, 4 * MIB, MIB)
"""The same of the heap that a JVM keeps after its collections."""


@dataclass(frozen=True, slots=True)
class FirstGrowth:
    """What the processes of a target do before they are warm.

    Attributes:
        phrase: What one of them is called; the one that takes longest.
        first: What all of them grow by at first, bytes.
        first_s: For how long, seconds of load.
        wander: By how much they go up and down later, bytes.
        hidden: What all of them may have free, bytes.
        begin_x: X when the load began.
        begin_s: When that was, seconds since the run began.
        per_request: Whether x is requests.
        cached: What they keep of a request while their caches fill, bytes.
    """

    phrase: str
    first: float
    first_s: float
    wander: float
    hidden: float
    begin_x: float
    begin_s: float
    per_request: bool
    cached: float = CACHED_BYTES

    def beyond_control(self) -> "FirstGrowth":
        """What is left of it where that of a control run was taken away."""
        return replace(self, first=0.0, cached=0.0, wander=0.5 * self.wander)

    def allowed(self, growth: Growth) -> float:
        """By how much a healthy service may grow over the judged part, bytes."""
        x, at = growth.points.x, growth.points.elapsed_s
        return max(self.wander, self._heap(float(at[0])) + self._cached(x, at))

    def _heap(self, from_s: float) -> float:
        """What is left of the first growth of the heap."""
        return self.first * max(0.0, 1.0 - (from_s - self.begin_s) / self.first_s)

    def _cached(self, x: Floats, at: Floats) -> float:
        """What may have been kept in caches that fill, while they do."""
        if not self.per_request:
            is_over = float(at[0]) >= self.begin_s + UNCOUNTED_S
            return 0.0 if is_over or not self.cached else math.inf
        filling = at < self.begin_s + CACHED_S
        if not filling.any():
            return 0.0
        last = min(float(x[filling][-1]) - self.begin_x, CACHED_REQUESTS)
        return self.cached * max(0.0, last - (float(x[0]) - self.begin_x))

    @property
    def tolerated(self) -> float:
        """Growth that may go unseen in what is called clean, bytes."""
        return 0.5 * self.hidden

    @property
    def shown(self) -> float:
        """Growth that shows, if it is sure, bytes: what is called clean does not."""
        return 0.5 * self.tolerated

    def share_after(self, track: Track) -> float:
        """The share of a track that comes after it."""
        return float(self.is_over(track).mean()) if len(track) else 0.0

    def is_over(self, track: Track) -> NDArray[np.bool_]:
        """Which bins of a track come after it."""
        loaded_s = track.elapsed_s - self.begin_s
        if self.per_request:
            filled = (track.x - self.begin_x >= CACHED_REQUESTS) | (loaded_s >= CACHED_S)
        else:
            filled = loaded_s >= UNCOUNTED_S
        return np.asarray(filled & (loaded_s >= self.first_s))

    def told_after_s(self, slope: float, rate: float) -> float:
        """For how long a load must last until a growth can be told from it, seconds.

        Args:
            slope: The growth, bytes per unit of x.
            rate: X per second.
        """
        filled = min(CACHED_REQUESTS / rate, CACHED_S) if self.per_request else UNCOUNTED_S
        over = max(self.first_s, filled)
        grown = slope * rate
        after = 1.5 * over + (self.wander / grown if grown > 0 else 0.0)
        if not self.per_request and self.cached:
            return after  # any growth may be that of caches until then
        beyond = (slope - self.cached) * rate
        return min(after, self.first / beyond) if beyond > 0 else after


def first_growth(
    kinds: Sequence[Runtime], begin_x: float, begin_s: float, *, per_request: bool
) -> FirstGrowth:
    """What several processes do together.

    Args:
        kinds: What each of them is; at least one.
        begin_x: X when the load began.
        begin_s: When that was, seconds since the run began.
        per_request: Whether x is requests.
    """
    longest = max(kinds, key=lambda kind: kind.first_s)
    return FirstGrowth(
        phrase=longest.phrase,
        first=sum(kind.first for kind in kinds),
        first_s=longest.first_s,
        wander=sum(kind.wander for kind in kinds),
        hidden=sum(kind.hidden for kind in kinds),
        begin_x=begin_x,
        begin_s=begin_s,
        per_request=per_request,
    )
