"""Following what a run writes, from another process, without reading it again from the start.

Each look costs what was added since the last one. A line that is not finished yet is left for
the next look.
"""

import contextlib
import csv
import os
from pathlib import Path
from typing import BinaryIO

from tidemark.record.layout import Table

_MOST_BYTES = 1 << 20
"""So much is read at once; a look that finds more goes on in the next round."""


_FURTHEST_BYTES = 1 << 24
"""So far from its end a file is looked through for a line; what comes after it was just added."""


def place_after(file: BinaryIO, line: bytes) -> int | None:
    """Where a file goes on after a line that was read of another one, whose place it has taken.

    What was added last to a table that is thinned stands in both.

    Args:
        file: The file.
        line: The line, without its newline; it must not be empty.

    Returns:
        The offset after it, bytes; None where it is not there.
    """
    place = file.seek(0, os.SEEK_END)
    wanted, first = b"\n" + line + b"\n", max(place - _FURTHEST_BYTES, 0)
    overlap = b""
    while place > first:
        begin = max(place - _MOST_BYTES, first)
        file.seek(begin)
        part = file.read(place - begin) + overlap
        found = part.rfind(wanted)
        if found >= 0:
            return begin + found + len(wanted)
        overlap, place = part[: len(wanted)], begin
    return None


class LineStream:
    """The lines that were added to a file since the last look.

    Args:
        path: The file; it need not exist yet.

    Attributes:
        offset: How far it was read, bytes; all lines before it were handed out.
    """

    def __init__(self, path: Path) -> None:
        self.offset = 0
        self._path = path
        self._inode: int | None = None
        self._last = b""

    def skip(self) -> None:
        """Leave out the whole lines that are there already, bit by bit: they may be many."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            end = file.seek(0, 2)
            while end > self.offset:
                begin = max(end - _MOST_BYTES, self.offset)
                file.seek(begin)
                newline = file.read(end - begin).rfind(b"\n")
                if newline >= 0:
                    self.offset = begin + newline + 1
                    return
                end = begin

    def new_lines(self) -> list[bytes]:
        """The lines that were finished since the last look, without their newlines.

        A file that has become shorter, or another one, was thinned or begun anew. It is read on
        after the line that was read last, or from its start if that is not there.
        """
        lines: list[bytes] = []
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_size < self.offset or self._inode not in {None, found.st_ino}:
                    self.offset = (self._last and place_after(file, self._last)) or 0
                self._inode = found.st_ino
                file.seek(self.offset)
                torn = b""
                while part := file.read(_MOST_BYTES):
                    *whole, torn = (torn + part).split(b"\n")
                    lines += whole
                self.offset = file.tell() - len(torn)
                self._last = lines[-1] if lines else self._last
        except FileNotFoundError:
            return []
        return lines


class RowStream:
    """The rows that were added to a table of a run directory since the last look."""

    def __init__(self, folder: Path, table: Table) -> None:
        self._table = table
        self._lines = LineStream(folder / table.file)
        self._columns: list[str] = []

    def skip(self) -> None:
        """Leave out the rows that are there already, but for the names of the columns."""
        self._lines.skip()
        self._columns = list(self._table.columns)

    def new_rows(self) -> list[dict[str, str]]:
        """Column -> text of each new row; a row of another width (it was torn) is left out."""
        lines = [line.decode("utf-8", "replace") for line in self._lines.new_lines()]
        rows = list(csv.reader(lines))
        columns = self._columns = self._columns or (rows[0] if rows else [])
        # The header comes again where the file was begun anew.
        rows = [row for row in rows if len(row) == len(columns) and row != columns]
        return [dict(zip(columns, row, strict=True)) for row in rows]
