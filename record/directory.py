"""The run directory: where everything that is recorded about a run is written and read."""

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tidemark.record import layout
from tidemark.record.appender import CsvAppender, LineAppender
from tidemark.record.clock import Instant
from tidemark.record.errors import RunDirectoryError, UnusableRunError
from tidemark.record.events import Event, Recorded, decode, encode
from tidemark.record.layout import Table
from tidemark.record.metadata import RunMetadata, read_metadata


def whole_lines(path: Path) -> bytes:
    """The content of a file up to the last line that was finished: its writer may be killed.

    Raises:
        UnusableRunError: The file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise UnusableRunError(path, what, "check that it exists and is readable") from error
    return data[: data.rfind(b"\n") + 1]


def write_file(path: Path, content: bytes) -> None:
    """Write a file as a whole: whoever reads it sees the old one or the new one.

    Raises:
        RunDirectoryError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunDirectoryError(
            f"{path}: cannot be written ({error.strerror}); check permissions and space"
        ) from error


class RunDirectory:
    """One run's folder, which need not exist yet: `create` makes it."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: Path | str) -> Self:
        """Make the folder for a new run; an empty or unrelated one is taken as it is.

        Raises:
            RunDirectoryError: It holds a run already, or cannot be made or written.
        """
        folder = Path(path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(
                f"{folder}: cannot be made ({error.strerror}): choose another folder"
            ) from error
        held = [name for name in layout.RECORDED_FILES if (folder / name).exists()]
        if held:
            raise RunDirectoryError(
                f"{folder}: holds a run already ({held[0]}): choose another folder"
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise RunDirectoryError(f"{folder}: cannot be written: choose another folder")
        return cls(folder)

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
        write_file(self.file(layout.RUN_JSON), f"{text}\n".encode())

    def read_metadata(self) -> RunMetadata:
        """What `run.json` says.

        Raises:
            UnusableRunError: It is missing or malformed, or has a format that is not known.
        """
        return read_metadata(self.file(layout.RUN_JSON))

    def events_writer(self) -> LineAppender:
        """Opens `events.jsonl` for appending lines made by `tidemark.record.events.encode`."""
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
        if not path.exists():
            return ()
        found = []
        for number, line in enumerate(whole_lines(path).split(b"\n")[:-1], start=1):
            try:
                found.append(decode(line))
            except ValueError as error:
                where = f"{path}, line {number}"
                raise UnusableRunError(where, str(error), "mend the line or remove it") from error
        return tuple(sorted(found, key=lambda recorded: recorded.elapsed_s))
