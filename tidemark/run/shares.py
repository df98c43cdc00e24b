"""Who of several load generators sends which arrival, without talking to the others."""

import random

_MASK = 2**64 - 1
MOST_TRIES = 64


class Shares:
    """Deals the arrivals of one process to its generators, at random and the same everywhere.

    A Poisson process that is dealt so is a Poisson process in each share, and the union of the
    shares is the whole, however many there are. What a generator that is lost would have sent from
    a moment on is dealt to the others, each of which keeps all that it had.

    Args:
        seed: of the load.
        count: how many generators there are at the beginning.
    """

    def __init__(self, seed: int, count: int) -> None:
        self.count = count
        self._key = random.Random(f"shares-{seed}").getrandbits(64)  # noqa: S311 - repeatable
        self._lost_s: dict[int, float] = {}

    def lose(self, generator: int, from_s: float) -> None:
        """A generator sends nothing of what is due later than this, seconds into the load."""
        self._lost_s.setdefault(generator, from_s)

    @property
    def lost_s(self) -> dict[int, float]:
        """The generators that are lost, and from when on, seconds into the load."""
        return dict(self._lost_s)

    def owner(self, number: int, due_s: float) -> int:
        """Which generator, from 0, sends arrival `number`, due so many seconds into the load."""
        if self.count == 1:
            return 0
        drawn = _scattered(self._key ^ number)
        owner = drawn % self.count
        for _ in range(MOST_TRIES if self._lost_s else 0):
            if due_s < self._lost_s.get(owner, due_s + 1):
                break
            drawn = _scattered(drawn)
            owner = drawn % self.count
        return owner


def _scattered(number: int) -> int:
    """A number of 64 bits, all of which depend on all those of `number`.

    Source: SplitMix64, Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014.
    """
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
