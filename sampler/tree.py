"""The target's tree: the root process and all its descendants, followed through time."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from tidemark.sampler import procfs
from tidemark.sampler.errors import DeniedError, NoSuchProcessError
from tidemark.sampler.procfs import Stat

_ALL_LEAST_S = 10.0
_ALL_SHARE = 0.0005
"""Share of one core for reading all processes again."""

_MODULE_PARTS = 2
"""A module run by an interpreter is named by so many of its last parts."""

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
            return ".".join(next(arguments, program).split(".")[-_MODULE_PARTS:])
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
    if stat.is_dead:
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

    A member stays one until it ends, also when its parent ends before it. Processes that
    are no members are read once: whose child they are does not change in a way that would
    make them members. Every now and then all are read again, for a PID that came back
    between two looks.

    Args:
        root: Where the tree begins.
        sharers: How many trees are followed: together they read all as often as one would.

    Attributes:
        root: The root; it may have ended.
        members: pid -> process, the living ones, the root first.
        stats: pid -> what was read of each member at the last look.
        newcomers: Processes that were not there at the look before, members or not.
    """

    def __init__(self, root: Process, sharers: int = 1) -> None:
        self.root = root
        self._all_share = _ALL_SHARE / sharers
        self.members: dict[int, Process] = {root.pid: root}
        self.stats: dict[int, Stat] = {}
        self.newcomers: set[int] = set()
        self._pids: set[int] = set()
        self._parents: dict[int, int] = {}  # of those that are no members
        self._all_due_s = 0.0

    def refresh(self, now_s: float) -> None:
        """Look who is there now.

        Args:
            now_s: Monotonic time, seconds.
        """
        if now_s >= self._all_due_s:
            before_s = time.process_time()
            self._parents = {}
            self._look()
            cost_s = time.process_time() - before_s
            self._all_due_s = now_s + max(_ALL_LEAST_S, cost_s / self._all_share)
        else:
            self._look()

    def _look(self) -> None:
        self.stats = {}
        for pid, process in self.members.items():
            stat = self._stat(pid)
            if stat is not None and stat.start_ticks == process.start_ticks:
                self.stats[pid] = stat
        alive = set(self.stats)
        pids = set(procfs.list_pids()) - {os.getpid()}
        self.newcomers = pids - (self._pids - (self.members.keys() - alive))
        self._pids = pids
        there = pids - alive
        unread = there - self._parents.keys()
        self._parents = {pid: self._parents[pid] for pid in there & self._parents.keys()}
        for pid in unread:
            stat = self._stat(pid)
            if stat is not None:
                self._parents[pid] = stat.parent_pid
                self.stats[pid] = stat
        mine = descendants(self._parents, alive)
        for pid in unread - mine:
            self.stats.pop(pid, None)
        self._admit(mine, alive)

    def _admit(self, mine: set[int], alive: set[int]) -> None:
        former, self.members = self.members, {}
        for pid in sorted(mine, key=lambda pid: (pid != self.root.pid, pid)):
            self._parents.pop(pid, None)
            try:
                self.members[pid] = former[pid] if pid in alive else identify(pid)
            except (NoSuchProcessError, DeniedError):
                self.stats.pop(pid, None)

    def _stat(self, pid: int) -> Stat | None:
        """What the process is like; None if it is dead, or hidden."""
        try:
            stat = procfs.read_stat(pid)
        except (NoSuchProcessError, DeniedError):
            return None
        return None if stat.is_dead else stat

    def adopt(self, root: Process) -> None:
        """Go on with another root: the target was started again."""
        self.root = root
        self.members = {root.pid: root, **self.members}
        self._all_due_s = 0.0
