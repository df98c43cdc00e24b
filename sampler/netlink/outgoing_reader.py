"""What a dump shows of connections that were opened here, whatever their remote end."""

import ipaddress
import socket
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import compress

from tidemark.record.endpoints import shown_endpoint
from tidemark.record.layout import OTHER_ENDPOINTS
from tidemark.record.metrics import TCP_STATE_NUMBERS
from tidemark.sampler.brokers import IPAddress, unmapped
from tidemark.sampler.connections import LISTEN
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

_WORDS_OF_ADDRESS = {int(socket.AF_INET): 1, int(socket.AF_INET6): 4}
_CONNECTION_STATES = frozenset(TCP_STATE_NUMBERS.values())
MOST_REMOTES = 16_384
"""So many remote ends are told apart in a dump; what comes after them is one."""
_REMEMBERED = 300
"""For so many dumps a port counts as one that is listened on after it was seen to be."""
OTHERS = 0
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

    @property
    def is_full(self) -> bool:
        """Whether no more are told apart."""
        return len(self.names) >= MOST_REMOTES

    def __missing__(self, key: tuple[int, ...]) -> int:
        name = shown_endpoint(str(_address(key[:-1])), socket.ntohs(key[-1]))
        number = self._numbers.get(name)  # also as an IPv4-mapped address
        if number is None and not self.is_full:
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
        if number is None:
            return OTHERS
        self[key] = number
        return number

    def keep(self, wanted: Iterable[int]) -> set[int]:
        """Forget all but these, which get other numbers; returns them."""
        names = [self.names[at] for at in sorted(wanted) if at != OTHERS]
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
