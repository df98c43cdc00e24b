"""A terminal of some size for a test, and what somebody writes on it."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field
from subprocess import Popen
from typing import Any

HIDES, SHOWS = "\x1b[?25l", "\x1b[?25h"
"""What hides the cursor, and what shows it."""


@dataclass
class Terminal:
    """A terminal.

    Attributes:
        ours: Where what was written on it is read.
        theirs: What a process has as its terminal.
    """

    ours: int
    theirs: int
    _read: bytearray = field(default_factory=bytearray)

    def resize(self, columns: int, lines: int) -> None:
        """Give it another size."""
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def written(self) -> str:
        """All that was written on it so far."""
        while select.select([self.ours], [], [], 0)[0]:
            try:
                self._read += os.read(self.ours, 65_536)
            except OSError:  # nobody has it open any more
                break
        return self._read.decode(errors="replace")

    def lines(self) -> list[str]:
        """The lines of that, without what moves the cursor or colours them."""
        return plain(self.written()).split("\n")

    def take(self) -> None:
        """Make it the one of this process, a child that leads a session; Ctrl-C ends it then.

        A shell that runs us in the background has SIGINT ignored, and children inherit it.
        """
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)

    def start(self, *command: str, **given: Any) -> Popen[bytes]:
        """Start a command on it."""
        streams = {"stdin": self.theirs, "stdout": self.theirs, "stderr": self.theirs}
        return Popen(
            command,
            start_new_session=True,
            preexec_fn=self.take,  # noqa: PLW1509
            **{**streams, **given},
        )

    def press(self, key: bytes) -> None:
        """Press a key on its keyboard: Ctrl-C is 3."""
        os.write(self.ours, key)

    def modes(self) -> list[Any]:
        """How it treats what is typed and written."""
        return termios.tcgetattr(self.theirs)

    def is_left_clean(self) -> bool:
        """Whether the cursor was shown after it was hidden."""
        text = self.written()
        return text.rfind(SHOWS) >= text.rfind(HIDES)


def plain(text: str) -> str:
    """Text without what moves the cursor or colours it."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").replace("\n\n", "\n")


@contextlib.contextmanager
def terminal(columns: int, lines: int = 40) -> Iterator[Terminal]:
    """A terminal of that size."""
    ours, theirs = pty.openpty()
    found = Terminal(ours, theirs)
    found.resize(columns, lines)
    try:
        yield found
    finally:
        for one in (ours, theirs):
            with contextlib.suppress(OSError):
                os.close(one)
