"""A dump of sockets, turned into columns by strides instead of a loop over sockets."""

import socket
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, compress
from typing import Self, TypeVar

from tidemark.sampler.brokers import Brokers, IPAddress
from tidemark.sampler.errors import BrokerAddressError, NetlinkError
from tidemark.sampler.netlink.sockdiag import ATTRIBUTE, HEADER

Of = TypeVar("Of")

MESSAGE_BYTES = HEADER.size + 72
"""nlmsghdr and struct inet_diag_msg; attributes follow."""

# Offsets in a message, from the start of its nlmsghdr (linux/inet_diag.h, inet_diag_msg).
FAMILY = HEADER.size
STATE = HEADER.size + 1
LOCAL_PORT = HEADER.size + 4
REMOTE_PORT = HEADER.size + 6
REMOTE_ADDRESS = HEADER.size + 24
INODE = HEADER.size + 68

_CGROUP_ATTRIBUTE = 21
_CGROUP_ATTRIBUTE_BYTES = 12

_ALWAYS_HELD = bytes((1, 2, 8))
"""ESTABLISHED, SYN_SENT, CLOSE_WAIT: somebody holds these; closing leads out of them."""

MAX_ENDPOINTS = 255


@dataclass(slots=True)
class Columns:
    """The sockets of a dump, a column each, in the order of the kernel.

    Attributes:
        states: TCP state numbers of the sockets that somebody holds.
        inodes: Their inodes, never 0.
        endpoints: Position of their remote ends in `Brokers.endpoints`.
        cgroups: Their cgroup ids, low and high word; empty unless they were asked for.
        orphan_states: TCP state numbers of those that nobody holds (inode 0): TIME_WAIT
            above all, and what a process closed that is not over yet.
        orphan_endpoints: Position of their remote ends.
    """

    states: bytearray = field(default_factory=bytearray)
    inodes: "array[int]" = field(default_factory=lambda: array("I"))
    endpoints: "bytearray | array[int]" = field(default_factory=bytearray)
    cgroups: tuple["array[int]", "array[int]"] = field(
        default_factory=lambda: (array("I"), array("I"))
    )
    orphan_states: bytearray = field(default_factory=bytearray)
    orphan_endpoints: "bytearray | array[int]" = field(default_factory=bytearray)

    def extend(self, other: Self) -> None:
        """Append the sockets of another dump."""
        self.states += other.states
        self.inodes += other.inodes
        self.endpoints.extend(other.endpoints)
        self.orphan_states += other.orphan_states
        self.orphan_endpoints.extend(other.orphan_endpoints)
        for mine, theirs in zip(self.cgroups, other.cgroups, strict=True):
            mine.extend(theirs)

    def inodes_in(self, state: int) -> list[int]:
        """Inodes of the held sockets in this TCP state."""
        return list(compress(self.inodes, self.states.translate(_only(state))))

    def without_doubles(self) -> Self:
        """Each held socket once: one that moved in the table during the dump may come twice.

        The later occurrence stays.
        """
        last = {inode: at for at, inode in enumerate(self.inodes)}
        keep = [last[inode] == at for at, inode in enumerate(self.inodes)]
        low, high = self.cgroups
        return replace(
            self,
            states=bytearray(compress(self.states, keep)),
            inodes=array("I", compress(self.inodes, keep)),
            endpoints=_picked(self.endpoints, keep),
            cgroups=(array("I", compress(low, keep)), array("I", compress(high, keep))),
        )


def _picked(column: "bytearray | array[int]", wanted: Iterable[object]) -> "bytearray | array[int]":
    """The elements of a column that are wanted, as a column of the same kind."""
    picked = compress(column, wanted)
    return bytearray(picked) if isinstance(column, bytearray) else array(column.typecode, picked)


def _only(state: int) -> bytes:
    return bytes(number == state for number in range(256))


class EndpointKey:
    """Tells the endpoints apart by as few bytes of a message as do.

    The kernel has let through only remote ends that are endpoints, so that a byte in
    which they differ is enough: the last of the address, most often.

    Args:
        remotes: Address and port as they stand in a message -> position of the endpoint.
            All addresses have the same length.
    """

    def __init__(self, remotes: Mapping[tuple[bytes, bytes], int]) -> None:
        places = {port + address: endpoint for (address, port), endpoint in remotes.items()}
        chosen = _telling_bytes(places)
        self._offsets = [REMOTE_PORT + at if at < 2 else REMOTE_ADDRESS + at - 2 for at in chosen]
        self._known = {
            tuple(place[at] for at in chosen): endpoint for place, endpoint in places.items()
        }
        self._table = bytes(self._known.get((byte,), 0) for byte in range(256))

    def column(self, run: bytes, stride: int, count: int) -> bytes:
        """Position of the endpoint of each message of a run."""
        if not self._offsets:
            return bytes(self._known.values()) * count
        columns = [run[offset::stride] for offset in self._offsets]
        if len(columns) == 1:
            return columns[0].translate(self._table)
        return bytes(map(self._known.__getitem__, zip(*columns, strict=True)))


def _telling_bytes(places: Mapping[bytes, int]) -> tuple[int, ...]:
    """The fewest positions whose bytes tell the endpoints apart (at most two, or all that vary)."""
    size = len(next(iter(places), b""))
    varying = [at for at in range(size) if len({place[at] for place in places}) > 1]
    for number in range(min(len(varying), 2) + 1):
        for positions in combinations(varying, number):
            groups: dict[tuple[int, ...], set[int]] = {}
            for place, endpoint in places.items():
                groups.setdefault(tuple(place[at] for at in positions), set()).add(endpoint)
            if all(len(group) == 1 for group in groups.values()):
                return positions
    return tuple(varying)


def _as_mapped(address: IPAddress) -> bytes:
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


class DumpReader:
    """Collects the columns of the runs of one dump after the other.

    Args:
        brokers: The remote ends that the dumps are filtered by.
        with_cgroups: Whether to collect the cgroup ids too.

    Raises:
        BrokerAddressError: There are more than 255 endpoints.
    """

    def __init__(self, brokers: Brokers, *, with_cgroups: bool = False) -> None:
        if len(brokers.endpoints) > MAX_ENDPOINTS:
            raise BrokerAddressError(
                f"{len(brokers.endpoints)} brokers: at most {MAX_ENDPOINTS} can be watched at once"
            )
        position = {endpoint: at for at, endpoint in enumerate(brokers.endpoints)}
        four: dict[tuple[bytes, bytes], int] = {}
        six: dict[tuple[bytes, bytes], int] = {}
        for (address, port), endpoint in brokers.addresses.items():
            port_bytes = port.to_bytes(2, "big")
            six[_as_mapped(address), port_bytes] = position[endpoint]
            if address.version == 4:
                four[address.packed, port_bytes] = position[endpoint]
        self._keys = {
            int(socket.AF_INET): EndpointKey(four),
            int(socket.AF_INET6): EndpointKey(six),
        }
        self._with_cgroups = with_cgroups

    def add(self, columns: Columns, length: int, run: bytes) -> None:
        """Append a run of messages of one length to the columns.

        Raises:
            NetlinkError: The messages are too short, or of a family that was not asked for.
        """
        for key, same, stride in by_family(self._keys, length, run):
            self._add_family(columns, key, same, stride)

    def _add_family(self, columns: Columns, key: EndpointKey, run: bytes, stride: int) -> None:
        words = array("I")
        words.frombytes(run)
        inodes = words[INODE // 4 :: stride // 4]
        states = run[STATE::stride]
        endpoints = key.column(run, stride, len(inodes))
        if states.translate(None, _ALWAYS_HELD) and 0 in inodes:
            orphaned = [not inode for inode in inodes]
            columns.orphan_states += bytes(compress(states, orphaned))
            columns.orphan_endpoints.extend(compress(endpoints, orphaned))
            states = bytes(compress(states, inodes))
            endpoints = bytes(compress(endpoints, inodes))
            run = pick(run, stride, inodes)
            inodes = array("I", filter(None, inodes))
        columns.states += states
        columns.inodes += inodes
        columns.endpoints.extend(endpoints)
        if self._with_cgroups and run:
            for column, ids in zip(columns.cgroups, cgroups_of(run, stride), strict=True):
                column.extend(ids)


def by_byte(run: bytes, stride: int, offset: int) -> list[tuple[int, bytes]]:
    """The run in parts in which the byte at an offset of the message is the same."""
    column = run[offset::stride]
    if column.count(column[0]) == len(column):
        return [(column[0], run)]
    return [
        (byte, pick(run, stride, [one == byte for one in column])) for byte in sorted(set(column))
    ]


def by_family(known: Mapping[int, Of], length: int, run: bytes) -> Iterator[tuple[Of, bytes, int]]:
    """A run of messages by what is known of their address family, with their stride.

    Args:
        known: Address family -> what is known of it.
        length: Bytes of a message.
        run: The messages.

    Raises:
        NetlinkError: The messages are too short, or of a family that was not asked for.
    """
    stride = (length + 3) & ~3
    if length < MESSAGE_BYTES:
        raise NetlinkError(f"netlink: a socket in {length} bytes, {MESSAGE_BYTES} needed")
    for family, same in by_byte(run, stride, FAMILY):
        if family not in known:
            raise NetlinkError(f"netlink: a socket of the address family {family}")
        yield known[family], same, stride


def pick(run: bytes, stride: int, wanted: Iterable[object]) -> bytes:
    """The messages of a run that are wanted."""
    starts = compress(range(0, len(run), stride), wanted)
    return b"".join([run[start : start + stride] for start in starts])


def cgroups_of(run: bytes, stride: int) -> Sequence["array[int]"]:
    """Cgroup ids of a run, low and high words; 0 where the message has none (TIME_WAIT)."""
    count = len(run) // stride
    offset = _attribute_offset(run[:stride], _CGROUP_ATTRIBUTE)
    header = _CGROUP_ATTRIBUTE_BYTES | _CGROUP_ATTRIBUTE << 16
    if offset is None:
        return array("I", [0]) * count, array("I", [0]) * count
    words = array("I")
    words.frombytes(run)
    at, step = offset // 4, stride // 4
    if words[at::step].count(header) != count:
        return _one_by_one(run, stride)
    return words[at + 1 :: step], words[at + 2 :: step]


def _one_by_one(run: bytes, stride: int) -> Sequence["array[int]"]:
    """The same where the messages of a run are of one length but not of one make."""
    low, high = array("I"), array("I")
    for start in range(0, len(run), stride):
        message = run[start : start + stride]
        offset = _attribute_offset(message, _CGROUP_ATTRIBUTE)
        words = array("I", [0, 0])
        if offset is not None:
            words = array("I")
            words.frombytes(message[offset + 4 : offset + _CGROUP_ATTRIBUTE_BYTES])
        low.append(words[0])
        high.append(words[1])
    return low, high


def _attribute_offset(message: bytes, wanted: int) -> int | None:
    """Where an attribute begins in a socket's message; None if it is not there whole."""
    at = MESSAGE_BYTES
    while at + ATTRIBUTE.size <= len(message):
        size, kind = ATTRIBUTE.unpack_from(message, at)
        if size < ATTRIBUTE.size or at + size > len(message):
            return None
        if kind & 0x3FFF == wanted:
            return at
        at += (size + 3) & ~3
    return None
