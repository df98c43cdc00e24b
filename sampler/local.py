"""Samples of a process tree on this host."""

from collections.abc import Iterable
from pathlib import Path

from tidemark.record.events import Event
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.budget import Budget
from tidemark.sampler.composition import CompositionWatch
from tidemark.sampler.connection_watch import ConnectionWatch, open_source
from tidemark.sampler.errors import ShortageError
from tidemark.sampler.figures import FiguresReader
from tidemark.sampler.limits import LimitsWatch
from tidemark.sampler.root import RootWatch
from tidemark.sampler.source import Sample
from tidemark.sampler.tree import ProcessTree, identify
from tidemark.sampler.unreadable import Unreadable


class LocalSource:
    """Reads a root process and everything below it.

    Args:
        target: The target's id.
        pid: The root.
        brokers: `host:port` of each broker.
        budget: What the dear parts may cost.
        composition_s: Seconds between looks at the names of threads and descriptors, at least.
        connections: How to read connections, one of `connection_watch.SOURCES`.
        pid_file: A file that names the root's pid after a restart, or None.
        follow: Whether to go on with a root that was started again.

    Attributes:
        target: The target's id.
        shortcoming: Why there is no better way to read connections; None if it is the best.
        connections: Reads the connections.
        composition: Reads the names of threads and descriptors.

    Raises:
        SamplerError: There is nothing to watch, or it cannot be watched.
    """

    def __init__(
        self,
        target: str,
        pid: int,
        brokers: Iterable[str],
        budget: Budget,
        *,
        composition_s: float,
        connections: str = "auto",
        pid_file: Path | None = None,
        follow: bool = True,
    ) -> None:
        self.target = target
        self._events: list[Event] = []
        say = self._events.append
        self._unreadable = Unreadable(say)
        self._tree = ProcessTree(identify(pid))
        self._root_watch = RootWatch(
            self._tree, say, target=target, pid_file=pid_file, follow=follow
        )
        self._limits = LimitsWatch(target, say, self._unreadable)
        self._figures = FiguresReader(self._unreadable)
        self.composition = CompositionWatch(budget, self._unreadable, composition_s)
        resolved = Brokers.resolve(brokers)
        source, self.shortcoming = open_source(resolved, pid, connections)
        self.connections = ConnectionWatch(resolved, source, budget, say, self._unreadable)

    @property
    def name(self) -> str:
        """See `Source.name`."""
        return self.connections.source.name

    def take(self, now_s: float, *, full: bool = False) -> Sample:
        """See `Source.take`."""
        self._look(now_s)
        processes = self._figures.read(now_s, self._tree)
        connections = self.connections.read(now_s, self._tree.members, full=full)
        composition = self.composition.read(now_s, processes)
        events = self._events.copy()
        self._events.clear()
        return Sample(processes, connections, composition, events)

    def _look(self, now_s: float) -> None:
        """See who is there; if the sampler has run short, those who were there before."""
        try:
            self._tree.refresh(now_s)
            self._root_watch.look(now_s)
        except ShortageError as error:
            self._tree.stats = {}
            self._unreadable.tell(error)
        self._limits.look(self._tree.members.values())

    def close(self) -> None:
        """See `Source.close`."""
        self.connections.close()
