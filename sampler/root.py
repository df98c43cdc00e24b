"""The root of the target's tree: that it ended, and which process takes its place."""

import contextlib
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


class RootWatch:
    """Notices that the root ended, and finds the one that takes its place.

    The successor is what the PID file names, if there is one; otherwise a process with
    the same command line, user and working directory that began after the root was last
    seen; or, after some seconds, one of its descendants that are still there.

    Args:
        tree: The tree; its root is replaced when a successor appears.
        say: Is given the events `target_exited` and `target_restarted`.
        target: The target's id.
        pid_file: A file that names the root's pid, or None.
        follow: Whether to look for a successor at all.
    """

    def __init__(
        self, tree: ProcessTree, say: Say, target: str, pid_file: Path | None, *, follow: bool
    ) -> None:
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
            self._say(Unread(root.pid, _NOBODY_LEFT))
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
            if process != self._tree.root and (pid in named or self._resembles(pid)):
                return process
        return None

    def _resembles(self, pid: int) -> bool:
        return self._fingerprint is not None and fingerprint(pid) == self._fingerprint

    def _named(self) -> tuple[int, ...]:
        if self._pid_file is None:
            return ()
        try:
            return (int(self._pid_file.read_text().split()[0]),)
        except (OSError, ValueError, IndexError):
            return ()  # not written (yet)
