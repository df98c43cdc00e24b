"""The watched processes of somebody else's: that one has ended, and who takes its place."""

import math
import os
import select
from collections.abc import Callable

from tidemark.run.finding import Watched
from tidemark.sampler import procfs
from tidemark.sampler.errors import SamplerError

SUCCESSOR_S = 5.0
"""So long a service of somebody else's has to come back after its process has ended."""
SEARCH_INTERVAL_S, LATER_INTERVAL_S = 0.5, 5.0
"""So often it is looked for, and so often when that time is over."""


class Stranger:
    """A process that somebody else has started, held by a descriptor that no other can take over.

    Source: pidfd_open(2), Linux 5.3.

    Args:
        pid: its process id.

    Attributes:
        name: what the kernel calls it.
        start_ticks: when it began, clock ticks since boot; infinite where it had ended already.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor: int | None = None
        self.name = "process"
        self.start_ticks: float = math.inf
        try:
            self._descriptor = os.pidfd_open(pid)
            stat = procfs.read_stat(pid)
            self.name, self.start_ticks = stat.name, stat.start_ticks
        except (OSError, SamplerError):
            self.close()  # gone before it was looked at

    def is_gone(self) -> bool:
        """Whether it has ended, waited for or not."""
        if self._descriptor is None:
            return True
        return bool(select.select([self._descriptor], [], [], 0)[0])

    def close(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Search:
    """The search for the process that takes the place of one that has ended.

    Args:
        began_s: when that was noticed, seconds since the run began.
    """

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self._next_s = began_s

    def is_due(self, now_s: float) -> bool:
        """Whether to look now: at first, and then every half second; later not so often."""
        if now_s < self._next_s:
            return False
        self._next_s = now_s + (LATER_INTERVAL_S if self.is_over(now_s) else SEARCH_INTERVAL_S)
        return True

    def is_over(self, now_s: float) -> bool:
        """Whether it is given up."""
        return now_s >= self.began_s + SUCCESSOR_S


class Place:
    """A target of somebody else's: the process that is it now, and at times nobody.

    Args:
        watched: The target, its process, and what tells the one that takes its place.

    Attributes:
        target: The target's id.
        stranger: Its process, or the last one that it was.
        is_empty: Whether that has ended, and nobody has come in its place in time.
        was_empty: Whether that was so at any time.
    """

    def __init__(self, watched: Watched) -> None:
        self.target = watched.target
        self.stranger = Stranger(watched.pid)
        self.is_empty = self.was_empty = False
        self._watched = watched
        self._search: Search | None = None

    @property
    def gone_s(self) -> float | None:
        """When its process was found to have ended; None while it is there."""
        return self._search.began_s if self._search else None

    def look(self, now_s: float, is_taken: Callable[[int], bool], *, is_last: bool) -> int | None:
        """See whether its process has ended; the process that has taken its place by now.

        A place that is empty is looked after still: of several replicas one may come back late.

        Args:
            now_s: Seconds since the run began.
            is_taken: Whether a process is another target's.
            is_last: There is no time left to wait for a successor.
        """
        if not self.stranger.is_gone():
            return None
        self._search = self._search or Search(now_s)
        if self._search.is_due(now_s):
            for pid in self._watched.successors():
                if pid != self.stranger.pid and not is_taken(pid) and self._adopt(Stranger(pid)):
                    return pid
        self.is_empty = is_last or self._search.is_over(now_s)
        self.was_empty |= self.is_empty
        return None

    def _adopt(self, other: Stranger) -> bool:
        """Go on with another process if it began later: a proxy or a master was there before."""
        if not self.stranger.start_ticks < other.start_ticks < math.inf:
            other.close()
            return False
        self._search, self.is_empty = None, False
        self.stranger.close()
        self.stranger = other
        return True

    def close(self) -> None:
        """Let go of its process."""
        self.stranger.close()
