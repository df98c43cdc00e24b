"""Who listens on a port, and which processes belong together.

Who listens is read from `/proc/PID/net/tcp`, and which process holds a listening socket from the
inodes in `/proc/PID/fd`: an inode is one socket, whichever network namespace it is in.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tidemark.record.secrets import shown_command
from tidemark.sampler import procfs
from tidemark.sampler.brokers import IPAddress
from tidemark.sampler.errors import SamplerError
from tidemark.sampler.procfs_source import parse_address

MOST_SHOWN = 100
"""Characters of a command line that a message shows."""

_LISTEN = b"0A"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket: its address, None for all of the machine's, and its inode."""

    address: IPAddress | None
    is_ipv6: bool
    inode: int


def listeners_on(lines: Iterable[bytes], port: int) -> Iterator[Listener]:
    """Those of a `/proc/net/tcp{,6}` that listen on a port."""
    return (listener for listener, its_port in all_listeners(lines) if its_port == port)


def all_listeners(lines: Iterable[bytes]) -> Iterator[tuple[Listener, int]]:
    """Every one of a `/proc/net/tcp{,6}`, and its port."""
    for line in lines:
        fields = line.split(None, 10)
        if len(fields) < 10 or fields[3] != _LISTEN:
            continue
        address, port = parse_address(fields[1])
        is_ipv6 = len(fields[1]) > len(b"00000000:0000")
        wildcard = address.is_unspecified
        yield Listener(None if wildcard else address, is_ipv6, int(fields[9])), port


def holders_of_sockets(inodes: set[int], among: Iterable[int]) -> list[int]:
    """Those of some processes that hold one of these sockets, as far as this one may see it."""
    return [pid for pid in among if is_readable(pid) and inodes & sockets_of(pid)]


def sockets_of(pid: int) -> set[int]:
    """The inodes of the sockets that a process has open; none if it has ended or is hidden."""
    try:
        return {procfs.socket_inode(link) for link in procfs.read_fd_links(pid).values()} - {0}
    except SamplerError:
        return set()


def is_readable(pid: int) -> bool:
    """Whether this process may see which descriptors another one has open."""
    try:
        os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - quick where there are many
    except PermissionError:
        return False
    except OSError:
        return True  # it has ended, and holds nothing
    return True


def parents_of_all() -> dict[int, int]:
    """Process -> parent, of all that are there."""
    found = {}
    for pid in procfs.list_pids():
        try:
            found[pid] = procfs.read_stat(pid).parent_pid
        except SamplerError:
            continue  # it has ended, or is hidden
    return found


def ancestors(pid: int, parents: Mapping[int, int]) -> list[int]:
    """A process, its parent, and so on; without the one that all descend from."""
    line = [pid]
    while (parent := parents.get(line[-1], 0)) > 1:
        line.append(parent)
    return line


def shown_process(pid: int) -> str:
    """`4242 python app.py`, its secrets taken out."""
    try:
        command = shown_command(procfs.read_command(pid)) or procfs.read_stat(pid).name
    except SamplerError:
        return str(pid)
    return f"{pid} {command if len(command) <= MOST_SHOWN else command[:MOST_SHOWN] + '...'}"


def roots_of(found: Iterable[int], parents: Mapping[int, int]) -> set[int]:
    """Those of some processes that do not descend from another one of them."""
    matching = set(found)
    return {pid for pid in matching if not matching & set(ancestors(pid, parents)[1:])}


def own_family() -> set[int]:
    """This process and all above it: their command lines hold the pattern that is looked for."""
    return set(ancestors(os.getpid(), parents_of_all()))


def commands_like(wanted: re.Pattern[str]) -> Iterator[int]:
    """The processes whose command line a pattern matches somewhere, without our own family."""
    ours = own_family()
    for pid in procfs.list_pids():
        if pid not in ours and wanted.search(" ".join(_command(pid))):
            yield pid


def _command(pid: int) -> list[str]:
    try:
        return procfs.read_command(pid)
    except SamplerError:
        return []  # it has ended, or is hidden
