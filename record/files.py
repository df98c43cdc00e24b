"""How the files of a run are made: for their owner alone unless shared, and never through a link.

A run holds command lines, logs of services and what they complained of. Its `run.json` is made
first; every other file is as open as that one, whichever process makes it.
"""

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tidemark.record.errors import DiskFullError, RunDirectoryError
from tidemark.record.layout import RUN_JSON

PRIVATE = 0o600
SHARED = 0o666
"""Less what the umask takes."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of the operating system become ours."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFullError(
                f"{path}: {error.strerror}: free some space; "
                "what was recorded until now stays readable"
            ) from error
        if error.errno == errno.ELOOP:
            raise RunDirectoryError(
                f"{path}: is a link, which is not followed: remove it, or choose another folder"
            ) from error
        raise RunDirectoryError(
            f"{path}: {error.strerror}: check permissions, and that the folder can be written"
        ) from error


def make_folder(path: Path, *, shared: bool) -> None:
    """Make a new folder, and what it stands in if need be.

    Args:
        path: The folder.
        shared: Whether others may look into it, as far as the umask allows.

    Raises:
        OSError: It cannot be made, or is there.
    """
    with contextlib.suppress(FileExistsError):  # a file in its place is told by what follows
        path.parent.mkdir(parents=True)
    path.mkdir(mode=0o777 if shared else 0o700)


def mode_beside(path: Path) -> int:
    """The mode of a new file: that of the run.json beside it, else as open as its folder."""
    try:
        model = path.with_name(RUN_JSON).lstat()
    except OSError:
        model = path.parent.stat()
    return (stat.S_IMODE(model.st_mode) & SHARED) | PRIVATE


def open_appending(path: Path) -> io.FileIO:
    """Open a file to read and to add to, unbuffered; made if it is missing.

    Raises:
        OSError: It cannot be opened, or is a link (ELOOP) or a pipe (EINVAL).
    """
    descriptor = os.open(path, _FLAGS | os.O_APPEND, mode_beside(path))
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is a pipe", str(path))
    return io.FileIO(descriptor, "ab+")


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is not there yet. Raises OSError, also when something is there."""
    descriptor = os.open(path, _FLAGS | os.O_EXCL, mode)
    with io.FileIO(descriptor, "wb") as file:
        write_all(file, content)


def reserve(path: Path, size_bytes: int) -> None:
    """Take room on the disk for later, where it can be had.

    Args:
        path: A file that stands for it until it is overwritten or removed; made anew.
        size_bytes: How much.
    """
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        descriptor = os.open(path, _FLAGS | os.O_EXCL, PRIVATE)
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
        except OSError:
            path.unlink()
        finally:
            os.close(descriptor)


def write_into(path: Path, content: bytes, mode: int) -> None:
    """Write a file anew in the room that it has already. Raises OSError."""
    with io.FileIO(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "wb") as file:
        write_all(file, content)
        file.truncate()
        os.fchmod(file.fileno(), mode)


def write_all(file: io.FileIO, content: bytes) -> None:
    """Write all of it: one call may write less."""
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]
