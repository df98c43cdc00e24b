"""Append-only files: one write a line, so that `kill -9` loses at most that line."""

import contextlib
import csv
import fcntl
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from tidemark.record.errors import DiskFullError, RunDirectoryError
from tidemark.record.files import explained, open_appending, write_all

_TIME_DECIMALS = 6


class _Appender:
    """A file that is only ever added to; see the subclasses.

    Args:
        path: The file; made if it is missing.

    Raises:
        RunDirectoryError: The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with explained(path):
            self._file = open_appending(path)
        self._descriptor = self._file.fileno()

    def _ends_mid_line(self) -> bool:
        size = os.fstat(self._descriptor).st_size
        return size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"

    def _cut_torn(self) -> None:
        """Cut off a torn last line, which a killed writer or a full disk left."""
        if self._ends_mid_line():
            os.ftruncate(self._descriptor, self.path.read_bytes().rfind(b"\n") + 1)

    def _write(self, data: bytes) -> None:
        """Write it as a whole: what a full disk let through of it is taken back."""
        end = os.fstat(self._descriptor).st_size
        try:
            with explained(self.path):
                write_all(self._file, data)
        except DiskFullError:
            with contextlib.suppress(OSError):  # a device
                os.ftruncate(self._descriptor, end)
            raise

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LineAppender(_Appender):
    """Appends lines to a file that several processes may append to.

    One `write` on an `O_APPEND` descriptor, under a lock: lines of different writers do not
    mix. A torn line that a killed writer or a full disk left is cut off, so that only that
    one is lost, and a reader never meets half a line.
    """

    def append(self, line: bytes) -> None:
        """Append one line, given without its newline.

        Raises:
            DiskFullError: There is no room for it.
            RunDirectoryError: It cannot be written.
        """
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            self._cut_torn()
            self._write(line + b"\n")
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def format_field(value: object) -> str:
    """One CSV field: None is empty, never 0; floats keep microseconds; no line breaks."""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(round(value, _TIME_DECIMALS))
    return " ".join(str(value).split()) if isinstance(value, str) else str(value)


class CsvAppender(_Appender):
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
        super().__init__(path)
        self.columns = tuple(columns)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        self._cut_torn()
        header = (",".join(self.columns) + "\n").encode()
        if os.fstat(self._descriptor).st_size == 0:
            self._write(header)
        elif os.pread(self._descriptor, len(header), 0) != header:
            raise RunDirectoryError(
                f"{self.path}: has other columns: written by another version; use a new folder"
            )

    def append(self, row: Mapping[str, object]) -> None:
        """Append one row; what is None or missing in `row` becomes an empty field.

        Raises:
            DiskFullError: There is no room; the file ends with the last whole row.
            RunDirectoryError: The file cannot be written, or `row` has an unknown column.
        """
        self.append_all((row,))

    def append_all(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Append several rows in one write, or none of them. Raises as `append` does."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for row in rows:
            if not row.keys() <= set(self.columns):
                unknown = ", ".join(sorted(row.keys() - set(self.columns)))
                raise RunDirectoryError(f"{self.path}: no such column: {unknown}")
            writer.writerow([format_field(row.get(name)) for name in self.columns])
        self._write(text.getvalue().encode())

    def go_on_with(self, path: Path, file: io.FileIO) -> None:
        """Put another file in the place of this one, and add to that from now on.

        Args:
            path: The other file, beside this one: it has the same columns, and ends with a line.
            file: It, open for appending; it is closed with this appender.

        Raises:
            RunDirectoryError: It cannot be put there.
        """
        with explained(self.path):
            path.replace(self.path)
        self._file.close()
        self._file, self._descriptor = file, file.fileno()
