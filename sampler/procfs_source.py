"""Connections from `/proc/PID/net/tcp{,6}`: where netlink is not to be had."""

from collections.abc import Iterator, Mapping

from tidemark.record.layout import KERNEL_PID
from tidemark.sampler import procfs
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.connections import TIME_WAIT, Connections, EndpointCount
from tidemark.sampler.errors import DeniedError, NoSuchProcessError
from tidemark.sampler.proctcp import Connection, parse_tcp
from tidemark.sampler.tree import Process


class ProcfsSource:
    """Reads the table as text and every descriptor's link.

    Args:
        brokers: The remote ends that count.
    """

    name = "procfs"

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers

    def read(self, tree: Mapping[int, Process]) -> Connections:
        """See `ConnectionSource.read`."""
        result = Connections({KERNEL_PID: {}})
        owners = self._owners(tree, result)
        held = dict.fromkeys(self._brokers.endpoints, 0)
        waiting = dict.fromkeys(self._brokers.endpoints, 0)
        undecided = False
        for connection in self._table(tree):
            endpoint = self._brokers.addresses.get(connection.remote)
            pid = owners.get(connection.inode) if connection.inode else KERNEL_PID
            undecided |= endpoint is not None and pid is None
            if endpoint is None or pid is None:
                continue
            counts = result.by_process[pid]
            counts[connection.state] = counts.get(connection.state, 0) + 1
            waiting[endpoint] += connection.state == TIME_WAIT
            held[endpoint] += pid != KERNEL_PID
        if not (result.denied and undecided):
            result.by_endpoint = {
                endpoint: EndpointCount(held[endpoint], waiting[endpoint]) for endpoint in held
            }
        return result

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

    def _table(self, tree: Mapping[int, Process]) -> Iterator[Connection]:
        """The connections of every network namespace of the tree, each once."""
        ports = frozenset(port for _, port in self._brokers.addresses)
        done: set[int] = set()
        for pid in tree:
            try:
                namespace = procfs.network_namespace(pid)
                if namespace not in done:
                    done.add(namespace)
                    yield from parse_tcp(procfs.read_lines(pid, "net/tcp"), ports)
                    yield from parse_tcp(procfs.read_lines(pid, "net/tcp6"), ports)
            except NoSuchProcessError:
                continue  # the process, or IPv6, is not there

    def close(self) -> None:
        """Nothing is held."""
