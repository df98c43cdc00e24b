"""Who writes into a run directory holds a lock on it, which the kernel takes back when he dies."""

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Self

POLL_S = 0.1


class DirectoryLock:
    """A lock on a folder, held by a process and by the children that it hands the descriptor to.

    Source: flock(2). It belongs to the open file, so that it is free once all of them have ended,
    however that was; nothing is written for it, so that a full disk does not matter.

    Args:
        descriptor: Of the folder; None where nothing can be locked.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path, wait_s: float = 0.0) -> Self | None:
        """Take it; None where somebody else has it.

        A file system that knows no locks has none that anybody could hold.

        Args:
            folder: The run directory.
            wait_s: So long it is waited for: children of one who was killed take a moment to end.
        """
        deadline = time.monotonic() + wait_s
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # who cannot read it will say so where he tries to
            return cls(None)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return None
                time.sleep(POLL_S)
            except OSError:
                os.close(descriptor)
                return cls(None)
            else:
                return cls(descriptor)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a child is handed that writes there too."""
        return () if self._descriptor is None else (self._descriptor,)

    def release(self) -> None:
        """Let go of it; again does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)
