"""The arrivals of a load in the order in which they are due, and whose each of them is."""

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from tidemark.routes.mix import Drawn, Mix
from tidemark.run.curve import CONSTANT, Curve
from tidemark.run.shares import Shares

KEPT_S = 10.0
"""So long arrivals of others are remembered, should their generator turn out to be lost."""


@dataclass(frozen=True, slots=True, order=True)
class Arrival:
    """One request that is to be sent.

    Attributes:
        due_s: when, seconds since the load began.
        number: which arrival of the run it is, from 0, whoever sends it.
        drawn: which of the run's routes it takes.
        version: of the course that has handed it out.
    """

    due_s: float
    number: int
    drawn: Drawn | None = field(default=None, compare=False)
    version: int = field(default=0, compare=False)


class Course:
    """Hands out the arrivals of one generator.

    All generators walk along all arrivals, so that what number so-and-so is depends on the seed
    alone, and each sends those of its share.

    Args:
        times: when the arrivals are due, seconds since the load began.
        mix: draws their routes.
        shares: whose they are.
        generator: which of the generators this one is, from 0.
    """

    def __init__(self, times: Iterator[float], mix: Mix, shares: Shares, generator: int) -> None:
        self._times: Iterator[tuple[int, float]] = enumerate(times)
        self._mix = mix
        self._shares = shares
        self._generator = generator
        self._returned: list[Arrival] = []
        self._of_others: deque[Arrival] = deque()
        self._until_s = math.inf
        self._version = 0

    def skip(self, numbers: int, until_s: float) -> float:
        """Leave out what was sent before: numbers below one, and what was due until a moment.

        Returns:
            When the last of them was due, or `until_s`, if that is later.
        """
        last_s = until_s
        for number, due_s in self._times:
            if number >= numbers and due_s > until_s:
                self._times = itertools.chain([(number, due_s)], self._times)
                break
            last_s = max(last_s, due_s)
            self._mix.draw()
        return last_s

    def next(self, now_s: float) -> Arrival:
        """The next arrival that nobody has taken; one that is never due when there is none.

        Args:
            now_s: seconds since the load began.
        """
        arrival = heapq.heappop(self._returned) if self._returned else self._walk(now_s)
        if arrival.due_s < self._until_s:
            return arrival
        return Arrival(math.inf, -1, version=self._version)

    def _walk(self, now_s: float) -> Arrival:
        for number, due_s in self._times:
            if due_s >= self._until_s:
                break
            arrival = Arrival(due_s, number, self._mix.draw(), self._version)
            if self._shares.count == 1:
                return arrival
            if self._shares.owner(number, due_s) == self._generator:
                return arrival
            self._of_others.append(arrival)
            while self._of_others[0].due_s < now_s - KEPT_S:
                self._of_others.popleft()
        return Arrival(math.inf, -1)

    def still(self, arrival: Arrival, now_s: float) -> Arrival:
        """The arrival that is to be waited for by who waits for `arrival`, which is not due yet."""
        if arrival.version == self._version:
            return arrival
        if arrival.number >= 0:
            returned = Arrival(arrival.due_s, arrival.number, arrival.drawn, self._version)
            heapq.heappush(self._returned, returned)
        return self.next(now_s)

    def lose(self, generator: int, from_s: float) -> None:
        """Another generator is lost: its arrivals from a moment on are dealt anew."""
        self._shares.lose(generator, from_s)
        self._version += 1
        kept, self._of_others = self._of_others, deque()
        for one in kept:
            if self._shares.owner(one.number, one.due_s) == self._generator:
                mine = Arrival(one.due_s, one.number, one.drawn, self._version)
                heapq.heappush(self._returned, mine)
            else:
                self._of_others.append(one)

    def end(self, until_s: float) -> None:
        """Hand out nothing any more that is due at this moment or later."""
        self._until_s = min(self._until_s, until_s)
        self._version += 1


def arrival_times(rate: float, seed: int, curve: Curve = CONSTANT) -> Iterator[float]:
    """Yield the due times of a Poisson process, in seconds since the load began.

    Args:
        rate: arrivals per second where the curve is at 1, greater than 0.
        seed: the same seed gives the same times.
        curve: how the rate goes over time.
    """
    rng = random.Random(f"arrivals-{seed}")  # noqa: S311 - repeatable, not secret
    expected = 0.0
    while True:
        expected += rng.expovariate(1.0)
        yield curve.time_of(expected / rate)


class Trail:
    """The arrivals that were due of late, for who has to know which a lost generator had.

    Args:
        times: when the arrivals are due, seconds since the load began.
        mix: draws their routes.
    """

    def __init__(self, times: Iterator[float], mix: Mix) -> None:
        self._times = enumerate(times)
        self._mix = mix
        self._last: deque[Arrival] = deque()

    def walk(self, now_s: float) -> None:
        """Go on to where the load is now, and forget what is long past."""
        while not self._last or self._last[-1].due_s <= now_s:
            number, due_s = next(self._times)
            self._last.append(Arrival(due_s, number, self._mix.draw()))
        while len(self._last) > 1 and self._last[0].due_s < now_s - KEPT_S:
            self._last.popleft()

    def between(self, from_s: float, until_s: float) -> list[Arrival]:
        """Those due from one moment to another."""
        return [arrival for arrival in self._last if from_s <= arrival.due_s < until_s]
