"""The processes that a run cannot do without: what it means when one ends by itself."""

import math
import os
import select
from collections.abc import Callable

from tidemark.record.events import BY_ITSELF, BrokerDown, SamplerLost, TargetExited
from tidemark.record.layout import ONLY_TARGET
from tidemark.record.metadata import ABORTED, DIED
from tidemark.record.process import signal_name
from tidemark.run.children import NURSERY, Child, say
from tidemark.run.errors import ChildError
from tidemark.run.journal import Ending, Journal
from tidemark.run.processes import Processes, Services
from tidemark.sampler import procfs
from tidemark.sampler.errors import SamplerError

SUCCESSOR_S = 5.0
"""So long a service of somebody else's has to come back after its process has ended."""
SEARCH_INTERVAL_S = 0.5
MOST_RESTARTS = 3
"""A sampler that is lost more often than this in one run is given up."""


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
        """Whether to look now: at first, and then every half second."""
        if now_s < self._next_s:
            return False
        self._next_s = now_s + SEARCH_INTERVAL_S
        return True

    def is_over(self, now_s: float) -> bool:
        """Whether it is given up."""
        return now_s >= self.began_s + SUCCESSOR_S


class Lives:
    """Notices that the target, the brokers or the sampler ended by themselves, and says so once.

    A lost sampler is started again, and tells itself what was missed; without one of the others
    the run has to end.

    Args:
        journal: where events go.
        processes: starts the sampler again.
        services: what was started; brokers and target of somebody else may be missing.
        stranger: the watched process that somebody else has started, if any.
        successor: gives the process that has taken its place; None while none has.
    """

    def __init__(
        self,
        journal: Journal,
        processes: Processes,
        services: Services,
        stranger: Stranger | None,
        successor: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._journal = journal
        self._processes = processes
        self._services = services
        self._stranger = stranger
        self._successor = successor
        self._search: Search | None = None
        self._mourned: Child | None = None
        self._restarts = 0

    def look(self, *, is_last: bool = False) -> Ending | None:
        """How the run has to end now, or None while it goes on.

        Args:
            is_last: the run is ending: no sampler is started any more.
        """
        if NURSERY.is_closed:  # we have ended them all
            return None
        return (
            self._target_gone(is_last=is_last)
            or self._brokers_gone()
            or self._sampler_gone(is_last=is_last)
        )

    def close(self) -> None:
        """Let go of a stranger."""
        if self._stranger:
            self._stranger.close()

    @property
    def _elapsed_s(self) -> float:
        return self._journal.clock.now().elapsed_s

    def _target_gone(self, *, is_last: bool) -> Ending | None:
        target, stranger, reason = self._services.target, self._stranger, ""
        if target is not None and target.returncode is not None:
            reason = target.obituary(self._elapsed_s)
            name = signal_name(target.returncode)
            code = None if name else target.returncode
            self._say_exited(target.pid, None, code, name)
        elif stranger and stranger.is_gone() and not self._is_succeeded(stranger, is_last=is_last):
            reason = f"{stranger.name} ({stranger.pid}) has ended after {self._gone_s:.0f} s"
            self._say_exited(stranger.pid, stranger.name, None, None)
        return Ending(DIED, reason) if reason else None

    def _is_succeeded(self, stranger: Stranger, *, is_last: bool) -> bool:
        """Whether another process has taken its place, or may still do so."""
        now_s = self._elapsed_s
        search = self._search = self._search or Search(now_s)
        pid = self._successor() if search.is_due(now_s) else None
        if pid is not None and pid != stranger.pid and self._is_adopted(Stranger(pid), stranger):
            return True
        return not is_last and not search.is_over(now_s)

    def _is_adopted(self, other: Stranger, former: Stranger) -> bool:
        """Go on with another process if it began later: a proxy or a master was there before."""
        if not former.start_ticks < other.start_ticks < math.inf:
            other.close()
            return False
        self._search = None
        former.close()
        self._stranger = other
        self._processes.watch(other.pid)
        say(f"{former.name} ({former.pid}) has ended, process {other.pid} has taken its place")
        return True

    @property
    def _gone_s(self) -> float:
        """When the watched process was found to have ended."""
        return self._search.began_s if self._search else self._elapsed_s

    def _say_exited(
        self, pid: int, process: str | None, code: int | None, signal: str | None
    ) -> None:
        self._journal.event(TargetExited(pid, process, code, signal, ONLY_TARGET))

    def _brokers_gone(self) -> Ending | None:
        broker = self._services.broker
        if broker is None or broker.returncode is None:
            return None
        reason = broker.obituary(self._elapsed_s)
        for address in self._services.brokers:
            self._journal.event(BrokerDown(broker=address, action=BY_ITSELF, reason=reason))
        return Ending(ABORTED, reason, cannot_tell=True)

    def _sampler_gone(self, *, is_last: bool) -> Ending | None:
        sampler = self._processes.sampler
        if sampler is None or sampler is self._mourned or sampler.returncode is None:
            return None
        self._mourned = sampler  # a second look, while it is started again, leaves it alone
        reason = sampler.obituary(self._elapsed_s)
        self._journal.event(SamplerLost(reason=reason))
        if is_last:
            return None
        return self._without_sampler(reason)

    def _without_sampler(self, reason: str) -> Ending | None:
        if self._restarts == MOST_RESTARTS:
            gone = f"{reason}, and was started again {MOST_RESTARTS} times before"
            return Ending(ABORTED, gone, cannot_tell=True)
        self._restarts += 1
        try:
            self._processes.restart_sampler(self._services.brokers)
        except ChildError as error:
            again = f"{reason}, and cannot be started again: {error}"
            return Ending(ABORTED, again, cannot_tell=True)
        say(f"{reason}; it was started again")
        return None
