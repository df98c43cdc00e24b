"""Reading processes and connections through psutil: macOS, and a second opinion on Linux."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import psutil

from tidemark.record.layout import TCP_STATE_NUMBERS
from tidemark.sampler.brokers import Brokers, plain_address
from tidemark.sampler.connections import Connections, EndpointCount
from tidemark.sampler.errors import DeniedError, NoSuchProcessError
from tidemark.sampler.limits import Limits
from tidemark.sampler.procfs import CLOCK_TICKS_PER_S, Stat
from tidemark.sampler.tree import Process

_STATES = {
    "ESTABLISHED": "established",
    "SYN_SENT": "syn_sent",
    "FIN_WAIT1": "fin_wait1",
    "FIN_WAIT2": "fin_wait2",
    "TIME_WAIT": "time_wait",
    "CLOSE_WAIT": "close_wait",
    "LAST_ACK": "last_ack",
    "CLOSING": "closing",
}


@contextmanager
def _reading(pid: int, what: str) -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess as error:
        raise NoSuchProcessError(pid) from error
    except psutil.AccessDenied as error:
        raise DeniedError(pid, what) from error


class PsutilHost:
    """Every system that psutil knows."""

    def pids(self) -> list[int]:
        """See `Host.pids`."""
        return psutil.pids()

    def stat(self, pid: int) -> Stat:
        """See `Host.stat`."""
        with _reading(pid, "the process table"):
            process = psutil.Process(pid)
            with process.oneshot():
                cpu = process.cpu_times()
                return Stat(
                    name=process.name(),
                    state="Z" if process.status() == psutil.STATUS_ZOMBIE else "R",
                    parent_pid=process.ppid(),
                    cpu_s=cpu.user + cpu.system,
                    threads=process.num_threads(),
                    start_ticks=int(process.create_time() * CLOCK_TICKS_PER_S),
                    rss_bytes=process.memory_info().rss,
                )

    def command(self, pid: int) -> list[str]:
        """See `Host.command`."""
        with _reading(pid, "the command line"):
            return psutil.Process(pid).cmdline()

    def owner(self, pid: int) -> int:
        """See `Host.owner`."""
        with _reading(pid, "the user"):
            return int(psutil.Process(pid).uids().real)

    def working_directory(self, pid: int) -> str:
        """See `Host.working_directory`."""
        with _reading(pid, "the working directory"):
            return psutil.Process(pid).cwd()

    def fds(self, pid: int) -> int:
        """See `Host.fds`."""
        with _reading(pid, "the descriptors"):
            return psutil.Process(pid).num_fds()

    def fds_limit(self, pid: int) -> int | None:
        """See `Host.fds_limit`; None where psutil cannot say (macOS)."""
        with _reading(pid, "the limits"):
            process = psutil.Process(pid)
            rlimit = cast(
                "Callable[[int], tuple[int, int]] | None", getattr(process, "rlimit", None)
            )
            if rlimit is None:
                return None
            soft = rlimit(psutil.RLIMIT_NOFILE)[0]
            return None if soft == psutil.RLIM_INFINITY else soft

    def swap_bytes(self, pid: int) -> int | None:
        """Not read here."""
        del pid
        return None

    def thread_names(self, pid: int) -> list[str]:
        """Psutil does not have the names of threads."""
        del pid
        return []

    def fd_links(self, pid: int) -> list[str]:
        """What psutil can tell: files by their paths, and sockets."""
        with _reading(pid, "the descriptors"):
            process = psutil.Process(pid)
            files = [file.path for file in process.open_files()]
            return files + ["socket:[?]"] * len(process.net_connections("all"))

    def limits(self, pid: int) -> Limits:
        """See `Host.limits`; only descriptors and physical memory are known."""
        memory = psutil.virtual_memory().total
        limit = self.fds_limit(pid)
        return Limits(limit, None, None, memory, "physical memory", None, None)


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
                with _reading(pid, "the connections"):
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
            if not connection.raddr or connection.status not in _STATES:
                continue
            remote = plain_address(connection.raddr.ip), connection.raddr.port
            endpoint = self._brokers.addresses.get(remote)
            if endpoint is not None:
                state = TCP_STATE_NUMBERS[_STATES[connection.status]]
                counts[state] = counts.get(state, 0) + 1
                endpoints[endpoint].held += 1
        return counts

    def close(self) -> None:
        """Nothing is held."""
