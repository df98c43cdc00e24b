"""Reading connections: in the best way that works, and as often as the budget allows."""

import math
import time
from collections.abc import Callable, Mapping
from functools import partial

from tidemark.record.events import Event, SourceChanged
from tidemark.sampler.brokers import BrokerRefresh, Brokers
from tidemark.sampler.budget import Budget, Cadence
from tidemark.sampler.connections import Connections, ConnectionSource
from tidemark.sampler.errors import DeniedError, NetlinkError, SamplerError
from tidemark.sampler.netlink.outgoing import NetlinkOutgoing
from tidemark.sampler.netlink.source import NetlinkSource
from tidemark.sampler.procfs_source import ProcfsOutgoing, ProcfsSource
from tidemark.sampler.tree import Process
from tidemark.sampler.unreadable import Say, Unreadable

SOURCES = ("auto", "netlink", "procfs")
"""Names of the sources; `auto` takes the best one that works."""

_BUDGET_PART, _OTHERS_PART = 0.7, 0.1
"""Their parts of what the cheap figures leave of the budget; composition has the rest."""
_STRIKES = 3
"""After so many dumps in a row that failed, the next best source is taken."""
_SLACK_S = 1e-3


def open_source(
    brokers: Brokers, pid: int, wanted: str, *, others: bool = False
) -> tuple[ConnectionSource, SamplerError | None]:
    """Open the source that is wanted, or the best one.

    Args:
        brokers: The remote ends that count; if there is none, all do.
        pid: A process of the target.
        wanted: One of `SOURCES`.
        others: Whether it is to read the connections that are not towards brokers.

    Returns:
        The source, and why a better one could not be had (None if it is the best).

    Raises:
        SamplerError: The wanted one does not work here.
    """
    others = others or not brokers.endpoints
    if wanted == "procfs":
        return _simple_source(brokers, others=others), None
    try:
        return (NetlinkOutgoing if others else NetlinkSource)(brokers, pid), None
    except (NetlinkError, DeniedError) as error:
        if wanted == "netlink":
            raise
        return _simple_source(brokers, others=others), error


def _simple_source(brokers: Brokers, *, others: bool) -> ProcfsSource:
    """The source that works everywhere."""
    return (ProcfsOutgoing if others else ProcfsSource)(brokers)


def _unsaid(_: Event) -> None:
    """Of the others nothing is said: what cannot be read is the same for both."""


class ConnectionWatch:
    """Reads the connections when they are due; takes another source when one fails.

    Args:
        source: How to read them.
        simple: Makes the source to take when that one fails.
        cadence: When they are due.
        say: Is given the event that the source was changed.
        unreadable: Is told what cannot be read.
        least_s: Seconds from one reading to the next, at least.
    """

    def __init__(
        self,
        source: ConnectionSource,
        simple: Callable[[], ConnectionSource],
        cadence: Cadence,
        *,
        say: Say,
        unreadable: Unreadable,
        least_s: float = 0.0,
    ) -> None:
        self._source = source
        self._simple = simple
        self._cadence = cadence
        self._least_s = least_s
        self._due_s = -math.inf
        self._say = say
        self._unreadable = unreadable
        self._strikes = 0

    def read(
        self, now_s: float, members: Mapping[int, Process], *, full: bool
    ) -> Connections | None:
        """The connections of these processes if they are due; None leaves their fields empty.

        Args:
            now_s: Monotonic time, seconds.
            members: pid -> process.
            full: Read them whether or not they are due.
        """
        if not full and (now_s < self._due_s or not self._cadence.due(now_s)):
            return None
        self._due_s = now_s + self._least_s - _SLACK_S
        before_s = time.process_time()
        try:
            found = self._source.read(members)
        except SamplerError as error:
            self._cadence.done(now_s, time.process_time() - before_s)
            self._unreadable.tell(error)
            self._strike(error)
            return None
        self._cadence.done(now_s, time.process_time() - before_s, found.learning_cost_s)
        self._strikes = 0
        for pid, what in found.denied.items():
            self._unreadable.tell(DeniedError(pid, what), pid)
        return found

    def _strike(self, error: SamplerError) -> None:
        self._strikes += 1
        if isinstance(error, NetlinkError) and self._strikes >= _STRIKES:
            self._source.close()
            self._source = self._simple()
            self._say(SourceChanged(self._source.name, str(error)))

    def sockets(self) -> dict[int, str]:
        """Inode -> name of the TCP sockets of the last reading."""
        return self._source.sockets()

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class AllConnections:
    """The connections that count, and beside them those towards ends that nobody named.

    Where no broker was named all of them count, and there are no others. The others are read no
    more often than `least_s`.

    Args:
        brokers: The remote ends that count; their names are looked up again now and then.
        pid: A process of the target.
        wanted: One of `SOURCES`.
        budget: What they may cost, shared with other dear parts.
        say: Is given the event that the source was changed.
        unreadable: Is told what cannot be read.
        least_s: Seconds from one reading of the others to the next.

    Attributes:
        name: How they are read to begin with.
        shortcoming: Why there is no better way; None if it is the best.

    Raises:
        SamplerError: The wanted way does not work here.
    """

    def __init__(
        self,
        brokers: Brokers,
        pid: int,
        wanted: str,
        budget: Budget,
        *,
        say: Say,
        unreadable: Unreadable,
        least_s: float,
    ) -> None:
        source, self.shortcoming = open_source(brokers, pid, wanted)
        self.name = source.name
        simple = partial(_simple_source, brokers, others=not brokers.endpoints)
        cadence = Cadence(budget, _BUDGET_PART)
        self._counted = ConnectionWatch(source, simple, cadence, say=say, unreadable=unreadable)
        self._others: ConnectionWatch | None = None
        if brokers.endpoints:
            source, _ = open_source(brokers, pid, wanted, others=True)
            simple = partial(_simple_source, brokers, others=True)
            cadence = Cadence(budget, _OTHERS_PART)
            self._others = ConnectionWatch(
                source, simple, cadence, say=_unsaid, unreadable=unreadable, least_s=least_s
            )
        self._refresh = BrokerRefresh(brokers)

    def read(
        self, now_s: float, members: Mapping[int, Process], *, full: bool
    ) -> tuple[Connections | None, Connections | None]:
        """Those that count, and the others; each as `ConnectionWatch.read` has it."""
        self._refresh.apply()
        counted = self._counted.read(now_s, members, full=full)
        others = self._others.read(now_s, members, full=full) if self._others else None
        return counted, others

    def sockets(self) -> dict[int, str]:
        """Inode -> name for composition.csv of the TCP sockets of the last readings."""
        others = self._others.sockets() if self._others else {}
        return others | self._counted.sockets()

    def close(self) -> None:
        """Close the sources, and end the look-ups."""
        self._refresh.close()
        self._counted.close()
        if self._others:
            self._others.close()
