"""Append-only files: one write a line, so that `kill -9` loses at most that line."""

import csv
import errno
import fcntl
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tidemark.record.errors import DiskFullError, RunDirectoryError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_TIME_DECIMALS = 6


def _failed(path: Path, error: OSError) -> RunDirectoryError:
    if error.errno in _NO_ROOM:
        return DiskFullError(
            f"{path}: {error.strerror}: free some space; what was recorded until now stays readable"
        )
    return RunDirectoryError(f"{path}: {error.strerror}: check that the folder can be written")


def _ends_mid_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


class LineAppender:
    """Appends lines to a file that several processes may append to.

    One `write` on an `O_APPEND` descriptor, under a lock: lines of different writers do not
    mix. A torn line that a killed writer left is ended first, so that only that one is lost.

    Args:
        path: The file; made if it is missing.

    Raises:
        RunDirectoryError: The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = _open(path)

    def append(self, line: bytes) -> None:
        """Append one line, given without its newline.

        Raises:
            DiskFullError: There is no room for it.
            RunDirectoryError: It cannot be written.
        """
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            start = b"\n" if _ends_mid_line(self._descriptor) else b""
            _write_whole(self._descriptor, start + line + b"\n", self.path)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _failed(path, error) from error


def _write_whole(descriptor: int, data: bytes, path: Path) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except OSError as error:
            raise _failed(path, error) from error


def format_field(value: object) -> str:
    """One CSV field: None is empty, never 0; floats keep microseconds; no line breaks."""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(round(value, _TIME_DECIMALS))
    return " ".join(str(value).split()) if isinstance(value, str) else str(value)


class CsvAppender:
    """Writes rows of fixed columns to the end of a CSV file.

    The header is written when the file is made; a torn last line (the former writer was
    killed) is cut off on opening, and so is what a full disk let through of a line.
    One appender a file: only `events.jsonl` has several writers.

    Args:
        path: The file.
        columns: Names of the columns, in order.

    Raises:
        RunDirectoryError: The file cannot be opened, or has other columns.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self.columns = tuple(columns)
        self._buffer = io.StringIO()
        self._csv = csv.writer(self._buffer, lineterminator="\n")
        self._descriptor = _open(path)
        self._open = True
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        if _ends_mid_line(self._descriptor):
            os.ftruncate(self._descriptor, self._end_of_last_line())
        header = (",".join(self.columns) + "\n").encode()
        if os.fstat(self._descriptor).st_size == 0:
            self._write(header)
        elif os.pread(self._descriptor, len(header), 0) != header:
            raise RunDirectoryError(
                f"{self.path}: has other columns: written by another version; use a new folder"
            )

    def _end_of_last_line(self) -> int:
        return self.path.read_bytes().rfind(b"\n") + 1

    def append(self, row: Mapping[str, object]) -> None:
        """Append one row; what is None or missing in `row` becomes an empty field.

        Raises:
            DiskFullError: There is no room; the file ends with the last whole row.
            RunDirectoryError: The file cannot be written, or `row` has an unknown column.
        """
        self.append_all((row,))

    def append_all(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Append several rows in one write, or none of them. Raises as `append` does."""
        self._buffer.seek(0)
        self._buffer.truncate()
        for row in rows:
            if not row.keys() <= set(self.columns):
                unknown = ", ".join(sorted(row.keys() - set(self.columns)))
                raise RunDirectoryError(f"{self.path}: no such column: {unknown}")
            self._csv.writerow([format_field(row.get(name)) for name in self.columns])
        self._write(self._buffer.getvalue().encode())

    def _write(self, data: bytes) -> None:
        end = os.fstat(self._descriptor).st_size
        try:
            _write_whole(self._descriptor, data, self.path)
        except DiskFullError:
            os.ftruncate(self._descriptor, end)
            raise

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        if self._open:
            self._open = False
            os.close(self._descriptor)

    def __enter__(self) -> "CsvAppender":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
