"""How far another host's clocks are from this one's, from the times of questions and answers.

As NTP has it (RFC 5905, section 8, with one time stamp there instead of two): an answer's time
belongs somewhere between question and answer, so their middle is off by half the round trip at
most. Of several, the quickest says most.
"""

from collections import deque
from dataclasses import dataclass

_KEPT = 64
_MUCH = 4


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer.

    Attributes:
        asked_s: When it was asked, `CLOCK_MONOTONIC` here.
        answered_s: When the answer was there, the same.
        there_s: `CLOCK_MONOTONIC` there, in between.
        wall_ahead_s: Unix time there minus here, at that moment.
    """

    asked_s: float
    answered_s: float
    there_s: float
    wall_ahead_s: float

    @property
    def uncertainty_s(self) -> float:
        """Half the round trip."""
        return (self.answered_s - self.asked_s) / 2

    @property
    def ahead_s(self) -> float:
        """What the monotonic clock there shows more than the one here."""
        return self.there_s - (self.asked_s + self.answered_s) / 2


class ClockEstimate:
    """What is known of the other clocks by now.

    What was found stays until it is certainly wrong (clocks drift), or something much better is
    known: otherwise the ticks of one file would move against those of another all the time.

    Attributes:
        held: The exchange that counts; None before the first.
    """

    def __init__(self) -> None:
        self.held: Exchange | None = None
        self._lately: deque[Exchange] = deque(maxlen=_KEPT)

    def learn(self, exchange: Exchange) -> bool:
        """Take another exchange into account; whether a new one counts from now on."""
        self._lately.append(exchange)
        best = min(self._lately, key=lambda one: one.uncertainty_s)
        if self.held is not None and not (_differ(best, self.held) or _is_better(best, self.held)):
            return False
        self.held = best
        return True


def _is_better(one: Exchange, other: Exchange) -> bool:
    return one.uncertainty_s * _MUCH < other.uncertainty_s


def _differ(one: Exchange, other: Exchange) -> bool:
    """Whether they cannot both be right."""
    return abs(one.ahead_s - other.ahead_s) > one.uncertainty_s + other.uncertainty_s
