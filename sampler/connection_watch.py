"""Reading connections: in the best way that works, and as often as the budget allows."""

import time
from collections.abc import Mapping

from tidemark.record.events import SourceChanged
from tidemark.sampler.brokers import BrokerRefresh, Brokers
from tidemark.sampler.budget import Budget, Cadence
from tidemark.sampler.connections import Connections, ConnectionSource
from tidemark.sampler.errors import DeniedError, NetlinkError, SamplerError
from tidemark.sampler.netlink.source import NetlinkSource
from tidemark.sampler.procfs_source import ProcfsSource
from tidemark.sampler.tree import Process
from tidemark.sampler.unreadable import Say, Unreadable

SOURCES = ("auto", "netlink", "procfs")
"""Names of the sources; `auto` takes the best one that works."""

_BUDGET_PART = 0.8
"""Its part of what the cheap figures leave of the budget; composition has the rest."""
_STRIKES = 3
"""After so many dumps in a row that failed, the next best source is taken."""


def open_source(
    brokers: Brokers, pid: int, wanted: str
) -> tuple[ConnectionSource, SamplerError | None]:
    """Open the source that is wanted, or the best one.

    Args:
        brokers: The remote ends that count.
        pid: A process of the target.
        wanted: One of `SOURCES`.

    Returns:
        The source, and why a better one could not be had (None if it is the best).

    Raises:
        SamplerError: The wanted one does not work here.
    """
    if wanted == "procfs":
        return ProcfsSource(brokers), None
    try:
        return NetlinkSource(brokers, pid), None
    except (NetlinkError, DeniedError) as error:
        if wanted == "netlink":
            raise
        return ProcfsSource(brokers), error


class ConnectionWatch:
    """Reads the connections when they are due; takes another source when one fails.

    Args:
        brokers: The remote ends that count; their names are looked up again now and then.
        source: How to read them.
        budget: What it may cost, shared with other dear parts.
        say: Is given the event that the source was changed.
        unreadable: Is told what cannot be read.
    """

    def __init__(
        self,
        brokers: Brokers,
        source: ConnectionSource,
        budget: Budget,
        say: Say,
        unreadable: Unreadable,
    ) -> None:
        self._source = source
        self._brokers = brokers
        self._refresh = BrokerRefresh(brokers)
        self._cadence = Cadence(budget, _BUDGET_PART)
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
        self._refresh.apply()
        if not full and not self._cadence.due(now_s):
            return None
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
            self._source = ProcfsSource(self._brokers)
            self._say(SourceChanged(self._source.name, str(error)))

    def close(self) -> None:
        """Close the source, and end the look-ups."""
        self._refresh.close()
        self._source.close()
