"""Samples of a process tree on this host."""

from tidemark.record.events import Event
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.budget import Budget
from tidemark.sampler.composition import CompositionWatch
from tidemark.sampler.connection_watch import AllConnections
from tidemark.sampler.errors import ShortageError
from tidemark.sampler.figures import FiguresReader
from tidemark.sampler.limits import LimitsProbe
from tidemark.sampler.options import Options
from tidemark.sampler.root import RootWatch
from tidemark.sampler.runtime_watch import Page, RuntimeWatch
from tidemark.sampler.source import Probe, Sample
from tidemark.sampler.stopped import StoppedWatch
from tidemark.sampler.tree import ProcessTree, identify
from tidemark.sampler.unreadable import Unreadable

_COMPOSITION_TICKS = 5
"""The names of threads and descriptors are read no more often than every so many ticks."""


class LocalSource:
    """Reads a root process and everything below it; a `Source`.

    Args:
        options: What to watch, and how.
        budget: What the dear parts may cost.

    Attributes:
        target: The target's id.
        name: How connections are read to begin with.
        shortcoming: Why there is no better way to read connections; None if it is the best.
        composition: Reads the names of threads and descriptors.

    Raises:
        SamplerError: There is nothing to watch, or it cannot be watched.
    """

    def __init__(self, options: Options, budget: Budget) -> None:
        self.target = options.target
        self._events: list[Event] = []
        say = self._events.append
        self._unreadable = Unreadable(say)
        self._tree = ProcessTree(identify(options.pid))
        self._root_watch = RootWatch(
            self._tree, say, options.target, options.pid_file, follow=not options.no_follow
        )
        self._stopped = StoppedWatch(self._tree, say, options.target)
        limits = LimitsProbe(options.target, say, self._unreadable)
        self._probes: tuple[Probe, ...] = (limits,)
        self._figures = FiguresReader(self._unreadable)
        composition_s = _COMPOSITION_TICKS * options.interval
        self.composition = CompositionWatch(budget, self._unreadable, composition_s)
        self._connections = AllConnections(
            Brokers.resolve(options.brokers),
            options.pid,
            options.source,
            budget,
            say=say,
            unreadable=self._unreadable,
            least_s=composition_s,
        )
        self.name, self.shortcoming = self._connections.name, self._connections.shortcoming
        endpoint = _endpoint(options.metrics_url)
        self._runtimes = RuntimeWatch(self._tree, options.target, say, self._unreadable, endpoint)

    def take(self, now_s: float, *, full: bool = False) -> Sample:
        """Take one sample, as `Source.take` has it."""
        self._look(now_s)
        processes = self._figures.read(self._tree)
        self._runtimes.add_heaps(processes)
        members = self._tree.members
        connections = self._connections.read(now_s, members, full=full)
        if not self.composition.is_under_way and self._connections.read_others(now_s, members):
            self.composition.tcp.clear()
        composition = self.composition.read(now_s, processes, self._connections.sockets)
        others = self._connections.others(self.composition.tcp, members)
        events = self._events.copy()
        self._events.clear()
        return Sample(processes, connections, composition, events, others=others)

    def _look(self, now_s: float) -> None:
        """See who is there; if the sampler has run short, those who were there before."""
        try:
            self._tree.refresh(now_s)
            self._root_watch.look(now_s)
            self._stopped.look(now_s)
        except ShortageError as error:
            self._tree.stats = {}
            self._unreadable.tell(error)
        for probe in self._probes:
            probe.look(self._tree.members.values())
        self._runtimes.look(now_s)

    def close(self) -> None:
        """Give back what it holds."""
        self._runtimes.close()
        self._connections.close()


def _endpoint(url: str | None) -> Page | None:
    if url is None:
        return None
    from tidemark.sampler.metrics_endpoint import MetricsEndpoint  # noqa: PLC0415 (slow to load)

    return MetricsEndpoint(url)
