"""Reading processes: what every kind of host offers, and how Linux does."""

import os
import sys
from typing import Protocol

from tidemark.sampler import procfs
from tidemark.sampler.limits import Limits, read_limits
from tidemark.sampler.procfs import Stat


class Host(Protocol):
    """A way to read processes.

    Every method raises `NoSuchProcessError` for a process that has gone, `DeniedError` for
    one that may not be read, and `ShortageError` when the sampler has run out of something.
    """

    def pids(self) -> list[int]:
        """All processes."""
        ...

    def stat(self, pid: int) -> Stat:
        """Name, parent, start, threads, memory and CPU time."""
        ...

    def command(self, pid: int) -> list[str]:
        """The command line."""
        ...

    def owner(self, pid: int) -> int:
        """The user id."""
        ...

    def working_directory(self, pid: int) -> str:
        """Where it works."""
        ...

    def fds(self, pid: int) -> int:
        """Number of open descriptors."""
        ...

    def fds_limit(self, pid: int) -> int | None:
        """Soft limit of open descriptors."""
        ...

    def swap_bytes(self, pid: int) -> int | None:
        """What is swapped out, bytes; None where the system does not say."""
        ...

    def thread_names(self, pid: int) -> list[str]:
        """Names of all threads; empty where the system does not say."""
        ...

    def fd_links(self, pid: int) -> list[str]:
        """What the descriptors link to, as `/proc/PID/fd` has it."""
        ...

    def limits(self, pid: int) -> Limits:
        """What bounds the process."""
        ...


class ProcfsHost:
    """Linux: `/proc`."""

    def __init__(self) -> None:
        self._size_counts_fds = procfs.count_fds_by_size(os.getpid()) > 0

    def pids(self) -> list[int]:
        """See `Host.pids`."""
        return procfs.list_pids()

    def stat(self, pid: int) -> Stat:
        """See `Host.stat`."""
        return procfs.read_stat(pid)

    def command(self, pid: int) -> list[str]:
        """See `Host.command`."""
        return procfs.read_command(pid)

    def owner(self, pid: int) -> int:
        """See `Host.owner`."""
        return procfs.read_owner(pid)

    def working_directory(self, pid: int) -> str:
        """See `Host.working_directory`."""
        return procfs.read_working_directory(pid)

    def fds(self, pid: int) -> int:
        """By the size of the folder on Linux 6.2 and later, by listing it before that."""
        if self._size_counts_fds:
            return procfs.count_fds_by_size(pid)
        return procfs.count_fds_by_listing(pid)

    def fds_limit(self, pid: int) -> int | None:
        """See `Host.fds_limit`."""
        return procfs.read_fds_limit(pid)

    def swap_bytes(self, pid: int) -> int | None:
        """See `Host.swap_bytes`."""
        return procfs.read_swap_bytes(pid)

    def thread_names(self, pid: int) -> list[str]:
        """See `Host.thread_names`."""
        return procfs.read_thread_names(pid)

    def fd_links(self, pid: int) -> list[str]:
        """See `Host.fd_links`."""
        return list(procfs.read_fd_links(pid).values())

    def limits(self, pid: int) -> Limits:
        """See `Host.limits`."""
        return read_limits(pid)


def this_host() -> Host:
    """The way to read processes that fits this system."""
    if sys.platform.startswith("linux"):
        return ProcfsHost()
    from tidemark.sampler.psutil_host import PsutilHost  # noqa: PLC0415 (psutil is slow to load)

    return PsutilHost()
