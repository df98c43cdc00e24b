"""How often somebody wants to know the verdict so far."""

import math
import time

LOOKS_FOR_S = 15.0
"""So long after somebody has looked at the run he is taken to look on."""


class Demand:
    """Who wants a verdict, and how often; judging costs, so that nobody's is not made.

    Args:
        every_s: One is wanted so often, seconds, whoever looks; 0 as often as is reasonable, and
            infinity only while somebody looks.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._looked_s = -math.inf

    def looked(self) -> None:
        """Somebody looks at the run in this moment."""
        self._looked_s = time.monotonic()

    def pause_s(self, least_s: float) -> float:
        """Seconds to wait between two judgements, at least `least_s`; infinity: until asked."""
        is_looked_at = time.monotonic() - self._looked_s < LOOKS_FOR_S
        return least_s if is_looked_at else max(least_s, self._every_s)


ALWAYS = Demand(0.0)
