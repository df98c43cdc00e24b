"""Reading processes: what every kind of host offers, and how Linux does."""

import sys
from typing import Protocol

from tidemark.record.events import LimitsRead
from tidemark.sampler import procfs
from tidemark.sampler.limits import read_limits
from tidemark.sampler.procfs import Stat
from tidemark.sampler.readings import Figure, Reading


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

    def figure(self, which: Reading, pid: int) -> Figure:
        """A figure that is not in the `Stat`; None where the system does not say."""
        ...

    def thread_names(self, pid: int) -> list[str]:
        """Names of all threads; empty where the system does not say."""
        ...

    def fd_links(self, pid: int) -> list[str]:
        """What the descriptors link to, as `/proc/PID/fd` has it."""
        ...

    def limits(self, pid: int) -> LimitsRead:
        """What bounds the process."""
        ...


class ProcfsHost:
    """Linux: `/proc`; see `Host` for the methods."""

    pids = staticmethod(procfs.list_pids)
    stat = staticmethod(procfs.read_stat)
    command = staticmethod(procfs.read_command)
    owner = staticmethod(procfs.read_owner)
    working_directory = staticmethod(procfs.read_working_directory)
    thread_names = staticmethod(procfs.read_thread_names)
    limits = staticmethod(read_limits)

    def figure(self, which: Reading, pid: int) -> Figure:
        """See `Host.figure`."""
        return None if which.procfs is None else which.procfs(pid)

    def fd_links(self, pid: int) -> list[str]:
        """See `Host.fd_links`."""
        return list(procfs.read_fd_links(pid).values())


def this_host() -> Host:
    """The way to read processes that fits this system."""
    if sys.platform.startswith("linux"):
        return ProcfsHost()
    from tidemark.sampler.psutil_host import PsutilHost  # noqa: PLC0415 (Linux does without)

    return PsutilHost()
