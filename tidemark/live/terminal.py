"""The terminal that a run is drawn on: left as it was found."""

import contextlib
import os
import sys
import termios
from collections.abc import Iterator
from typing import Any

_LOCAL_MODES = 3
"""Where `tcgetattr` has them; see termios(3)."""


@contextlib.contextmanager
def unechoed(terminal: int) -> Iterator[None]:
    """Keys that are pressed meanwhile, Ctrl-C among them, write nothing into what is drawn.

    A process in the background changes nothing: the terminal belongs to somebody else then.

    Args:
        terminal: Its file descriptor; what is none stays as it is.
    """
    before = _modes(terminal)
    if before is None:
        yield
        return
    quiet = [*before]
    quiet[_LOCAL_MODES] &= ~(termios.ECHO | termios.ECHOCTL)
    termios.tcsetattr(terminal, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        if _modes(terminal) is not None:
            termios.tcsetattr(terminal, termios.TCSANOW, before)


def _modes(terminal: int) -> list[Any] | None:
    """Its modes; None where it is none, or not ours to change."""
    try:
        if os.tcgetpgrp(terminal) == os.getpgrp():
            return termios.tcgetattr(terminal)
    except (OSError, termios.error):
        pass
    return None


def keyboard() -> int:
    """The descriptor that keys come from; one that is none where there is no such thing."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):  # there is none, or it was closed or replaced
        return -1
