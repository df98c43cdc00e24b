"""All connections that the target has opened, whatever their remote end, from the same dumps."""

import ipaddress
import socket
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import compress

from tidemark.record.endpoints import shown_endpoint
from tidemark.record.layout import KERNEL_PID, OTHER_ENDPOINTS, REMOTE
from tidemark.record.metrics import TCP_STATE_NUMBERS
from tidemark.sampler.brokers import Brokers, IPAddress, unmapped
from tidemark.sampler.connections import (
    LISTEN,
    LISTENING,
    TIME_WAIT,
    Connections,
    EndpointCount,
    accepted_name,
    most_used,
    socket_name,
)
from tidemark.sampler.netlink.dump import (
    INODE,
    LOCAL_PORT,
    REMOTE_ADDRESS,
    REMOTE_PORT,
    STATE,
    Columns,
    by_family,
    cgroups_of,
    pick,
)
from tidemark.sampler.netlink.sharing import Dumps
from tidemark.sampler.netlink.sockdiag import exclusion_bytecode
from tidemark.sampler.netlink.source import NetlinkSource
from tidemark.sampler.tree import Process

_WORDS_OF_ADDRESS = {int(socket.AF_INET): 1, int(socket.AF_INET6): 4}
_CONNECTION_STATES = frozenset(TCP_STATE_NUMBERS.values())
MOST_REMOTES = 16_384
"""So many remote ends are told apart in a dump; what comes after them is one."""
_REMEMBERED = 300
"""For so many dumps a port counts as one that is listened on after it was seen to be."""
_OTHERS = 0
"""The number of that one."""


@dataclass(slots=True)
class OutgoingColumns(Columns):
    """The connections of a dump that somebody has opened, and what else is named by its inode.

    Attributes:
        listening: Inodes of the sockets that listen.
        accepted: Inodes of those that came of them.
        accepted_ports: The local port of each of these, in network byte order.
    """

    endpoints: "bytearray | array[int]" = field(default_factory=lambda: array("H"))
    orphan_endpoints: "bytearray | array[int]" = field(default_factory=lambda: array("H"))
    listening: "array[int]" = field(default_factory=lambda: array("I"))
    accepted: "array[int]" = field(default_factory=lambda: array("I"))
    accepted_ports: "array[int]" = field(default_factory=lambda: array("H"))

    def extend(self, other: Columns) -> None:
        """Append the sockets of another dump."""
        Columns.extend(self, other)
        if isinstance(other, OutgoingColumns):
            self.listening += other.listening
            self.accepted += other.accepted
            self.accepted_ports += other.accepted_ports


class Remotes(dict[tuple[int, ...], int]):
    """The words of an address and a port, as they stand in a message -> number of that remote end.

    Attributes:
        names: What each is called, by its number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names = [OTHER_ENDPOINTS]
        self._numbers: dict[str, int] = {}

    def __missing__(self, key: tuple[int, ...]) -> int:
        name = shown_endpoint(str(_address(key[:-1])), socket.ntohs(key[-1]))
        number = self._numbers.get(name)  # also as an IPv4-mapped address
        if number is None and len(self.names) < MOST_REMOTES:
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
        if number is None:
            return _OTHERS
        self[key] = number
        return number

    def keep(self, wanted: Iterable[int]) -> set[int]:
        """Forget all but these, which get other numbers; returns them."""
        names = [self.names[at] for at in sorted(wanted) if at != _OTHERS]
        self.clear()
        self.names = [OTHER_ENDPOINTS, *names]
        self._numbers = {name: at for at, name in enumerate(names, start=1)}
        return set(self._numbers.values())


def _address(words: tuple[int, ...]) -> IPAddress:
    return unmapped(ipaddress.ip_address(array("I", words).tobytes()))


class OutgoingReader:
    """Collects what a dump shows of connections that were opened here.

    A connection that came in has the local port of the socket that listens, of whichever process;
    those stand at the beginning of a dump.

    Args:
        remotes: The remote ends so far.
    """

    def __init__(self, remotes: Remotes) -> None:
        self._remotes = remotes
        self._with_cgroups = False
        self._listened: dict[int, int] = {}  # port, network byte order -> dump
        self._dump = 0

    def begin(self, *, with_cgroups: bool) -> None:
        """Another dump begins.

        Args:
            with_cgroups: Whether to collect the cgroup ids too.
        """
        self._with_cgroups = with_cgroups
        self._dump += 1
        forgotten = self._dump - _REMEMBERED
        if self._dump % _REMEMBERED == 0:
            self._listened = {port: at for port, at in self._listened.items() if at > forgotten}

    def add(self, columns: OutgoingColumns, length: int, run: bytes) -> None:
        """Append a run of messages of one length to the columns.

        Raises:
            NetlinkError: The messages are too short, or of a family that was not asked for.
        """
        for words, same, stride in by_family(_WORDS_OF_ADDRESS, length, run):
            self._add_family(columns, words, same, stride)

    def _add_family(self, columns: OutgoingColumns, words: int, run: bytes, stride: int) -> None:
        states, ports = run[STATE::stride], _halves(run, LOCAL_PORT, stride)
        if LISTEN in states:
            listening = [state == LISTEN for state in states]
            self._listened.update(dict.fromkeys(compress(ports, listening), self._dump))
            columns.listening.extend(compress(_words(run, INODE, stride), listening))
        came_in = [port in self._listened for port in ports]
        if any(came_in):
            accepted = [one and state != LISTEN for one, state in zip(came_in, states, strict=True)]
            columns.accepted.extend(compress(_words(run, INODE, stride), accepted))
            columns.accepted_ports.extend(compress(ports, accepted))
        opened = [
            state in _CONNECTION_STATES and not one
            for one, state in zip(came_in, states, strict=True)
        ]
        self._add_opened(columns, words, pick(run, stride, opened), stride)

    def _add_opened(self, columns: OutgoingColumns, words: int, run: bytes, stride: int) -> None:
        if not run:
            return
        inodes = _words(run, INODE, stride)
        keys = zip(
            *(_words(run, REMOTE_ADDRESS + 4 * at, stride) for at in range(words)),
            _halves(run, REMOTE_PORT, stride),
            strict=True,
        )
        endpoints = array("H", map(self._remotes.__getitem__, keys))
        states = run[STATE::stride]
        orphaned = [not inode for inode in inodes]
        columns.orphan_states += bytes(compress(states, orphaned))
        columns.orphan_endpoints.extend(compress(endpoints, orphaned))
        columns.states += bytes(compress(states, inodes))
        columns.endpoints.extend(compress(endpoints, inodes))
        columns.inodes.extend(filter(None, inodes))
        held = pick(run, stride, inodes) if self._with_cgroups else b""
        if held:
            for column, ids in zip(columns.cgroups, cgroups_of(held, stride), strict=True):
                column.extend(ids)


def _words(run: bytes, offset: int, stride: int) -> "array[int]":
    """The 32-bit figure at an offset of each message."""
    words = array("I")
    words.frombytes(run)
    return words[offset // 4 :: stride // 4]


def _halves(run: bytes, offset: int, stride: int) -> "array[int]":
    """The 16-bit figure at an offset of each message."""
    halves = array("H")
    halves.frombytes(run)
    return halves[offset // 2 :: stride // 2]


class OutgoingDumps(Dumps):
    """The same with the remote ends that they have shown, which have the same numbers for all.

    Attributes:
        remotes: The remote ends so far.
        reader: Collects them.
    """

    def __init__(self, *, are_kept: bool = False) -> None:
        super().__init__(are_kept=are_kept)
        self.remotes = Remotes()
        self.reader = OutgoingReader(self.remotes)
        self._sources: list[NetlinkOutgoing] = []

    def enter(self, source: "NetlinkOutgoing") -> None:
        """Have the remote ends remembered that one of the targets uses."""
        self._sources.append(source)

    def make_room(self) -> None:
        """Forget the remote ends that no target has used; most are those of other processes."""
        used = [{self.remotes.names[at] for at in source.used} for source in self._sources]
        self.remotes.keep(set().union(*(source.used for source in self._sources)))
        numbers = {name: at for at, name in enumerate(self.remotes.names) if at != _OTHERS}
        for source, names in zip(self._sources, used, strict=True):
            source.renumber({numbers[name] for name in names & numbers.keys()})


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
        if len(self._remotes.names) >= MOST_REMOTES and self._shared.is_empty:
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
        ours = Counter({at: count for at, count in mine.items() if count and at != _OTHERS})
        foreign = Counter(self._last.endpoints)
        foreign.subtract(ours)
        return self._by_endpoint(self._last, Connections(), ours, +foreign)
