"""Samples of a process tree on this host."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from tidemark.record.events import Event, told_of
from tidemark.record.roots import Root
from tidemark.sampler import procfs
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.budget import Budget
from tidemark.sampler.composition import CompositionWatch
from tidemark.sampler.connection_watch import AllConnections
from tidemark.sampler.errors import (
    DeniedError,
    NestedRootsError,
    NoSuchProcessError,
    ShortageError,
)
from tidemark.sampler.figures import FiguresReader
from tidemark.sampler.limits import LimitsProbe
from tidemark.sampler.options import Options
from tidemark.sampler.root import Claims, RootWatch
from tidemark.sampler.runtime_watch import Page, RuntimeWatch
from tidemark.sampler.shared_connections import SharedConnections
from tidemark.sampler.source import Probe, Sample
from tidemark.sampler.stopped import StoppedWatch
from tidemark.sampler.tree import ProcessTree, identify
from tidemark.sampler.unreadable import Unreadable

_COMPOSITION_TICKS = 5
"""The names of threads and descriptors are read no more often than every so many ticks."""


@dataclass(frozen=True, slots=True)
class Common:
    """What the targets of one sampler have in common.

    Attributes:
        connections: When connections are read, and what of them is read once for all.
        claims: Settles which of them a process is whose.
    """

    connections: SharedConnections
    claims: Claims = field(default_factory=Claims)


def open_targets(options: Options, budget: Budget) -> tuple["LocalSource", ...]:
    """A source for each process that is to be watched.

    Raises:
        SamplerError: One cannot be watched, or descends from another one of them.
    """
    roots = options.roots
    _check_apart(roots)
    common = _common_of(options, budget)
    with ExitStack() as opened:
        sources = []
        for root in roots:
            sources.append(LocalSource(options, budget, root, common))
            opened.callback(sources[-1].close)
        opened.pop_all()
        return tuple(sources)


def _common_of(options: Options, budget: Budget) -> Common:
    return Common(SharedConnections(Brokers.resolve(options.brokers), budget))


def _check_apart(roots: Sequence[Root]) -> None:
    """What is below a root is watched with it, and may not be watched twice.

    Raises:
        NestedRootsError: A root descends from another one.
    """
    pids = {root.pid for root in roots}
    for root in roots:
        for above in _ancestors(root.pid):
            if above in pids:
                raise NestedRootsError(root.pid, above)


def _ancestors(pid: int) -> Iterator[int]:
    """The parent of a process, its parent, and so on, as far as they are to be seen."""
    with contextlib.suppress(NoSuchProcessError, DeniedError):
        while (pid := procfs.read_stat(pid).parent_pid) > 0:
            yield pid


class LocalSource:
    """Reads a root process and everything below it; a `Source`.

    Args:
        options: How to watch.
        budget: What the dear parts may cost.
        root: What to watch; the only one of the options if none.
        common: What it has in common with other targets.

    Attributes:
        target: The target's id.
        name: How connections are read to begin with.
        shortcoming: Why there is no better way to read connections; None if it is the best.
        composition: Reads the names of threads and descriptors.

    Raises:
        SamplerError: There is nothing to watch, or it cannot be watched.
    """

    def __init__(
        self,
        options: Options,
        budget: Budget,
        root: Root | None = None,
        common: Common | None = None,
    ) -> None:
        root = root or options.roots[0]
        common = common or _common_of(options, budget)
        self.target = root.target
        self._events: list[Event] = []
        say = self._say
        self._unreadable = Unreadable(say)
        self._tree = ProcessTree(identify(root.pid), budget.sharers)
        self._root_watch = RootWatch(
            self._tree,
            say,
            self.target,
            options.pid_file_of(self.target),
            common.claims,
            follow=not options.no_follow,
        )
        self._stopped = StoppedWatch(self._tree, say, self.target)
        limits = LimitsProbe(self.target, say, self._unreadable)
        self._probes: tuple[Probe, ...] = (limits,)
        self._figures = FiguresReader(self._unreadable)
        composition_s = _COMPOSITION_TICKS * options.interval
        self.composition = CompositionWatch(budget, self._unreadable, composition_s)
        self._connections = AllConnections(
            common.connections,
            root.pid,
            options.source,
            say=say,
            unreadable=self._unreadable,
            least_s=composition_s,
        )
        self.name, self.shortcoming = self._connections.name, self._connections.shortcoming
        endpoint = _endpoint(options.metrics_url)
        self._runtimes = RuntimeWatch(self._tree, self.target, say, self._unreadable, endpoint)

    def _say(self, event: Event) -> None:
        self._events.append(told_of(event, self.target))

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
