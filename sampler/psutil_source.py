"""Connections through psutil: macOS, and a second opinion on Linux."""

from collections.abc import Mapping

import psutil

from tidemark.record.metrics import TCP_STATE_NUMBERS
from tidemark.sampler.brokers import Brokers, plain_address
from tidemark.sampler.connections import Connections, EndpointCount
from tidemark.sampler.errors import DeniedError, NoSuchProcessError
from tidemark.sampler.psutil_host import reading
from tidemark.sampler.tree import Process


class PsutilSource:
    """Connections by process; those that no process holds any more are not known here.

    Args:
        brokers: The remote ends that count.
    """

    name = "psutil"

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers

    def read(self, tree: Mapping[int, Process]) -> Connections:
        """See `ConnectionSource.read`."""
        result = Connections()
        endpoints = {name: EndpointCount(0, None) for name in self._brokers.endpoints}
        for pid in tree:
            try:
                with reading(pid, "the connections"):
                    result.by_process[pid] = self._count(pid, endpoints)
            except NoSuchProcessError:
                continue
            except DeniedError as error:
                result.denied[pid] = error.what
        result.by_endpoint = None if result.denied else endpoints
        return result

    def _count(self, pid: int, endpoints: Mapping[str, EndpointCount]) -> dict[int, int]:
        counts: dict[int, int] = {}
        for connection in psutil.Process(pid).net_connections("tcp"):
            state = TCP_STATE_NUMBERS.get(connection.status.lower())
            if not connection.raddr or state is None:
                continue
            remote = plain_address(connection.raddr.ip), connection.raddr.port
            endpoint = self._brokers.addresses.get(remote)
            if endpoint is not None:
                counts[state] = counts.get(state, 0) + 1
                endpoints[endpoint].held += 1
        return counts

    def close(self) -> None:
        """Nothing is held."""
