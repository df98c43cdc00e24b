"""The root of the target's tree: that it ended, and which process takes its place."""

import contextlib
import math
from pathlib import Path

from tidemark.record.events import TargetExited, TargetRestarted, Unread
from tidemark.sampler import procfs
from tidemark.sampler.errors import DeniedError, NoSuchProcessError
from tidemark.sampler.tree import Process, ProcessTree, identify
from tidemark.sampler.unreadable import Say

_PATIENCE_S = 5.0
"""Workers that outlive their master for longer than this are what is left of the target."""

_NOBODY_LEFT = "no process of the target is left: of processes nothing is recorded from now on"

Fingerprint = tuple[list[str], int, str | None]
"""What a process and its successor have in common: command line, user, working directory."""


def fingerprint(pid: int) -> Fingerprint | None:
    """Take the fingerprint of a process; None if it has gone, or has no command line to see."""
    working_directory = None
    try:
        command, owner = procfs.read_command(pid), procfs.read_owner(pid)
        with contextlib.suppress(DeniedError):
            working_directory = procfs.read_working_directory(pid)
    except (NoSuchProcessError, DeniedError):
        return None
    return (command, owner, working_directory) if command else None


class Claims:
    """Which process takes whose place, where several targets are the same program."""

    def __init__(self) -> None:
        self._watches: list[RootWatch] = []

    def enter(self, watch: "RootWatch") -> None:
        """Have a root looked after among the others."""
        self._watches.append(watch)

    @property
    def are_several(self) -> bool:
        """Whether there is more than one target."""
        return len(self._watches) > 1

    def allow(self, mine: "RootWatch", process: Process) -> bool:
        """Whether a process may become the root of one: it belongs to no other target.

        Of several alike that have ended, it takes the place of the one that ended last: the
        others have waited for longer, and nobody came.
        """
        return not any(
            other.holds(process)
            or (other.gone_s() > mine.gone_s() and other.resembles(process.pid))
            for other in self._watches
            if other is not mine
        )


class RootWatch:
    """Notices that the root ended, and finds the one that takes its place.

    The successor is what the PID file names, if there is one; otherwise a process with
    the same command line, user and working directory that began after the root was last
    seen; or, after some seconds, one of its descendants that are still there. Where several
    targets are the same program, only its PID file is believed if it has one.

    Args:
        tree: The tree; its root is replaced when a successor appears.
        say: Is given the events `target_exited` and `target_restarted`.
        target: The target's id.
        pid_file: A file that names the root's pid, or None.
        claims: Settles which of several targets a successor is whose.
        follow: Whether to look for a successor at all.
    """

    def __init__(
        self,
        tree: ProcessTree,
        say: Say,
        target: str,
        pid_file: Path | None,
        claims: Claims,
        *,
        follow: bool,
    ) -> None:
        claims.enter(self)
        self._claims = claims
        self._tree = tree
        self._say = say
        self._target = target
        self._pid_file = pid_file
        self._follow = follow
        self._gone_s: float | None = None
        self._said_empty = False
        self._recent: set[int] = set()
        self._fingerprint = fingerprint(tree.root.pid)

    def look(self, now_s: float) -> None:
        """Look after the tree was refreshed.

        Args:
            now_s: Monotonic time, seconds.
        """
        root = self._tree.root
        if self._tree.members.get(root.pid) == root:
            return
        if self._gone_s is None:
            self._gone_s = now_s
            self._say(TargetExited(root.pid, root.name, target=self._target))
        if not self._tree.members and not self._said_empty:
            self._said_empty = True
            self._say(Unread(root.pid, _NOBODY_LEFT, self._target))
        successor = self._successor(now_s - self._gone_s) if self._follow else None
        if successor is not None:
            self._say(TargetRestarted(successor.pid, successor.name, root.pid, self._target))
            self._gone_s = None
            self._said_empty = False
            self._recent = set()
            self._tree.adopt(successor)
            self._fingerprint = fingerprint(successor.pid)

    def _successor(self, gone_for_s: float) -> Process | None:
        self._recent |= self._tree.newcomers - self._tree.members.keys()
        named = self._named()
        members = self._tree.members if gone_for_s >= _PATIENCE_S else {}
        for pid in (*named, *members, *sorted(self._recent)):
            try:
                process = identify(pid)
            except (NoSuchProcessError, DeniedError):
                self._recent.discard(pid)
                continue
            is_meant = pid in named or (self._may_guess and self.resembles(pid))
            if process != self._tree.root and is_meant and self._claims.allow(self, process):
                return process
        return None

    @property
    def _may_guess(self) -> bool:
        return self._pid_file is None or not self._claims.are_several

    def holds(self, process: Process) -> bool:
        """Whether a process is one of the target's."""
        return process in {self._tree.root, *self._tree.members.values()}

    def gone_s(self) -> float:
        """Since when the root is gone; inf if just now, -inf while it is there."""
        if self._gone_s is not None:
            return self._gone_s
        root = self._tree.root
        try:
            is_there = identify(root.pid).start_ticks == root.start_ticks
        except (NoSuchProcessError, DeniedError):
            is_there = False
        return -math.inf if is_there else math.inf

    def resembles(self, pid: int) -> bool:
        """Whether a process is what the root was: its command line, user and directory."""
        return self._fingerprint is not None and fingerprint(pid) == self._fingerprint

    def _named(self) -> tuple[int, ...]:
        if self._pid_file is None:
            return ()
        try:
            return (int(self._pid_file.read_text().split()[0]),)
        except (OSError, ValueError, IndexError):
            return ()  # not written (yet)
