"""The run directory: where everything that is recorded about a run is written and read."""

import contextlib
import json
import os
import stat
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Self

from tidemark.record import layout
from tidemark.record.appender import CsvAppender, LineAppender
from tidemark.record.clock import Instant
from tidemark.record.errors import RunDirectoryError, UnusableRunError
from tidemark.record.event_lines import decode, encode
from tidemark.record.events import Event, Recorded
from tidemark.record.files import (
    PRIVATE,
    SHARED,
    explained,
    make_folder,
    mode_beside,
    reserve,
    write_into,
    write_new,
)
from tidemark.record.layout import Table
from tidemark.record.metadata import RunMetadata, parse_metadata

MOST_BYTES = 4 << 30
"""No file of a run is larger: at 1 Hz, ten processes fill as much in half a year."""
MOST_METADATA_BYTES = 1 << 20
"""`run.json` is not larger."""
_SPARE = ".run.json.spare"
_SPARE_BYTES = 65_536


def read_regular(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The content of a file that is one: a FIFO or a device would let its reader wait for ever.

    Raises:
        UnusableRunError: It cannot be read, is no regular file, or is larger than `most_bytes`.
    """
    with _opened(path) as file:
        if os.fstat(file.fileno()).st_size > most_bytes:
            what = f"is larger than any such file of a run ({most_bytes >> 20} MiB)"
            remedy = "is this a run's file? Tables of any size are read by `tidemark compact`"
            raise UnusableRunError(path, what, remedy)
        return file.read(most_bytes)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                remedy = "put the file of the run back"
                raise UnusableRunError(path, "is not a regular file", remedy)
            yield file
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise UnusableRunError(path, what, "check that it exists and is readable") from error
    except (MemoryError, ValueError) as error:  # ValueError: a path with a NUL
        raise UnusableRunError(path, "cannot be read", "read it on a larger machine") from error


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def whole_lines(path: Path) -> bytes:
    """The content of a file up to the last line that was finished: its writer may be killed.

    Raises:
        UnusableRunError: The file cannot be read.
    """
    data = read_regular(path)
    return data[: data.rfind(b"\n") + 1]


def whole_blocks(path: Path, block_bytes: int) -> Iterator[bytes]:
    """The same bit by bit, cut between lines: of a file of any size, a block is in memory.

    Raises:
        UnusableRunError: The file cannot be read, or a line of it is longer than a block.
    """
    with _opened(path) as file:
        rest = b""
        while read := file.read(block_bytes):
            data = rest + read
            end = data.rfind(b"\n") + 1
            if not end and len(data) > block_bytes:
                raise UnusableRunError(path, "holds a line without end", "is this a run's file?")
            rest = data[end:]
            if end:
                yield data[:end]


def write_file(
    path: Path, content: bytes, mode: int | None = None, spare: Path | None = None
) -> None:
    """Write a file as a whole: whoever reads it sees the old one or the new one.

    Args:
        path: The file; a link in its place is replaced, not followed.
        content: All of it.
        mode: Its mode, less what the umask takes; as open as what stands beside it by default.
        spare: A file beside it that holds room for it, made by `reserve`; it need not be there.

    Raises:
        DiskFullError: There is no room for it.
        RunDirectoryError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with explained(path):
        mode = mode_beside(path) if mode is None else mode
        try:
            if spare and spare.exists():
                spare.rename(temporary)
                write_into(temporary, content, mode)
            else:
                write_new(temporary, content, mode)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


class RunDirectory:
    """One run's folder, which need not exist yet: `create` makes it."""

    def __init__(self, path: Path | str, *, shared: bool = False) -> None:
        self.path = Path(path)
        self._shared = shared

    @classmethod
    def create(cls, path: Path | str, *, shared: bool = False) -> Self:
        """Make the folder for a new run; an empty or unrelated one is taken as it is.

        Args:
            path: The folder.
            shared: Whether others than its owner may read the run, as far as the umask allows.

        Raises:
            RunDirectoryError: It holds a run already, or cannot be made or written.
        """
        folder = Path(path)
        try:
            if not folder.is_dir():
                make_folder(folder, shared=shared)
        except OSError as error:
            raise RunDirectoryError(
                f"{folder}: cannot be made ({error.strerror}): choose another folder"
            ) from error
        # Links that lead nowhere count: nothing is written through them.
        held = [name for name in layout.WRITTEN_FILES if os.path.lexists(folder / name)]
        if held:
            raise RunDirectoryError(
                f"{folder}: holds a run already ({held[0]}): choose another folder"
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise RunDirectoryError(f"{folder}: cannot be written: choose another folder")
        return cls(folder, shared=shared)

    def file(self, name: str) -> Path:
        """The path of one of the run's files (names in `tidemark.record.layout`)."""
        return self.path / name

    def writer(self, table: Table) -> CsvAppender:
        """Opens one of the tables for appending."""
        return CsvAppender(self.file(table.file), table.columns)

    def write_metadata(self, metadata: Mapping[str, object]) -> None:
        """Write `run.json` anew, as a whole; `format` is added.

        Raises:
            RunDirectoryError: It cannot be written.
        """
        text = json.dumps({"format": layout.FORMAT, **metadata}, indent=2, ensure_ascii=False)
        path, first = self.file(layout.RUN_JSON), SHARED if self._shared else PRIVATE
        mode = mode_beside(path) if path.exists() else first
        write_file(path, f"{text}\n".encode(), mode, self.file(_SPARE))

    def keep_room(self) -> None:
        """Keep room on the disk for one more `run.json`, so that it can be written when full."""
        reserve(self.file(_SPARE), _SPARE_BYTES)

    def give_room_back(self) -> None:
        """Keep none any more."""
        self.file(_SPARE).unlink(missing_ok=True)

    def read_metadata(self) -> RunMetadata:
        """What `run.json` says.

        Raises:
            UnusableRunError: It is missing or malformed, or has a format that is not known.
        """
        path = self.file(layout.RUN_JSON)
        if not os.path.lexists(path):
            what = f"holds no {path.name}, so it is no run directory"
            raise UnusableRunError(self.path, what, "name a run directory")
        return parse_metadata(path, read_regular(path, MOST_METADATA_BYTES))

    def events_writer(self) -> LineAppender:
        """Opens `events.jsonl` for appending lines made by `tidemark.record.event_lines.encode`."""
        return LineAppender(self.file(layout.EVENTS_JSONL))

    def append_event(self, instant: Instant, event: Event) -> None:
        """Append one line to `events.jsonl`; several processes may do so at once.

        Raises:
            DiskFullError: There is no room for it.
            RunDirectoryError: It cannot be written.
        """
        with self.events_writer() as writer:
            writer.append(encode(instant, event))

    def read_events(self) -> tuple[Recorded[Event], ...]:
        """The events so far in the order of `elapsed_s`; a torn last line is dropped.

        Raises:
            UnusableRunError: The file cannot be read, or a line of it is no event.
        """
        path = self.file(layout.EVENTS_JSONL)
        if not os.path.lexists(path):
            return ()
        found = []
        for number, line in enumerate(whole_lines(path).split(b"\n")[:-1], start=1):
            try:
                found.append(decode(line.removesuffix(b"\r")))
            except ValueError as error:
                where = f"{path}, line {number}"
                raise UnusableRunError(where, str(error), "mend the line or remove it") from error
        return tuple(sorted(found, key=lambda recorded: recorded.elapsed_s))
