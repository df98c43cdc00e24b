"""How the rate of a load goes over time, and when its arrivals are due by that."""

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Piece:
    """A straight piece of a curve.

    Attributes:
        lasts_s: how long it is, seconds.
        first: the level that it begins at, in multiples of the rate.
        last: the level that it ends at.
    """

    lasts_s: float
    first: float
    last: float

    @property
    def area(self) -> float:
        """What is below it, in seconds at the level 1."""
        return self.lasts_s * (self.first + self.last) / 2

    def level(self, at_s: float) -> float:
        """The level so many seconds after it began."""
        return self.first + (self.last - self.first) * at_s / self.lasts_s

    def area_until(self, at_s: float) -> float:
        """What is below it until then."""
        return at_s * (self.first + self.level(at_s)) / 2

    def time_of(self, area: float) -> float:
        """When so much is below it, seconds after it began: the inverse of `area_until`."""
        if not area:
            return 0.0
        slope = (self.last - self.first) / self.lasts_s
        # The root of slope / 2 t^2 + first t = area in the form that does not cancel out.
        root = math.sqrt(max(0.0, self.first**2 + 2 * slope * area))
        return min(2 * area / (self.first + root), self.lasts_s)


@dataclass(frozen=True)
class Curve:
    """A rate over time: straight pieces, of which the last ones come again for ever.

    Attributes:
        cycle: those that come again; something is below them.
        lead: those that come once, before them.
    """

    cycle: tuple[Piece, ...]
    lead: tuple[Piece, ...] = ()

    @property
    def peak(self) -> float:
        """The highest level that it reaches."""
        return max(max(piece.first, piece.last) for piece in (*self.lead, *self.cycle))

    def after_ramp(self, lasts_s: float) -> "Curve":
        """The same once the rate has risen, from 0, to where it begins."""
        if not lasts_s:
            return self
        first = (*self.lead, *self.cycle)[0].first
        return Curve(self.cycle, (Piece(lasts_s, 0.0, first), *self.lead))

    def area_until(self, at_s: float) -> float:
        """What is below it until then, in seconds at the level 1."""
        chain, at_s, before = self._around(at_s)
        index = chain.index_at(at_s)
        return (
            before
            + chain.areas[index]
            + chain.pieces[index].area_until(at_s - chain.begins_s[index])
        )

    def time_of(self, area: float) -> float:
        """When so much is below it, seconds after it began: the inverse of `area_until`.

        Arrivals of an inhomogeneous Poisson process are those of a process of rate 1 put through
        the inverse of the cumulated rate (Çinlar, Introduction to Stochastic Processes, 1975).
        """
        lead, cycle = self._lead, self._cycle
        if area < lead.areas[-1]:
            return lead.time_of(area)
        area -= lead.areas[-1]
        if cycle.is_flat:
            return lead.begins_s[-1] + area / cycle.pieces[0].first
        rounds, area = divmod(area, cycle.areas[-1])
        return lead.begins_s[-1] + rounds * cycle.begins_s[-1] + cycle.time_of(area)

    def _around(self, at_s: float) -> "tuple[_Chain, float, float]":
        """The pieces that a moment lies in, when in them, and what is below all before them."""
        lead, cycle = self._lead, self._cycle
        if at_s < lead.begins_s[-1]:
            return lead, at_s, 0.0
        rounds, at_s = divmod(at_s - lead.begins_s[-1], cycle.begins_s[-1])
        return cycle, at_s, lead.areas[-1] + rounds * cycle.areas[-1]

    @cached_property
    def _lead(self) -> "_Chain":
        return _Chain(self.lead)

    @cached_property
    def _cycle(self) -> "_Chain":
        return _Chain(self.cycle)


class _Chain:
    """Pieces one after the other.

    Args:
        pieces: they.

    Attributes:
        begins_s: when each begins, and when the last one ends.
        areas: what is below all before each, and below all of them.
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        self.begins_s = [0.0, *itertools.accumulate(piece.lasts_s for piece in pieces)]
        self.areas = [0.0, *itertools.accumulate(piece.area for piece in pieces)]
        self.is_flat = len(pieces) == 1 and pieces[0].first == pieces[0].last

    def index_at(self, at_s: float) -> int:
        return min(bisect_right(self.begins_s, at_s), len(self.pieces)) - 1

    def time_of(self, area: float) -> float:
        index = min(bisect_right(self.areas, area), len(self.pieces)) - 1
        return self.begins_s[index] + self.pieces[index].time_of(area - self.areas[index])


CONSTANT = Curve((Piece(1.0, 1.0, 1.0),))
"""The rate itself, all the time."""
