"""The terminal of this process, lent to a child that draws on it."""

import atexit
import contextlib
import fcntl
import os
import sys
from typing import Self

PIPE_BYTES = 1 << 20
"""So much may be written before whoever draws has to have read some."""
STANDARD = (1, 2)
SHOW_CURSOR = b"\x1b[?25h"


class LentTerminal:
    """The terminal, of which the child is the only writer while it is lent.

    What this process writes to standard output and standard error goes to the child by a pipe as
    far as it would have gone to that terminal, and stands above what the child draws. Made by
    `lend`.

    Attributes:
        terminal: Descriptor of the terminal.
        lines: Descriptor of what this process writes.
        has_errors: Whether standard error goes there, too.
    """

    def __init__(self) -> None:
        self.terminal = os.dup(1)
        self.lines, writing = os.pipe()
        with contextlib.suppress(OSError):  # more than this user may have: it is smaller then
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        device = os.fstat(1).st_rdev
        ours = [fd for fd in STANDARD if os.isatty(fd) and os.fstat(fd).st_rdev == device]
        self.has_errors = 2 in ours
        _flush()
        self._saved = {fd: os.dup(fd) for fd in ours}
        for fd in ours:
            os.dup2(writing, fd)
        os.close(writing)
        atexit.register(self.take_back)

    @classmethod
    def lend(cls) -> Self | None:
        """Lend it; None if standard output is no terminal that can be drawn on, or not ours now."""
        return cls() if can_be_lent() else None

    def take_back(self) -> None:
        """Write to it again; whoever has drawn on it must have ended. Safe to call again."""
        saved, self._saved = self._saved, {}
        if not saved:
            return
        atexit.unregister(self.take_back)
        with contextlib.suppress(OSError):
            _flush()
        for fd, before in saved.items():
            os.dup2(before, fd)
            os.close(before)
        with contextlib.suppress(OSError):  # the terminal was closed
            os.write(self.terminal, SHOW_CURSOR)  # should whoever has drawn have been killed
            while left := os.read(self.lines, PIPE_BYTES):
                os.write(self.terminal, left)
        os.close(self.lines)
        os.close(self.terminal)


def can_be_lent() -> bool:
    """Whether standard output is a terminal that can be drawn on, and we are in its foreground."""
    if not os.isatty(1) or os.environ.get("TERM", "dumb") in {"", "dumb", "unknown"}:
        return False
    try:
        return os.tcgetpgrp(1) == os.getpgrp()
    except OSError:  # it is not the one that we were started from
        return False


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
