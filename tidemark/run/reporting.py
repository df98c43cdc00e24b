"""Reports of runs that have ended: made by child processes, one after another, at a low priority.

To judge and to draw takes seconds of a core, which the load of the next run may need.
"""

import os
import subprocess
import tempfile
from pathlib import Path
from threading import Lock, Thread

from tidemark.record.errors import TidemarkError
from tidemark.run.children import COMPLAINT_PREFIX, NURSERY, python_module

NICENESS = 10
_LAST_BYTES = 4096


class Reports:
    """Makes reports. A greenlet of Locust that waits for one lets the others go on."""

    def __init__(self) -> None:
        self._turn = Lock()
        self._wanted: set[Path] = set()
        self._failures: dict[Path, str] = {}

    def make(self, path: Path, *, is_quiet: bool = False) -> None:
        """Make the report of a run, and wait for it.

        Args:
            path: The run directory.
            is_quiet: Whether it is not printed to the terminal.
        """
        self._wanted.add(path)
        try:
            with self._turn:
                failure = _make(path, is_quiet=is_quiet)
        except (TidemarkError, OSError) as error:
            failure = str(error)
        finally:
            self._wanted.discard(path)
        if failure:
            self._failures[path] = failure

    def want(self, path: Path) -> None:
        """Have one made in the background, unless one is being made; says nothing."""
        if path not in self._wanted:
            self._wanted.add(path)
            Thread(target=self.make, args=(path,), kwargs={"is_quiet": True}, daemon=True).start()

    def is_making(self, path: Path) -> bool:
        """Whether the report of a run is being made, or waits for its turn."""
        return path in self._wanted

    def failure(self, path: Path) -> str:
        """Why the report could not be made when that was last tried; told once, then forgotten."""
        return self._failures.pop(path, "")


def _make(path: Path, *, is_quiet: bool) -> str:
    """Make it; why that failed, empty if it did not."""
    with tempfile.TemporaryFile() as complaints:
        process = NURSERY.start(
            python_module("tidemark", "report", str(path)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if is_quiet else None,
            stderr=complaints if is_quiet else None,
        )
        if os.getpriority(os.PRIO_PROCESS, process.pid) < NICENESS:
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        if process.wait() == 0:
            return ""
        complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - _LAST_BYTES))
        lines = complaints.read().decode(errors="replace").strip().splitlines()
        return COMPLAINT_PREFIX.sub("", lines[-1]) if lines else "it could not be made"


REPORTS = Reports()
