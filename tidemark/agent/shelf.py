"""The files of the recording that are served: a fixed few, read a bounded piece at a time."""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tidemark.agent.errors import Refusal
from tidemark.record.layout import COMPOSITION, ENDPOINTS, EVENTS_JSONL, RUN_JSON, SAMPLES

APPENDED = (SAMPLES.file, COMPOSITION.file, ENDPOINTS.file, EVENTS_JSONL)
"""Files that only grow: each is fetched from where one stopped."""
SERVED = (*APPENDED, RUN_JSON)

MOST_BYTES = 256 * 1024
"""So much of a file is in one answer at most."""
_LEAST_BYTES = 4096
_MOST_TAIL_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a file.

    Attributes:
        data: The lines.
        next_offset: Where the line after them begins.
        size: Bytes in the file by now, the line that is being written included.
    """

    data: bytes
    next_offset: int
    size: int


class Shelf:
    """Reads the files of one run directory, each under a name that is known beforehand.

    Args:
        folder: The run directory.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = {name: folder / name for name in SERVED}

    def sizes(self) -> dict[str, int]:
        """Name -> bytes, of the files that are there."""
        found = {}
        for name in SERVED:
            with contextlib.suppress(Refusal), self._opened(name) as descriptor:
                found[name] = os.fstat(descriptor).st_size
        return found

    def piece(self, name: str, offset: int, limit: int) -> Piece:
        """The whole lines of a file from an offset on.

        Args:
            name: One of `SERVED`.
            offset: Where a line begins.
            limit: Bytes at most; a first line that is longer is read all the same.

        Raises:
            Refusal: There is no such file (yet), or no line begins there.
        """
        with self._opened(name) as descriptor:
            size = os.fstat(descriptor).st_size
            if offset > size:
                raise Refusal(416, f"{name} has {size} bytes only")
            if offset and os.pread(descriptor, 1, offset - 1) != b"\n":
                raise Refusal(400, "no line begins at this offset")
            wanted = min(max(limit, _LEAST_BYTES), MOST_BYTES)
            data = os.pread(descriptor, wanted, offset)
            if len(data) == wanted and b"\n" not in data:
                data = os.pread(descriptor, MOST_BYTES, offset)
        whole = data[: data.rfind(b"\n") + 1]
        if not whole and len(data) == MOST_BYTES:
            raise Refusal(409, f"a line of {name} is longer than {MOST_BYTES} bytes")
        return Piece(whole, offset + len(whole), size)

    def tail(self, name: str, most_bytes: int) -> bytes:
        """The last whole lines of a file; nothing if it is not there."""
        wanted = min(most_bytes, _MOST_TAIL_BYTES)
        try:
            with self._opened(name) as descriptor:
                begin = max(os.fstat(descriptor).st_size - wanted, 0)
                data = os.pread(descriptor, wanted, begin)
        except Refusal:
            return b""
        first = data.find(b"\n") + 1 if begin else 0
        return data[first : data.rfind(b"\n") + 1]

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        path = self._paths.get(name)
        if path is None:
            raise Refusal(404, "there is no such file")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags)
        except OSError as error:
            raise Refusal(404, f"{name} cannot be read ({error.strerror})") from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refusal(404, f"{name} is no file")
            yield descriptor
        finally:
            os.close(descriptor)
