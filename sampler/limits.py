"""The limits that a process can run into, and where each comes from."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tidemark.record.events import LimitsRead
from tidemark.sampler import procfs

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


def _lowest(found: Iterable[tuple[int | None, str]]) -> tuple[int | None, str | None]:
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


def _threads(
    pid: int, groups: dict[str, str], mounts: dict[str, Path]
) -> list[tuple[int | None, str]]:
    found: list[tuple[int | None, str]] = [
        (_number_in(Path("/proc/sys/kernel/threads-max")), "kernel.threads-max"),
        (_number_in(Path("/proc/sys/kernel/pid_max")), "kernel.pid_max"),
        (_processes_limit(pid), "RLIMIT_NPROC"),
    ]
    files = _cgroup_files(groups, mounts, "pids", "pids.max", "pids.max")
    return found + [(_number_in(path), "cgroup pids.max") for path in files]


def _processes_limit(pid: int) -> int | None:
    for line in procfs.read_file(pid, "limits").splitlines():
        if line.startswith(b"Max processes"):
            return parse_limit(line.split()[2].decode())
    return None


def _memory(groups: dict[str, str], mounts: dict[str, Path]) -> list[tuple[int | None, str]]:
    physical = os.sysconf("SC_PHYS_PAGES") * procfs.PAGE_SIZE_BYTES
    found: list[tuple[int | None, str]] = [(physical, "physical memory")]
    files = _cgroup_files(groups, mounts, "memory", "memory.max", "memory.limit_in_bytes")
    return found + [(_number_in(path), f"cgroup {path.name}") for path in files]


def _local_ports(pid: int) -> tuple[int | None, int | None]:
    try:
        text = Path(f"/proc/{pid}/root/proc/sys/net/ipv4/ip_local_port_range").read_text()
    except OSError:
        try:
            text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
        except OSError:
            return None, None
    low, high = text.split()
    return int(low), int(high)


def read_limits(pid: int) -> LimitsRead:
    """Read what bounds a process, the lowest of the limits on each of its resources.

    Raises:
        NoSuchProcessError: It has gone.
        DeniedError: It may not be read.
    """
    groups = parse_cgroups(procfs.read_file(pid, "cgroup").decode("utf-8", "replace"))
    mounts = parse_mounts(procfs.read_file(os.getpid(), "mounts").decode("utf-8", "replace"))
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
