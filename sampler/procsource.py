"""Connections from `/proc/PID/net/tcp{,6}`: where netlink is not to be had."""

import re
from collections.abc import Mapping

from sampler import procfs
from sampler.brokers import Brokers
from sampler.connections import TIME_WAIT, Connections, EndpointCount
from sampler.errors import DeniedError, NoSuchProcessError
from sampler.proctcp import Connection, parse_tcp
from sampler.schema import KERNEL_PID
from sampler.tree import Process

_SOCKET = re.compile(r"socket:\[(\d+)\]")


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
        result = Connections()
        owners: dict[int, int] = {}
        namespaces: dict[int, int] = {}
        for pid in tree:
            try:
                namespaces.setdefault(procfs.network_namespace(pid), pid)
                for link in procfs.read_fd_links(pid).values():
                    if match := _SOCKET.fullmatch(link):
                        owners.setdefault(int(match[1]), pid)
            except NoSuchProcessError:
                continue
            except DeniedError as error:
                result.denied[pid] = error.what
                continue
            result.by_process[pid] = {}
        endpoints = {endpoint: EndpointCount() for endpoint in self._brokers.endpoints}
        kernel = result.by_process.setdefault(KERNEL_PID, {})
        for pid in namespaces.values():
            for connection in self._table(pid):
                endpoint = self._brokers.addresses.get(connection.remote)
                owner = owners.get(connection.inode)
                counts = kernel if not connection.inode else result.by_process.get(owner or -1)
                if endpoint is None or counts is None:
                    continue
                counts[connection.state] = counts.get(connection.state, 0) + 1
                if connection.state == TIME_WAIT:
                    endpoints[endpoint].time_wait += 1
                elif connection.inode:
                    endpoints[endpoint].held += 1
        result.by_endpoint = None if result.denied else endpoints
        return result

    def _table(self, pid: int) -> list[Connection]:
        ports = frozenset(port for _, port in self._brokers.addresses)
        found: list[Connection] = []
        for name in ("net/tcp", "net/tcp6"):
            try:
                found.extend(parse_tcp(procfs.read_file(pid, name), ports))
            except NoSuchProcessError:
                continue
        return found

    def close(self) -> None:
        """Nothing is held."""
