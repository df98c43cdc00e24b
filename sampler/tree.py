"""The target's tree: the root process and all its descendants, followed through time."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from sampler import procfs
from sampler.errors import DeniedError, NoSuchProcessError

_INTERPRETERS = ("python", "pypy", "ruby", "perl", "node", "bash", "sh", "dash")


@dataclass(frozen=True, slots=True)
class Process:
    """One process; a PID that comes back has another start and is another process.

    Attributes:
        pid: The process id.
        start_ticks: When it began, clock ticks since boot.
        name: A short name for people, fixed when the process is first seen.
    """

    pid: int
    start_ticks: int
    name: str


def short_name(command: list[str], fallback: str) -> str:
    """A short name for a command line: the script or module instead of its interpreter.

    Args:
        command: The arguments, the program first; may be empty.
        fallback: What to say then: the kernel's name of the process.
    """
    if not command:
        return fallback
    program = PurePath(command[0].split(" ")[0]).name or fallback
    if not program.startswith(_INTERPRETERS):
        return program.rstrip(":")
    arguments = iter(command[1:])
    for argument in arguments:
        if argument == "-m":
            return next(arguments, program)
        if argument == "-c":
            return program
        if not argument.startswith("-"):
            return PurePath(argument).name or program
    return program


def identify(pid: int) -> Process:
    """The process that has this id now.

    Raises:
        NoSuchProcessError: There is none, or it is a zombie: it holds nothing any more.
    """
    stat = procfs.read_stat(pid)
    if stat.state in {"Z", "X"}:
        raise NoSuchProcessError(pid)
    try:
        command = procfs.read_command(pid)
    except DeniedError:
        command = []
    return Process(pid, stat.start_ticks, short_name(command, stat.name))


def descendants(parents: Mapping[int, int], roots: set[int]) -> set[int]:
    """All processes below the roots, the roots included.

    Args:
        parents: pid -> parent pid of all processes.
        roots: Where to begin.
    """
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    pending = list(roots)
    while pending:
        pid = pending.pop()
        if pid not in found:
            found.add(pid)
            pending.extend(children.get(pid, ()))
    return found


class ProcessTree:
    """Follows a root process and everything that descends from it.

    A member stays one until it ends, also when its parent ends before it.

    Attributes:
        members: pid -> process, the living ones, the root first.
    """

    def __init__(self, root: Process) -> None:
        self.root = root
        self.members: dict[int, Process] = {root.pid: root}

    def refresh(self) -> None:
        """Look who is there now."""
        alive = {
            pid for pid, process in self.members.items() if _start_of(pid) == process.start_ticks
        }
        mine = descendants(procfs.parents(), alive) - {os.getpid()}
        members: dict[int, Process] = {}
        for pid in sorted(mine, key=lambda pid: (pid != self.root.pid, pid)):
            try:
                members[pid] = self.members[pid] if pid in alive else identify(pid)
            except NoSuchProcessError:
                continue
        self.members = members


def _start_of(pid: int) -> int | None:
    try:
        stat = procfs.read_stat(pid)
    except (NoSuchProcessError, DeniedError):
        return None
    return None if stat.state in {"Z", "X"} else stat.start_ticks
