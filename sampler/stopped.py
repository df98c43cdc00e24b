"""Processes that are there but do not run: SIGSTOP, a debugger, a cgroup's freezer."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tidemark.record.events import ProcessContinued, ProcessStopped
from tidemark.sampler import procfs
from tidemark.sampler.errors import DeniedError, NoSuchProcessError, ShortageError
from tidemark.sampler.limits import parse_cgroups, parse_mounts
from tidemark.sampler.tree import Process, ProcessTree
from tidemark.sampler.unreadable import Say

_STOPPED, _TRACED = "T", "t"

_FREEZERS = (("", "cgroup.events", "frozen 1"), ("freezer", "freezer.state", "FROZEN"))
"""Controller, file in the cgroup's folder, and the line that is in it while it is frozen, also
when that is because a cgroup above is; see cgroups(7) and freezer-subsystem.rst."""

_AGAIN_S = 10.0
"""Seconds after which it is looked up again which cgroup a process is in."""


class Freezers:
    """Tells which processes are frozen: their state in `/proc/PID/stat` does not."""

    def __init__(self) -> None:
        self._mounts = parse_mounts(procfs.read_text(os.getpid(), "mounts"))
        self._files: dict[Process, tuple[Path, ...]] = {}
        self._due_s = 0.0

    def frozen(self, now_s: float, processes: Iterable[Process]) -> set[Process]:
        """Those of the processes that are frozen now.

        Args:
            now_s: Monotonic time, seconds.
            processes: All that there are.
        """
        former: dict[Process, tuple[Path, ...]] = {} if now_s >= self._due_s else self._files
        if former is not self._files:
            self._due_s = now_s + _AGAIN_S
        self._files = {
            one: former[one] if one in former else tuple(self._files_of(one.pid))
            for one in processes
        }
        theirs = {path for paths in self._files.values() for path in paths}
        frozen = {path for path in theirs if _is_frozen(path)}
        return {one for one, paths in self._files.items() if not frozen.isdisjoint(paths)}

    def _files_of(self, pid: int) -> Iterator[Path]:
        try:
            groups = parse_cgroups(procfs.read_text(pid, "cgroup"))
        except (NoSuchProcessError, DeniedError, ShortageError):
            return
        for controller, name, _ in _FREEZERS:
            folder = groups.get(controller, "/").lstrip("/")
            if controller in self._mounts and folder:  # the root cannot be frozen
                yield self._mounts[controller] / folder / name


def _is_frozen(path: Path) -> bool:
    words = {name: word for _, name, word in _FREEZERS}
    try:
        return words[path.name] in path.read_text().splitlines()
    except OSError:  # removed meanwhile, or not of this cgroup namespace
        return False


class StoppedWatch:
    """Says when a process of the tree is stopped, and when it runs again.

    One that is traced is met in its tracer's stops now and then while it runs on (`strace`):
    it counts as stopped when it used no CPU time between two looks at it.

    Args:
        tree: The tree, refreshed before each look.
        say: Is given the events.
        target: The target's id.
    """

    def __init__(self, tree: ProcessTree, say: Say, target: str) -> None:
        self._tree = tree
        self._say = say
        self._target = target
        self._freezers = Freezers()
        self._since_s: dict[Process, float] = {}
        self._traced: dict[Process, float] = {}

    def look(self, now_s: float) -> None:
        """See who is stopped now.

        Args:
            now_s: Monotonic time, seconds.
        """
        members = self._tree.members.values()
        if not self._tree.stats:
            return  # they could not be read
        stopped = self._halted() | self._freezers.frozen(now_s, members)
        for one in [one for one in self._since_s if one not in stopped]:
            stopped_s = round(now_s - self._since_s.pop(one), 3)
            if self._tree.members.get(one.pid) == one:
                self._say(ProcessContinued(one.pid, one.name, stopped_s, self._target))
        for one in members:
            if one in stopped and one not in self._since_s:
                self._since_s[one] = now_s
                self._say(ProcessStopped(one.pid, one.name, self._target))

    def _halted(self) -> set[Process]:
        former, self._traced = self._traced, {}
        found = set()
        for one in self._tree.members.values():
            stat = self._tree.stats.get(one.pid)
            if stat is not None and stat.state == _TRACED:
                self._traced[one] = stat.cpu_s
            if stat is not None and (
                stat.state == _STOPPED or (stat.state == _TRACED and former.get(one) == stat.cpu_s)
            ):
                found.add(one)
        return found
