"""Readers of `/proc/PID`, see proc(5): each does one file and one thing.

All of them raise `NoSuchProcessError` when the process has gone, also in the middle of
the read, `DeniedError` when it is there but may not be read, and `ShortageError` when
the sampler itself has no descriptor or memory left.
"""

# os.stat, os.listdir: a tick makes hundreds of these calls, and Path doubles what each costs.
# ruff: noqa: PTH115, PTH116, PTH208

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tidemark.sampler.errors import DeniedError, NoSuchProcessError, ShortageError

CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_SIZE_BYTES = os.sysconf("SC_PAGE_SIZE")
SOCKET_PREFIX = "socket:["

_GONE = {errno.ENOENT, errno.ESRCH}
_DENIED = {errno.EACCES, errno.EPERM}
_SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_READ_SIZE = 65536

_DEAD_STATES = frozenset((b"Z", b"X"))
_PF_EXITING = 0x4
"""A flag of include/linux/sched.h."""


@contextmanager
def reading(pid: int, what: str) -> Iterator[None]:
    """Turn the errors of reading something of a process into the three that differ."""
    try:
        yield
    except OSError as error:
        if error.errno in _GONE:
            raise NoSuchProcessError(pid) from error
        if error.errno in _DENIED:
            raise DeniedError(pid, what) from error
        if error.errno in _SHORT:
            raise ShortageError(what, str(error.strerror)) from error
        raise


def _slurp(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, _READ_SIZE):  # the kernel gives a page or so at a time
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def read_file(pid: int, name: str) -> bytes:
    """The contents of `/proc/PID/NAME`."""
    path = f"/proc/{pid}/{name}"
    with reading(pid, path):
        return _slurp(path)


def read_text(pid: int, name: str) -> str:
    """The same as text, whatever bytes are in it."""
    return read_file(pid, name).decode("utf-8", "replace")


def open_files(pid: int, *names: str) -> list[BinaryIO]:
    """Open `/proc/PID/NAME` of each name that is there; the process has gone if none is."""
    found: list[BinaryIO] = []
    for path in (Path(f"/proc/{pid}/{name}") for name in names):
        with contextlib.suppress(NoSuchProcessError), reading(pid, str(path)):
            found.append(path.open("rb"))
    if not found:
        raise NoSuchProcessError(pid)
    return found


@dataclass(frozen=True, slots=True)
class Stat:
    """What `/proc/PID/stat` says.

    Attributes:
        name: The command name (`comm`), at most 15 bytes.
        state: One letter; `Z` is a zombie.
        is_dead: Whether it is a zombie, or about to be one: it has given back its memory and
            descriptors, or is doing so, and what is read of it is 0.
        parent_pid: The parent.
        cpu_s: CPU time of all its threads, user and system, seconds.
        threads: Number of threads.
        start_ticks: When it began, clock ticks since boot. A process is a (pid, start).
        rss_bytes: Resident set size, bytes.
    """

    name: str
    state: str
    is_dead: bool
    parent_pid: int
    cpu_s: float
    threads: int
    start_ticks: int
    rss_bytes: int


def parse_stat(data: bytes) -> Stat:
    """Parse the line of `/proc/PID/stat`; the name may hold spaces and brackets.

    Raises:
        ValueError: It is cut short or not such a line.
    """
    opening, closing = data.index(b"("), data.rindex(b")")
    fields = data[closing + 2 :].split()
    if len(fields) < 22:
        raise ValueError(f"/proc/PID/stat: {len(fields) + 2} fields where 24 are needed")
    return Stat(
        name=data[opening + 1 : closing].decode("utf-8", "replace"),
        state=fields[0].decode(),
        is_dead=fields[0] in _DEAD_STATES or bool(int(fields[6]) & _PF_EXITING),
        parent_pid=int(fields[1]),
        cpu_s=(int(fields[11]) + int(fields[12])) / CLOCK_TICKS_PER_S,
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        rss_bytes=int(fields[21]) * PAGE_SIZE_BYTES,
    )


def read_stat(pid: int) -> Stat:
    """Read `/proc/PID/stat`; a zombie is reported as it is, the caller decides."""
    data = read_file(pid, "stat")
    if not data:
        raise NoSuchProcessError(pid)
    return parse_stat(data)


def parse_status_bytes(data: bytes, key: bytes) -> int | None:
    """One memory figure of `/proc/PID/status`, for example `VmSwap`, in bytes.

    None if the line is not there (kernel threads, a kernel without swap) or cut short.
    """
    start = data.find(b"\n" + key + b":")
    end = data.find(b"\n", start + 1)
    if start < 0 or end < 0:
        return None
    words = data[start:end].split()
    if len(words) != 3 or words[2] != b"kB" or not words[1].isdigit():
        return None
    return int(words[1]) * 1024


def parse_memory(data: bytes) -> tuple[int | None, int | None, int | None]:
    """What of a process's memory is where: anonymous, of files and shared, swapped out; bytes.

    The resident set is the first two together. Each is None where the kernel does not say:
    kernel threads have no memory, and before Linux 4.5 the parts are not told.
    """
    in_files, shared = (parse_status_bytes(data, key) for key in (b"RssFile", b"RssShmem"))
    of_files = None if in_files is None or shared is None else in_files + shared
    return parse_status_bytes(data, b"RssAnon"), of_files, parse_status_bytes(data, b"VmSwap")


def read_memory(pid: int) -> tuple[int | None, int | None, int | None]:
    """What of a process's memory is where, as `parse_memory` tells it from `/proc/PID/status`."""
    return parse_memory(read_file(pid, "status"))


def count_fds_by_size(pid: int) -> int:
    """The `st_size` of `/proc/PID/fd`: open descriptors on Linux 6.2 and later, before that 0.

    Source: fs/proc/fd.c, proc_fd_getattr; the kernel checks no right here.
    """
    path = f"/proc/{pid}/fd"
    with reading(pid, path):
        return os.stat(path).st_size


def count_fds_by_listing(pid: int) -> int:
    """The number of entries of `/proc/PID/fd`: right on every kernel, dearer."""
    path = f"/proc/{pid}/fd"
    with reading(pid, path):
        return len(os.listdir(path))


def count_fds(pid: int) -> int:
    """The number of open descriptors, in the cheapest way that this kernel has."""
    number = count_fds_by_size(pid) or count_fds_by_listing(pid)
    if not number and read_stat(pid).is_dead:
        raise NoSuchProcessError(pid)  # it had some until just now
    return number


def socket_inode(link: str) -> int:
    """Inode of `socket:[4711]`; 0 for a link to anything else."""
    return int(link[8:-1]) if link.startswith(SOCKET_PREFIX) else 0


def read_fd_links(pid: int) -> dict[int, str]:
    """Descriptor number -> what it links to, for example `socket:[4711]`.

    A descriptor that is closed meanwhile is left out.
    """
    path = f"/proc/{pid}/fd"
    links: dict[int, str] = {}
    with reading(pid, path):
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in os.listdir(folder):
                try:
                    links[int(name)] = os.readlink(name, dir_fd=folder)
                except FileNotFoundError:
                    continue
        finally:
            os.close(folder)
    return links


def read_socket_protocol(pid: int, descriptor: int) -> str | None:
    """What the kernel calls the protocol of a socket: `TCPv6`, `UNIX-STREAM`; None if unknown.

    The attribute `system.sockprotoname`, which lsof reads too (net/socket.c).
    """
    try:
        name = os.getxattr(f"/proc/{pid}/fd/{descriptor}", "system.sockprotoname")
    except OSError:  # closed meanwhile, or a kernel that does not tell
        return None
    return name.rstrip(b"\0").decode("ascii", "replace")


def read_thread_names(pid: int) -> list[str]:
    """The names of all threads (`/proc/PID/task/TID/comm`); ended ones are left out."""
    path = f"/proc/{pid}/task"
    with reading(pid, path):
        threads = os.listdir(path)
    names = []
    for thread in threads:
        try:
            names.append(_slurp(f"{path}/{thread}/comm").decode("utf-8", "replace").rstrip("\n"))
        except OSError as error:
            if error.errno not in _GONE:
                raise
    return names


def read_command(pid: int) -> list[str]:
    """The command line, split into arguments; empty for a zombie or a kernel thread."""
    data = read_file(pid, "cmdline")
    return [part.decode("utf-8", "replace") for part in data.rstrip(b"\0").split(b"\0") if part]


def read_environment(pid: int) -> dict[str, str]:
    """The environment that the process was started with; takes the right to trace it."""
    parts = (text.partition("=") for text in read_text(pid, "environ").split("\0"))
    return {name: value for name, is_given, value in parts if is_given}


def read_program(pid: int) -> str:
    """The path of the program that it runs; takes the right to trace it."""
    path = f"/proc/{pid}/exe"
    with reading(pid, path):
        return os.readlink(path)


def open_program(pid: int) -> BinaryIO:
    """The program that it runs, also where the file has been replaced or is not to be seen."""
    path = f"/proc/{pid}/exe"
    with reading(pid, path):
        return Path(path).open("rb")


def parse_soft_limit(data: bytes, name: bytes) -> int | None:
    """A soft limit in `/proc/PID/limits`, `Max open files`; None if unlimited or cut short."""
    for line in data.splitlines():
        if line.startswith(name):
            words = line[len(name) :].split()
            return int(words[0]) if len(words) > 1 and words[0].isdigit() else None
    return None


def read_fds_limit(pid: int) -> int | None:
    """The soft RLIMIT_NOFILE; None if there is none. The short way where it is permitted."""
    try:
        soft, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    except (PermissionError, ProcessLookupError):
        return parse_soft_limit(read_file(pid, "limits"), b"Max open files")
    return None if soft == resource.RLIM_INFINITY else soft


def network_namespace(pid: int) -> int:
    """A number that identifies the network namespace of a process.

    The inode of its `net/tcp`, which every namespace has its own of: unlike that of
    `ns/net`, it may be read of any process.
    """
    path = f"/proc/{pid}/net/tcp"
    with reading(pid, path):
        return os.stat(path).st_ino


def read_owner(pid: int) -> int:
    """The user id that owns the process."""
    path = f"/proc/{pid}"
    with reading(pid, path):
        return os.stat(path).st_uid


def read_working_directory(pid: int) -> str:
    """Where the process works; takes the right to trace it."""
    path = f"/proc/{pid}/cwd"
    with reading(pid, path):
        return os.readlink(path)


def list_pids() -> list[int]:
    """All processes of this PID namespace."""
    with reading(0, "/proc"):
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
