"""Saying once, and not with every tick, what cannot be read."""

from collections.abc import Callable

from tidemark.record.events import Event, PermissionDenied, Unread
from tidemark.sampler.errors import DeniedError, SamplerError

Say = Callable[[Event], object]
"""Takes an event that is to be recorded."""


def event_of(error: SamplerError, pid: int | None = None, target: str | None = None) -> Event:
    """The event that says why something could not be read.

    Args:
        error: What the reading raised.
        pid: Whose reading it was; None if not one process's.
        target: The target's id; None if somebody else adds it.
    """
    if not isinstance(error, DeniedError):
        return Unread(pid, str(error), target)
    entering = "/ns/" in error.what
    missing = "CAP_SYS_ADMIN" if entering else "the target's user, or CAP_SYS_PTRACE"
    return PermissionDenied(error.pid, error.what, missing, target)


class Unreadable:
    """Remembers which kinds of figures could not be read.

    Args:
        say: Is given the event, the first time for each kind and reason.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._told: set[tuple[type[SamplerError], str]] = set()

    def tell(self, error: SamplerError, pid: int | None = None) -> None:
        """Note that something could not be read."""
        # Of every further process it is the same.
        what = error.what.replace(str(error.pid), "PID") if isinstance(error, DeniedError) else ""
        if (type(error), what) not in self._told:
            self._told.add((type(error), what))
            self._say(event_of(error, pid))
