"""Following what a run writes, from another process, without reading it again from the start.

Each look costs what was added since the last one. A line that is not finished yet is left for
the next look.
"""

import contextlib
import csv
from pathlib import Path

from tidemark.record.layout import Table

_MOST_BYTES = 1 << 20
"""So much is read at once; a look that finds more goes on in the next round."""


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

        A file that has become shorter was begun anew, and is read from its start.
        """
        lines: list[bytes] = []
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self.offset:
                    self.offset = 0
                file.seek(self.offset)
                torn = b""
                while part := file.read(_MOST_BYTES):
                    *whole, torn = (torn + part).split(b"\n")
                    lines += whole
                self.offset = file.tell() - len(torn)
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
