"""Reading processes through psutil: macOS, and a second opinion on Linux."""

from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tidemark.record.events import LimitsRead
from tidemark.sampler.errors import DeniedError, NoSuchProcessError
from tidemark.sampler.procfs import CLOCK_TICKS_PER_S, Stat
from tidemark.sampler.readings import Figure, Reading, soft_limit


@contextmanager
def reading(pid: int, what: str) -> Iterator[None]:
    """Turn psutil's errors into ours, as `procfs.reading` does those of the system."""
    try:
        yield
    except psutil.NoSuchProcess as error:
        raise NoSuchProcessError(pid) from error
    except psutil.AccessDenied as error:
        raise DeniedError(pid, what) from error


class PsutilHost:
    """Every system that psutil knows; see `Host` for the methods."""

    pids = staticmethod(psutil.pids)

    def stat(self, pid: int) -> Stat:
        """See `Host.stat`."""
        with reading(pid, "the process table"):
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
        with reading(pid, "the command line"):
            return psutil.Process(pid).cmdline()

    def owner(self, pid: int) -> int:
        """See `Host.owner`."""
        with reading(pid, "the user"):
            return int(psutil.Process(pid).uids().real)

    def working_directory(self, pid: int) -> str:
        """See `Host.working_directory`."""
        with reading(pid, "the working directory"):
            return psutil.Process(pid).cwd()

    def figure(self, which: Reading, pid: int) -> Figure:
        """See `Host.figure`; None for what psutil does not have."""
        if which.psutil is None:
            return None
        with reading(pid, which.column):
            return which.psutil(psutil.Process(pid))

    def thread_names(self, pid: int) -> list[str]:
        """Psutil does not have the names of threads."""
        del pid
        return []

    def fd_links(self, pid: int) -> list[str]:
        """What psutil can tell: files by their paths, and sockets."""
        with reading(pid, "the descriptors"):
            process = psutil.Process(pid)
            files = [file.path for file in process.open_files()]
            return files + ["socket:[?]"] * len(process.net_connections("all"))

    def limits(self, pid: int) -> LimitsRead:
        """See `Host.limits`; only descriptors and physical memory are known."""
        with reading(pid, "the limits"):
            limit = soft_limit(psutil.Process(pid))
        return LimitsRead(
            pid=pid,
            fds_limit=limit,
            rss_bytes_limit=psutil.virtual_memory().total,
            rss_bytes_limit_source="physical memory",
        )
