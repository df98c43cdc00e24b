"""Connections from `/proc/PID/net/tcp` and `tcp6`: where netlink is not to be had.

Format: Documentation/networking/proc_net_tcp.rst; addresses are printed as 32-bit words
in the byte order of the host.
"""

import contextlib
import ipaddress
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

from tidemark.record.endpoints import shown_endpoint
from tidemark.record.layout import KERNEL_PID, REMOTE
from tidemark.record.metrics import TCP_STATE_NUMBERS
from tidemark.sampler import procfs
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
from tidemark.sampler.errors import DeniedError, NoSuchProcessError, SamplerError
from tidemark.sampler.tree import Process

MOST_REMOTES = 16_384
"""So many remote ends are remembered that the target was seen to use."""
_CONNECTION_STATES = frozenset(TCP_STATE_NUMBERS.values())


@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP socket.

    Attributes:
        local_port: Port of its own end.
        remote: Address and port of the remote end; IPv4-mapped ones as IPv4.
        state: Number of the TCP state (include/net/tcp_states.h).
        inode: Inode of the socket; 0 when no process holds it any more.
    """

    local_port: int
    remote: tuple[IPAddress, int]
    state: int
    inode: int


def parse_address(text: bytes) -> tuple[IPAddress, int]:
    """`0100007F:2384` -> 127.0.0.1, 9092; also the long form of IPv6.

    Raises:
        ValueError: It is neither.
    """
    words, _, port = text.partition(b":")
    if len(words) not in {8, 32}:
        raise ValueError(f"/proc/net/tcp: not an address: {text!r}")
    host = b"".join(
        int(words[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(words), 8)
    )
    return unmapped(ipaddress.ip_address(host)), int(port, 16)


def parse_tcp(lines: Iterable[bytes], wanted: frozenset[int] | None) -> Iterator[Connection]:
    """The sockets of a `/proc/net/tcp{,6}` whose remote port is wanted.

    A torn last line is left out: a whole one ends with a newline.

    Args:
        lines: The lines of the file, its header first.
        wanted: Remote ports; None for all.

    Raises:
        ValueError: A whole line is not of that format.
    """
    suffixes = {b"%04X" % port for port in wanted or ()}
    for line in islice(lines, 1, None):
        fields = line.split(None, 10)
        if not line.endswith(b"\n"):
            return
        if len(fields) < 10:
            raise ValueError(f"/proc/net/tcp: not a line of it: {line!r}")
        if wanted is None or fields[2][-4:] in suffixes:
            local_port, remote = int(fields[1][-4:], 16), parse_address(fields[2])
            yield Connection(local_port, remote, int(fields[3], 16), int(fields[9]))


class ProcfsSource:
    """Reads the table as text and every descriptor's link; a `ConnectionSource`.

    Args:
        brokers: The remote ends that count.
    """

    name = "procfs"

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._tables: dict[int, list[BinaryIO]] = {}
        self._names: dict[int, str] = {}

    def read(self, tree: Mapping[int, Process]) -> Connections:
        """Read the connections of these processes, pid -> process."""
        result = Connections({KERNEL_PID: {}})
        owners = self._owners(tree, result)
        ends = {endpoint: EndpointCount() for endpoint in self._brokers.endpoints}
        undecided = False
        self._names = {}
        ports = frozenset(port for _, port in self._brokers.addresses)
        for connection in self._table(tree, ports):
            endpoint = self._brokers.addresses.get(connection.remote)
            if endpoint is not None:
                self._names[connection.inode] = socket_name(endpoint)
                undecided |= _count(connection, ends[endpoint], owners, result)
        if not (result.denied and undecided):
            result.by_endpoint = ends
        return result

    def sockets(self) -> dict[int, str]:
        """Inode -> name of the TCP sockets of the last reading."""
        return self._names

    def _owners(self, tree: Mapping[int, Process], result: Connections) -> dict[int, int]:
        """Inode -> pid for every socket of the tree."""
        owners: dict[int, int] = {}
        for pid in tree:
            try:
                links = procfs.read_fd_links(pid).values()
            except NoSuchProcessError:
                continue
            except DeniedError as error:
                result.denied[pid] = error.what
                continue
            result.by_process[pid] = {}
            for link in links:
                owners.setdefault(procfs.socket_inode(link), pid)
        return owners

    def _table(
        self, tree: Mapping[int, Process], ports: frozenset[int] | None
    ) -> Iterator[Connection]:
        """The sockets of every network namespace of the tree, each once."""
        self._follow(tree)
        if not self._tables:
            raise SamplerError("no process of the target is there whose network could be read")
        for file in chain.from_iterable(self._tables.values()):
            with procfs.reading(0, "/proc/PID/net/tcp"):
                file.seek(0)
                yield from parse_tcp(file, ports)

    def _follow(self, tree: Iterable[int]) -> None:
        """Have the tables of every network namespace of the tree open.

        An open table keeps its namespace: when the last process has gone, it still tells
        what is left in TIME_WAIT there.
        """
        found: set[int] = set()
        for pid in tree:
            with contextlib.suppress(NoSuchProcessError):
                namespace = procfs.network_namespace(pid)
                if namespace not in self._tables:
                    self._tables[namespace] = procfs.open_files(pid, "net/tcp", "net/tcp6")
                found.add(namespace)
        if found:
            for namespace in self._tables.keys() - found:
                self._close(namespace)

    def _close(self, namespace: int) -> None:
        for file in self._tables.pop(namespace):
            file.close()

    def close(self) -> None:
        """Close the tables."""
        for namespace in tuple(self._tables):
            self._close(namespace)


class ProcfsOutgoing(ProcfsSource):
    """The same of all connections that were opened here, but those towards brokers.

    See `tidemark.sampler.netlink.outgoing`, which counts in the same way.

    Args:
        brokers: The remote ends that are left out.
    """

    def __init__(self, brokers: Brokers) -> None:
        super().__init__(brokers)
        self._used: set[str] = set()

    def read(self, tree: Mapping[int, Process]) -> Connections:
        """Read the connections of these processes, pid -> process."""
        result = Connections({KERNEL_PID: {}})
        owners = self._owners(tree, result)
        opened = self._look(tree)
        self._use(opened, (name for name, one in opened if one.inode and one.inode in owners))
        ends: dict[str, EndpointCount] = {}
        undecided = False
        for name, one in opened:
            if one.inode or name in self._used:
                end = ends.setdefault(name, EndpointCount(kind=REMOTE))
                undecided |= _count(one, end, owners, result)
        if not (result.denied and undecided):
            result.by_endpoint = self._told(ends)
        return result

    def _look(self, tree: Mapping[int, Process]) -> list[tuple[str, Connection]]:
        """Read the tables: what was opened here with the name of its remote end."""
        table = list(self._table(tree, None))
        listened = {one.local_port for one in table if one.state == LISTEN}
        self._names = {}
        opened = []
        for one in table:
            if one.state == LISTEN:
                self._names[one.inode] = LISTENING
            elif one.local_port in listened:
                self._names[one.inode] = accepted_name(one.local_port)
            elif one.state in _CONNECTION_STATES and one.remote not in self._brokers.addresses:
                name = shown_endpoint(str(one.remote[0]), one.remote[1])
                self._names[one.inode] = socket_name(name)
                opened.append((name, one))
        return opened

    def _use(self, opened: Iterable[tuple[str, Connection]], names: Iterable[str]) -> None:
        """Remember the ends that the target uses; of too many, those that are still there."""
        self._used.update(names)
        if len(self._used) > MOST_REMOTES:
            self._used &= {name for name, _ in opened}

    def _told(self, ends: Mapping[str, EndpointCount]) -> dict[str, EndpointCount]:
        return most_used((name, end) for name, end in ends.items() if name in self._used)


class ProcfsOthers(ProcfsOutgoing):
    """The same of connections beside those that count; an `OthersSource`.

    Args:
        brokers: The remote ends that are left out.
    """

    def __init__(self, brokers: Brokers) -> None:
        super().__init__(brokers)
        self._opened: list[tuple[str, Connection]] = []

    def read(self, tree: Mapping[int, Process]) -> Connections:
        """Read the tables; what they amount to is told by `count`."""
        self._opened = self._look(tree)
        return Connections()

    def count(self, held: Mapping[str, int]) -> dict[str, EndpointCount]:
        """The connections of the last reading by remote end.

        Args:
            held: Name of a socket -> how many of them the target has.
        """
        names = {name for name, _ in self._opened}
        mine = {name: held.get(socket_name(name), 0) for name in names}
        self._use(self._opened, (name for name, count in mine.items() if count))
        ends = {name: EndpointCount(mine[name], kind=REMOTE) for name in names}
        for name, one in self._opened:
            ends[name].foreign += one.inode != 0
            ends[name].time_wait += one.state == TIME_WAIT
        for name, end in ends.items():
            end.foreign = max(end.foreign - mine[name], 0)
        return self._told(ends)


def _count(
    connection: Connection, end: EndpointCount, owners: Mapping[int, int], result: Connections
) -> bool:
    """Count a connection towards an endpoint; whether nobody who may be read holds it."""
    pid = owners.get(connection.inode) if connection.inode else KERNEL_PID
    if pid is None:
        end.foreign += 1
        return True
    result.add(pid, connection.state)
    end.time_wait += connection.state == TIME_WAIT
    end.held += pid != KERNEL_PID
    return False
