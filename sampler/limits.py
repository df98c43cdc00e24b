"""The limits that a process can run into, and where each comes from."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tidemark.record.events import LimitsRead
from tidemark.sampler import procfs
from tidemark.sampler.errors import DeniedError, NoSuchProcessError, ShortageError
from tidemark.sampler.tree import Process
from tidemark.sampler.unreadable import Say, Unreadable

Sourced = tuple[int | None, str]
"""A limit, None where there is none, and what sets it."""

_UNLIMITED_ABOVE = 2**60
"""cgroup v1 writes "no limit" as the largest multiple of the page size."""


def parse_limit(text: str) -> int | None:
    """`max` or a number that stands for it -> None, otherwise the number."""
    word = text.strip()
    if not word.isdigit() or int(word) >= _UNLIMITED_ABOVE:
        return None
    return int(word)


def parse_cgroups(text: str) -> dict[str, str]:
    """`/proc/PID/cgroup` -> controller -> path; the unified hierarchy is the controller ''."""
    found = {}
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(","):
                found[controller] = parts[2]
    return found


def parse_mounts(text: str) -> dict[str, Path]:
    """`/proc/self/mounts` -> controller -> mount point; cgroup2 is the controller ''."""
    found = {}
    for line in text.splitlines():
        parts = line.split(" ")
        if len(parts) >= 4 and parts[2] == "cgroup2":
            found[""] = Path(parts[1])
        elif len(parts) >= 4 and parts[2] == "cgroup":
            for option in parts[3].split(","):
                found.setdefault(option, Path(parts[1]))
    return found


def _number_in(path: Path) -> int | None:
    try:
        return parse_limit(path.read_text())
    except (OSError, ValueError):
        return None


def _lowest(found: Iterable[Sourced]) -> tuple[int | None, str | None]:
    known = [(value, source) for value, source in found if value is not None]
    return min(known) if known else (None, None)


def _cgroup_files(
    groups: dict[str, str], mounts: dict[str, Path], controller: str, v2_name: str, v1_name: str
) -> Iterator[Path]:
    """The limit's file in the process's cgroup and in every one above it."""
    for key, name in (("", v2_name), (controller, v1_name)):
        if key in groups and key in mounts:
            group = Path(groups[key].lstrip("/"))
            for folder in (group, *group.parents):
                yield mounts[key] / folder / name


def _threads(pid: int, groups: dict[str, str], mounts: dict[str, Path]) -> Iterator[Sourced]:
    for name in ("threads-max", "pid_max"):
        yield _number_in(Path("/proc/sys/kernel", name)), f"kernel.{name}"
    limits = procfs.read_file(pid, "limits")
    yield procfs.parse_soft_limit(limits, b"Max processes"), "RLIMIT_NPROC"
    for path in _cgroup_files(groups, mounts, "pids", "pids.max", "pids.max"):
        yield _number_in(path), "cgroup pids.max"


def _memory(groups: dict[str, str], mounts: dict[str, Path]) -> Iterator[Sourced]:
    yield os.sysconf("SC_PHYS_PAGES") * procfs.PAGE_SIZE_BYTES, "physical memory"
    for path in _cgroup_files(groups, mounts, "memory", "memory.max", "memory.limit_in_bytes"):
        yield _number_in(path), f"cgroup {path.name}"


def _local_ports(pid: int) -> tuple[int | None, int | None]:
    for root in (f"/proc/{pid}/root", "/"):
        with contextlib.suppress(OSError):
            text = Path(root, "proc/sys/net/ipv4/ip_local_port_range").read_text()
            low, high = map(int, text.split())
            return low, high
    return None, None


def read_limits(pid: int) -> LimitsRead:
    """Read what bounds a process, the lowest of the limits on each of its resources.

    Raises:
        NoSuchProcessError: It has gone.
        DeniedError: It may not be read.
    """
    groups = parse_cgroups(procfs.read_text(pid, "cgroup"))
    mounts = parse_mounts(procfs.read_text(os.getpid(), "mounts"))
    threads, threads_source = _lowest(_threads(pid, groups, mounts))
    memory, memory_source = _lowest(_memory(groups, mounts))
    low, high = _local_ports(pid)
    return LimitsRead(
        pid=pid,
        fds_limit=procfs.read_fds_limit(pid),
        threads_limit=threads,
        threads_limit_source=threads_source,
        rss_bytes_limit=memory,
        rss_bytes_limit_source=memory_source,
        local_ports_low=low,
        local_ports_high=high,
    )


class LimitsProbe:
    """Reads the limits of every process of the tree once, when it appears; a `Probe`.

    Args:
        target: The target's id.
        say: Is given the event `limits_read`.
        unreadable: Is told what cannot be read.
    """

    def __init__(self, target: str, say: Say, unreadable: Unreadable) -> None:
        self._target = target
        self._say = say
        self._unreadable = unreadable
        self._known: set[Process] = set()

    def look(self, processes: Iterable[Process]) -> None:
        """See `Probe.look`."""
        there = tuple(processes)
        for process in there:
            if process not in self._known:
                self._read(process)
        self._known = set(there)

    def _read(self, process: Process) -> None:
        try:
            limits = read_limits(process.pid)
        except NoSuchProcessError:
            return
        except (DeniedError, ShortageError) as error:
            self._unreadable.tell(error, process.pid)
        else:
            self._say(replace(limits, process=process.name, target=self._target))
