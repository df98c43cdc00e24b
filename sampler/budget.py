"""What the sampler may cost, and how its dearer parts stretch to stay within it."""

import math
from collections import deque

WINDOW_S = 60.0
"""The budget holds over every stretch of this length."""

_HOLD_S = WINDOW_S + 2.0
"""How long a cost counts: ticks come a little early and late, windows begin anywhere."""

_PLANNED = 0.9
"""Part of the budget that is planned with: costs differ from those that were expected."""

_SMOOTHING = 8
_TICK_SLACK_S = 1e-3


class Budget:
    """The account of the CPU time that the dear parts used lately.

    The cheap part comes with every tick and is never left out; it is known by its average.

    Args:
        share: Allowed average share of one core, 0.01 for 1 %; infinite for no limit.
        sharers: Among so many targets it is divided, whose dear parts are read one by one.
    """

    def __init__(self, share: float, sharers: int = 1) -> None:
        self.share = share
        self.sharers = sharers
        self._planned = share * _PLANNED
        self._spent: deque[tuple[float, float]] = deque()
        self._sum_s = 0.0
        self._start = -math.inf, 0.0
        self._unsettled_s = 0.0
        self._base_share = 0.0

    def spend(self, now_s: float, cost_s: float) -> None:
        """Book what a dear part used.

        Args:
            now_s: Monotonic time, seconds.
            cost_s: CPU time, seconds.
        """
        self._spent.append((now_s, cost_s))
        self._sum_s += cost_s
        self._unsettled_s += cost_s

    def began(self, now_s: float, cost_s: float) -> None:
        """Book what was used until the first tick; it counts as half of a window at most.

        More would leave nothing to look at connections with until it is paid off.

        Args:
            now_s: Monotonic time, seconds.
            cost_s: CPU time, seconds.
        """
        self._start = now_s, cost_s

    def settle(self, cost_s: float, every_s: float) -> None:
        """Say what a whole tick cost: what was not booked of it is the cheap part; smoothed.

        Args:
            cost_s: CPU time since the last tick, seconds.
            every_s: Seconds between ticks.
        """
        share = max(cost_s - self._unsettled_s, 0.0) / every_s
        self._unsettled_s = 0.0
        former = self._base_share or share
        self._base_share = former + (share - former) / _SMOOTHING

    @property
    def free_share(self) -> float:
        """Share of one core that the cheap part leaves, but a tenth of the budget at least."""
        return max(self._planned - self._base_share, self._planned / 10)

    def affords(self, now_s: float, cost_s: float) -> bool:
        """Whether this much more keeps the last `WINDOW_S` within the budget.

        What alone is more than a window allows passes when next to nothing dear was done
        in the window: otherwise it would never pass, and its cadence keeps the average.
        """
        while self._spent and self._spent[0][0] <= now_s - _HOLD_S + _TICK_SLACK_S:
            self._sum_s -= self._spent.popleft()[1]
        allowed_s = self.free_share * WINDOW_S
        began_s, start_s = self._start
        is_recent = now_s < began_s + _HOLD_S - _TICK_SLACK_S
        spent_s = self._sum_s + (min(start_s, allowed_s / 2) if is_recent else 0.0)
        return spent_s + cost_s <= max(allowed_s, cost_s + allowed_s / 10)


class Cadence:
    """When one dear part is due: the dearer, the less often.

    Args:
        budget: The account that it shares with the others.
        part: Its part of what the cheap figures leave of the budget, 0 to 1.
        is_common: Whether it is that of all targets, whose turn is in the same tick: what one
            has found out serves the others too. Otherwise each target has its part of the part.
        like: What it is taken to cost before it has been run: as much as that one.
    """

    def __init__(
        self,
        budget: Budget,
        part: float,
        *,
        is_common: bool = False,
        like: "Cadence | None" = None,
    ) -> None:
        self._budget = budget
        self._like = like
        self._part = part if is_common else part / budget.sharers
        self._is_common = is_common
        self._last_s = float("-inf")
        self._expected_s = 0.0

    def due(self, now_s: float, expected_s: float | None = None) -> bool:
        """Whether it is time, and affordable.

        Args:
            now_s: Monotonic, seconds.
            expected_s: CPU time that it will take, seconds; None: as much as the last time.
        """
        if self._is_common and now_s == self._last_s:
            return True  # with the others
        every_s = self._expected_s / (self._budget.free_share * self._part)
        if now_s - self._last_s < every_s - _TICK_SLACK_S:
            return False
        if expected_s is None:
            is_new = math.isinf(self._last_s)
            expected_s = (self._like if self._like and is_new else self)._expected_s
        return self._budget.affords(now_s, expected_s)

    def done(self, now_s: float, cost_s: float, once_s: float = 0.0) -> None:
        """Say that it was run.

        Args:
            now_s: When, monotonic, seconds.
            cost_s: CPU time that it took, seconds; booked.
            once_s: How much of it was for learning what need not be learnt again.
        """
        before_s = self._expected_s if self._is_common and now_s == self._last_s else 0.0
        self._last_s = now_s
        self._expected_s = before_s + max(cost_s - once_s, 0.0)
        self._budget.spend(now_s, cost_s)
