"""Reading connections: in the best way that works, and as often as the budget allows."""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Generic, TypeVar

from tidemark.record.events import Event, SourceChanged
from tidemark.sampler.brokers import BrokerRefresh, Brokers
from tidemark.sampler.budget import Cadence
from tidemark.sampler.connections import (
    Connections,
    ConnectionSource,
    EndpointCount,
    OthersSource,
)
from tidemark.sampler.errors import DeniedError, NetlinkError, SamplerError
from tidemark.sampler.netlink.outgoing import NetlinkOthers, NetlinkOutgoing
from tidemark.sampler.netlink.source import NetlinkSource
from tidemark.sampler.procfs_source import ProcfsOthers, ProcfsOutgoing, ProcfsSource
from tidemark.sampler.shared_connections import SharedConnections, SharedDumps
from tidemark.sampler.tree import Process
from tidemark.sampler.unreadable import Say, Unreadable

SOURCES = ("auto", "netlink", "procfs")
"""Names of the sources; `auto` takes the best one that works."""

_STRIKES = 3
"""After so many dumps in a row that failed, the next best source is taken."""
_SLACK_S = 1e-3


Kind = TypeVar("Kind", bound=ConnectionSource)


def open_source(
    brokers: Brokers, pid: int, wanted: str, dumps: SharedDumps | None = None
) -> tuple[ConnectionSource, SamplerError | None]:
    """Open the source that is wanted, or the best one.

    Args:
        brokers: The remote ends that count; if there is none, all do.
        pid: A process of the target.
        wanted: One of `SOURCES`.
        dumps: What is shared with other targets; None if there are none.

    Returns:
        The source, and why a better one could not be had (None if it is the best).

    Raises:
        SamplerError: The wanted one does not work here.
    """
    dumps = dumps or SharedDumps.among(1)
    if brokers.endpoints:
        good = partial(NetlinkSource, brokers, pid, dumps.counted)
        return _best(good, partial(ProcfsSource, brokers), wanted)
    every = partial(NetlinkOutgoing, brokers, pid, dumps.outgoing)
    return _best(every, partial(ProcfsOutgoing, brokers), wanted)


def _best(
    good: Callable[[], Kind], simple: Callable[[], Kind], wanted: str
) -> tuple[Kind, SamplerError | None]:
    if wanted == "procfs":
        return simple(), None
    try:
        return good(), None
    except (NetlinkError, DeniedError) as error:
        if wanted == "netlink":
            raise
        return simple(), error


def _unsaid(_: Event) -> None:
    """Of the others nothing is said: what cannot be read is the same for both."""


class ConnectionWatch(Generic[Kind]):
    """Reads the connections when they are due; takes another source when one fails.

    Args:
        source: How to read them.
        simple: Makes the source to take when that one fails.
        cadence: When they are due.
        say: Is given the event that the source was changed.
        unreadable: Is told what cannot be read.
        least_s: Seconds from one reading to the next, at least.

    Attributes:
        source: How they are read now.
    """

    def __init__(
        self,
        source: Kind,
        simple: Callable[[], Kind],
        cadence: Cadence,
        *,
        say: Say,
        unreadable: Unreadable,
        least_s: float = 0.0,
    ) -> None:
        self.source = source
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
            found = self.source.read(members)
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
            self.source.close()
            self.source = self._simple()
            self._say(SourceChanged(self.source.name, str(error)))

    def close(self) -> None:
        """Close the source."""
        self.source.close()


class AllConnections:
    """The connections that count, and beside them those towards ends that nobody named.

    Where no broker was named all of them count, and there are no others. The others are read no
    more often than `least_s`, and whose they are is told by the names of descriptors, which are
    read about as often: that costs no second look at each descriptor.

    Args:
        shared: What they have in common with those of other targets.
        pid: A process of the target.
        wanted: One of `SOURCES`.
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
        shared: SharedConnections,
        pid: int,
        wanted: str,
        *,
        say: Say,
        unreadable: Unreadable,
        least_s: float,
    ) -> None:
        brokers, dumps = shared.brokers, shared.dumps_of(pid)
        self._shared = shared
        source, self.shortcoming = open_source(brokers, pid, wanted, dumps)
        self.name = source.name
        simple: Callable[[], ConnectionSource] = partial(
            ProcfsSource if brokers.endpoints else ProcfsOutgoing, brokers
        )
        self._counted = ConnectionWatch(
            source, simple, shared.counted, say=say, unreadable=unreadable
        )
        self._others: ConnectionWatch[OthersSource] | None = None
        self._are_others_told = True
        if brokers.endpoints:
            plain: Callable[[], OthersSource] = partial(ProcfsOthers, brokers)
            others, _ = _best(partial(NetlinkOthers, brokers, pid, dumps.outgoing), plain, wanted)
            self._others = ConnectionWatch(
                others, plain, shared.others, say=_unsaid, unreadable=unreadable, least_s=least_s
            )
        self._refresh = BrokerRefresh(brokers)

    def read(
        self, now_s: float, members: Mapping[int, Process], *, full: bool
    ) -> Connections | None:
        """Those that count, as `ConnectionWatch.read` has it."""
        self._refresh.apply()
        self._shared.begin(now_s)
        return self._counted.read(now_s, members, full=full)

    def read_others(self, now_s: float, members: Mapping[int, Process]) -> bool:
        """Read the others if they are due; whether they were: whose they are is to be told anew."""
        if self._others is None or self._others.read(now_s, members, full=False) is None:
            return False
        self._are_others_told = False
        return True

    def others(
        self, tcp: Mapping[int, Counter[str]], members: Mapping[int, Process]
    ) -> dict[str, EndpointCount]:
        """The others by remote end, once after each reading; none before all is known.

        Args:
            tcp: pid -> TCP sockets by name, of the processes looked at since that reading.
            members: pid -> process of the target.
        """
        if self._others is None or self._are_others_told or not members.keys() <= tcp.keys():
            return {}
        self._are_others_told = True
        held: Counter[str] = Counter()
        for pid in members:
            held.update(tcp[pid])
        return self._others.source.count(held)

    def sockets(self) -> dict[int, str]:
        """Inode -> name for composition.csv of the TCP sockets of the last readings."""
        others = self._others.source.sockets() if self._others else {}
        return others | self._counted.source.sockets()

    def close(self) -> None:
        """Close the sources, and end the look-ups."""
        self._refresh.close()
        self._counted.close()
        if self._others:
            self._others.close()
