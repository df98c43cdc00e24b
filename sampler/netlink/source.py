"""Connections from the kernel's socket statistics: the source to use where it is to be had."""

import contextlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress
from typing import Any, Protocol

from tidemark.record.layout import KERNEL_PID
from tidemark.sampler import procfs
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.connections import TIME_WAIT, Connections, EndpointCount, socket_name
from tidemark.sampler.errors import DumpInterruptedError, NoSuchProcessError
from tidemark.sampler.netlink import cgroups
from tidemark.sampler.netlink.cgroups import NONE, OwnCgroups
from tidemark.sampler.netlink.dump import Columns, DumpReader
from tidemark.sampler.netlink.namespaces import open_in_namespace
from tidemark.sampler.netlink.owners import SocketOwners
from tidemark.sampler.netlink.sharing import Dumps
from tidemark.sampler.netlink.sockdiag import ALL_STATES, SockDiag, filter_bytecode
from tidemark.sampler.tree import Process

_ATTEMPTS = 3
_LISTEN = 1 << 10


class Reader(Protocol):
    """Collects the columns of a dump."""

    def add(self, columns: Any, length: int, run: bytes) -> None:
        """Append a run of messages of one length to the columns."""
        ...


class NetlinkSource:
    """Dumps the sockets towards the brokers in every network namespace of the tree.

    Args:
        brokers: The remote ends that count.
        pid: A process of the target; its namespace is opened at once, to see if it works.
        dumps: What is shared with other targets of that namespace; None if there are none.

    Raises:
        NoSuchProcessError: The process has gone.
        DeniedError: Its namespace may not be entered.
        NetlinkError: The kernel has no socket statistics for TCP.
    """

    name = "netlink"

    def __init__(self, brokers: Brokers, pid: int, dumps: Dumps | None = None) -> None:
        self._brokers = brokers
        self._dumps = dumps or Dumps()
        self._owners = SocketOwners()
        self._mount = cgroups.unified_mount()
        self._trusted: OwnCgroups = NONE
        self._sockets: dict[int, SockDiag] = {}
        self._version = -1
        self._last = self._new_columns()
        self._prepare()
        namespace = procfs.network_namespace(pid)
        for _ in self._socket_for(namespace, pid).dump(self._bytecode, _LISTEN):
            pass  # only whether the kernel answers

    def _prepare(self) -> None:
        """Build what depends on the brokers' addresses anew when these have changed."""
        if self._version != self._brokers.version:
            self._version = self._brokers.version
            self._bytecode = filter_bytecode(self._brokers.addresses)
            self._readers = {
                wanted: DumpReader(self._brokers, with_cgroups=wanted) for wanted in (False, True)
            }

    def _socket_for(self, namespace: int, pid: int) -> SockDiag:
        if namespace not in self._sockets:
            self._sockets[namespace] = open_in_namespace(pid, SockDiag)
        return self._sockets[namespace]

    def read(self, tree: Mapping[int, Process]) -> Connections:
        """Read the connections of these processes, pid -> process."""
        self._prepare()
        own = cgroups.find_own(tree, self._mount)
        columns = self._dump(tree, with_cgroups=own.complete)
        if own.complete and not own.shared and own == self._trusted:
            return self._by_cgroup(columns, own)
        result = self._by_inode(columns, tree)
        if own.complete and not own.shared:
            told = self._by_cgroup(columns, own)
            if self._owners.denied or told.by_process == result.by_process:
                self._trusted = own
            if self._owners.denied:
                return told
        return result

    def _dump(self, tree: Mapping[int, Process], *, with_cgroups: bool) -> Columns:
        sockets = self._sockets_of(tree)
        taken = {at: self._dumps.get(at, with_cgroups=with_cgroups) for at in sockets}
        missing = [at for at, found in taken.items() if found is None]
        reader = self._reader_for(with_cgroups=with_cgroups) if missing else None
        columns = self._new_columns()
        for at, diag in sockets.items():
            found = taken[at]
            if found is None and reader is not None:
                found = self._dump_one(diag, reader)
                self._dumps.put(at, found, with_cgroups=with_cgroups)
            if found is not None:
                columns.extend(found)
        self._last = columns
        return columns

    def _new_columns(self) -> Columns:
        return Columns()

    def _reader_for(self, *, with_cgroups: bool) -> Reader:
        return self._readers[with_cgroups]

    def _sockets_of(self, tree: Iterable[int]) -> dict[int, SockDiag]:
        """A socket in every network namespace of the tree, by that.

        A socket keeps its namespace: when the last process has gone, it still tells what is
        left in TIME_WAIT there.
        """
        found: dict[int, SockDiag] = {}
        for pid in tree:
            with contextlib.suppress(NoSuchProcessError):
                namespace = procfs.network_namespace(pid)
                if namespace not in found:
                    found[namespace] = self._socket_for(namespace, pid)
        if found:
            for namespace in self._sockets.keys() - found:
                self._sockets.pop(namespace).close()
        return self._sockets

    def _dump_one(self, diag: SockDiag, reader: Reader) -> Columns:
        """One dump that can be trusted.

        Raises:
            DumpInterruptedError: Each of several was interrupted.
        """
        left = _ATTEMPTS
        while True:
            columns = self._new_columns()
            try:
                for length, run in diag.dump(self._bytecode, ALL_STATES):
                    reader.add(columns, length, run)
            except DumpInterruptedError:
                left -= 1
                if not left:
                    raise
            else:
                return columns

    def _by_cgroup(self, columns: Columns, own: OwnCgroups) -> Connections:
        """Count by the cgroup that each socket was made in; none of them shared."""
        ids = zip(*columns.cgroups, strict=True)
        counts = Counter(zip(ids, columns.states, columns.endpoints, strict=True))
        result = _empty(own.single.values())
        held: Counter[int] = Counter()
        foreign: Counter[int] = Counter()
        for ((low, high), state, endpoint), count in counts.items():
            pid = own.single.get(low | high << 32)
            (foreign if pid is None else held)[endpoint] += count
            if pid is not None:
                result.add(pid, state, count)
        self._count_endpoints(columns, result, held, foreign)
        return result

    def _by_inode(self, columns: Columns, tree: Mapping[int, Process]) -> Connections:
        starts = {pid: process.start_ticks for pid, process in tree.items()}
        if not self._owners.update(columns.inodes, starts):
            columns = columns.without_doubles()
            self._owners.update(columns.inodes, starts)
        denied = self._owners.denied
        result = _empty([pid for pid in tree if pid not in denied])
        result.denied = dict(denied)
        result.learning_cost_s = self._owners.learning_cost_s
        self._count_states(columns, result)
        foreign = self._foreign(columns)
        held = _tally(columns.endpoints)
        held.subtract(foreign)
        self._count_endpoints(columns, result, held, foreign)
        if self._owners.undecided:
            result.by_endpoint = None
        return result

    def _count_states(self, columns: Columns, result: Connections) -> None:
        """Count the rare states socket by socket; the rest of a process is in the common one."""
        left = self._owners.totals()
        by_number = _tally(columns.states)
        common = max(by_number, key=by_number.__getitem__, default=0)
        for state in sorted(by_number.keys() - {common}):
            for pid, count in self._owners.count(columns.inodes_in(state)).items():
                result.add(pid, state, count)
                left[pid] -= count
        for pid, count in left.items():
            result.add(pid, common, count)

    def _foreign(self, columns: Columns) -> Counter[int]:
        """How many connections to each endpoint are held by processes that are not the tree's."""
        if not self._owners.strangers:
            return Counter()
        theirs = map(self._owners.strangers.__contains__, columns.inodes)
        return Counter(compress(columns.endpoints, theirs))

    def _count_endpoints(
        self, columns: Columns, result: Connections, held: Counter[int], foreign: Counter[int]
    ) -> None:
        """Add what nobody holds any more, and the counts by endpoint.

        Args:
            columns: The dump.
            result: Where to.
            held: Position of an endpoint -> connections that the tree holds.
            foreign: The same of those that others hold.
        """
        for state, count in Counter(columns.orphan_states).items():
            result.add(KERNEL_PID, state, count)
        in_time_wait = map(TIME_WAIT.__eq__, columns.orphan_states)
        waiting = Counter(compress(columns.orphan_endpoints, in_time_wait))
        result.by_endpoint = {
            endpoint: EndpointCount(held[at], waiting[at], foreign[at])
            for at, endpoint in enumerate(self._brokers.endpoints)
        }

    def sockets(self) -> dict[int, str]:
        """Inode -> name of the TCP sockets of the last dump."""
        found: dict[int, str] = {}
        for inodes, names in self._names(self._last):
            found.update(zip(inodes, names, strict=True))
        return found

    def _names(self, columns: Columns) -> Iterator[tuple[Iterable[int], Iterable[str]]]:
        """Inodes and, for each, its name."""
        names = [socket_name(name) for name in self._brokers.endpoints]
        yield columns.inodes, map(names.__getitem__, columns.endpoints)

    def close(self) -> None:
        """Close the netlink sockets."""
        for diag in self._sockets.values():
            diag.close()
        self._sockets.clear()


def _tally(column: "bytearray | array[int]") -> Counter[int]:
    """How often each number stands in a column; bytes are counted at the speed of a search."""
    if isinstance(column, bytearray):
        return Counter({at: column.count(at) for at in set(column)})
    return Counter(column)


def _empty(pids: Iterable[int]) -> Connections:
    return Connections({KERNEL_PID: {}, **{pid: {} for pid in pids}})
