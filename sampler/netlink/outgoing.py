"""All connections that the target has opened, whatever their remote end, from the same dumps."""

import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress

from tidemark.record.layout import KERNEL_PID, REMOTE
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.connections import (
    LISTENING,
    TIME_WAIT,
    Connections,
    EndpointCount,
    accepted_name,
    most_used,
    socket_name,
)
from tidemark.sampler.netlink.dump import Columns
from tidemark.sampler.netlink.outgoing_reader import (
    OTHERS,
    OutgoingColumns,
    OutgoingReader,
)
from tidemark.sampler.netlink.sharing import OutgoingDumps
from tidemark.sampler.netlink.sockdiag import exclusion_bytecode
from tidemark.sampler.netlink.source import NetlinkSource
from tidemark.sampler.tree import Process


class NetlinkOutgoing(NetlinkSource):
    """Dumps all sockets but those towards brokers; a `ConnectionSource`.

    TIME_WAIT belongs to no process: it counts where the target was seen to hold a connection
    to the same remote end. What was opened and closed between two readings is not seen.

    Args:
        brokers: The remote ends that are left out.
        pid: A process of the target.
        dumps: What is shared with other targets of its network namespace; None if none are.

    Attributes:
        used: The numbers of the remote ends that the target was seen to have connections to.

    Raises:
        NoSuchProcessError: The process has gone.
        DeniedError: Its namespace may not be entered.
        NetlinkError: The kernel has no socket statistics for TCP.
    """

    def __init__(self, brokers: Brokers, pid: int, dumps: OutgoingDumps | None = None) -> None:
        self._shared = dumps or OutgoingDumps()
        self._remotes = self._shared.remotes
        self.used: set[int] = set()
        super().__init__(brokers, pid, self._shared)
        self._shared.enter(self)

    def _prepare(self) -> None:
        if self._version != self._brokers.version:
            self._version = self._brokers.version
            self._bytecode = exclusion_bytecode(self._brokers.addresses)

    def _new_columns(self) -> Columns:
        return OutgoingColumns()

    def _reader_for(self, *, with_cgroups: bool) -> OutgoingReader:
        if self._remotes.is_full and self._shared.is_empty:
            self._shared.make_room()
        self._shared.reader.begin(with_cgroups=with_cgroups)
        return self._shared.reader

    def renumber(self, used: set[int]) -> None:
        """The remote ends have other numbers from now on; what the last dump showed is forgotten.

        Args:
            used: The new numbers of those that the target uses.
        """
        self.used = used
        self._last = self._new_columns()

    def _count_endpoints(
        self, columns: Columns, result: Connections, held: Counter[int], foreign: Counter[int]
    ) -> None:
        result.by_endpoint = self._by_endpoint(columns, result, held, foreign)

    def _by_endpoint(
        self, columns: Columns, result: Connections, held: Counter[int], foreign: Counter[int]
    ) -> dict[str, EndpointCount]:
        self.used.update(at for at, count in held.items() if count)
        known = [at in self.used for at in columns.orphan_endpoints]
        states = bytes(compress(columns.orphan_states, known))
        for state, count in Counter(states).items():
            result.add(KERNEL_PID, state, count)
        ends = zip(states, compress(columns.orphan_endpoints, known), strict=True)
        waiting = Counter(at for state, at in ends if state == TIME_WAIT)
        names = self._remotes.names
        return most_used(
            (names[at], EndpointCount(held[at], waiting[at], foreign[at], REMOTE))
            for at in sorted(self.used)
        )

    def _names(self, columns: Columns) -> Iterator[tuple[Iterable[int], Iterable[str]]]:
        names = [socket_name(name) for name in self._remotes.names]
        yield columns.inodes, map(names.__getitem__, columns.endpoints)
        if isinstance(columns, OutgoingColumns):
            ports = columns.accepted_ports
            accepted = {port: accepted_name(socket.ntohs(port)) for port in set(ports)}
            yield columns.accepted, map(accepted.__getitem__, ports)
            yield columns.listening, (LISTENING for _ in columns.listening)


class NetlinkOthers(NetlinkOutgoing):
    """The same of connections beside those that count; an `OthersSource`.

    Whose they are is not looked up: composition.csv takes a look at every descriptor anyway.
    """

    def read(self, tree: Mapping[int, Process]) -> Connections:
        """Take a dump; what it amounts to is told by `count`."""
        self._prepare()
        self._dump(tree, with_cgroups=False)
        return Connections()

    def count(self, held: Mapping[str, int]) -> dict[str, EndpointCount]:
        """The connections of the last dump by remote end.

        Args:
            held: Name of a socket -> how many of them the target has.
        """
        mine = {at: held.get(socket_name(name), 0) for at, name in enumerate(self._remotes.names)}
        ours = Counter({at: count for at, count in mine.items() if count and at != OTHERS})
        foreign = Counter(self._last.endpoints)
        foreign.subtract(ours)
        return self._by_endpoint(self._last, Connections(), ours, +foreign)
