"""What is served out of the folder of a run: its report and the pictures in it, nothing else."""

import io
import os
import stat
from pathlib import Path

from tidemark.record.layout import REPORT_HTML, REPORT_PNG, RUN_JSON, VERDICT_JSON

KINDS = {
    REPORT_HTML: "text/html; charset=utf-8",
    REPORT_PNG: "image/png",
    VERDICT_JSON: "application/json",
}
"""The files, all of them made by `tidemark report`."""
MOST_BYTES = 256 << 20
_NO_LINKS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def read_served(path: Path, name: str) -> bytes | None:
    """One of these files; None if it is not there, is a link, or anything but a file.

    Args:
        path: The run directory, without links in it; if there is one by now, nothing is read.
        name: One of `KINDS`.
    """
    if name not in KINDS:
        return None
    try:
        folder = os.open(path, _NO_LINKS | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        descriptor = os.open(name, _NO_LINKS | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    finally:
        os.close(folder)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_BYTES:
        os.close(descriptor)
        return None
    with io.FileIO(descriptor) as file:
        return file.read(MOST_BYTES)


def last_changed(path: Path) -> tuple[int | None, ...]:
    """When run.json and each of these files changed last, nanoseconds; None where it is not."""
    return tuple(_changed_ns(path / name) for name in (RUN_JSON, *KINDS))


def has_report(path: Path) -> bool:
    """Whether there is a report on what the run is by now."""
    run, report = _changed_ns(path / RUN_JSON), _changed_ns(path / REPORT_HTML)
    return run is not None and report is not None and report >= run


def _changed_ns(path: Path) -> int | None:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return None
