"""What is added to a file of a run, looked for again and again: whole lines, each of them once.

Lenient where the analysis is strict: a line that makes no sense is left out here, and it is the
verdict beside the picture that says what is wrong with it.
"""

import csv
import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from tidemark.record.errors import UnusableRunError
from tidemark.record.events import LARGEST
from tidemark.record.layout import Table
from tidemark.record.stream import place_after

MOST_BYTES = 4 << 20
"""So much of a file is read at once; what is beyond it is left to the next look."""


class FileTail:
    """The whole lines that are added to a file.

    Args:
        path: The file; it need not exist yet.

    Attributes:
        offset: How far it was read, bytes: to the end of a line.
        size: How long it was when it was last looked at, bytes.
        times_begun: How often it was found to have been begun anew.
    """

    def __init__(self, path: Path) -> None:
        self.offset = self.size = self.times_begun = 0
        self._path = path
        self._inode: int | None = None
        self._last = b""

    @property
    def is_behind(self) -> bool:
        """Whether there was more of it than has been read, a torn last line aside."""
        return self._left > 0

    _left = 0

    def read(self, most_bytes: int = MOST_BYTES) -> bytes:
        """The next whole lines; empty while there are none.

        Raises:
            UnusableRunError: The file cannot be read, or is no regular file.
        """
        self._left = 0
        try:
            with open(self._path, "rb", opener=_open_at_once) as file:
                self._look_at(file)
                file.seek(self.offset)
                data = file.read(most_bytes)
        except FileNotFoundError:
            return b""
        except OSError as error:
            what = f"cannot be read ({error.strerror})"
            raise UnusableRunError(self._path, what, "check that it is readable") from error
        whole = data.rfind(b"\n") + 1
        is_endless = not whole and len(data) == most_bytes  # no line of a run is so long
        self.offset += len(data) if is_endless else whole
        if len(data) == most_bytes:
            self._left = self.size - self.offset
        if whole:
            self._last = data[data.rfind(b"\n", 0, whole - 1) + 1 : whole - 1]
        return data[:whole]

    def give_back(self, data: bytes, count: int) -> None:
        """The last so many bytes of what was read are to be read again."""
        self.offset -= count
        read = data[: len(data) - count]
        self._last = read[read.rfind(b"\n", 0, len(read) - 1) + 1 : len(read) - 1]

    def _look_at(self, file: BinaryIO) -> None:
        """Another file in its place was thinned, and goes on after what was read, or is new."""
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise UnusableRunError(
                self._path, "is not a regular file", "put the file of the run back"
            )
        if found.st_size < self.offset or self._inode not in {None, found.st_ino}:
            place = place_after(file, self._last) if self._last else None
            self.offset = place or 0
            self.times_begun += place is None
        self._inode, self.size = found.st_ino, found.st_size


def _open_at_once(path: str, flags: int) -> int:
    """A FIFO would let its reader wait for ever."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


class TableTail:
    """The rows that are added to a table of a run.

    A tick that has several rows is handed out as a whole.

    Args:
        folder: The run directory.
        table: Which of its tables.
        columns: Those that are wanted; one that the file lacks is NaN, or what `Table.added` says.
    """

    def __init__(self, folder: Path, table: Table, columns: Sequence[str]) -> None:
        self.file = FileTail(folder / table.file)
        self._table = table
        self._columns = list(columns)
        self._header = b""
        self._begun = 0

    def read(self, most_bytes: int = MOST_BYTES) -> pd.DataFrame | None:
        """The next rows in the order of time; None while there are none.

        Raises:
            UnusableRunError: The file cannot be read, or is no regular file.
        """
        data = self.file.read(most_bytes)
        if self.file.times_begun != self._begun:
            self._begun, self._header = self.file.times_begun, b""
        if not data:
            return None
        if not self._header:
            end = data.index(b"\n") + 1
            self._header, data = data[:end], data[end:]
        if self.file.offset < self.file.size:  # its last tick may have more rows
            torn = len(data) - _end_of_whole_ticks(data)
            if torn < len(data):
                self.file.give_back(data, torn)
                data = data[: len(data) - torn]
        return self._parsed(data) if data else None

    def _parsed(self, data: bytes) -> pd.DataFrame | None:
        there = _names(self._header)
        wanted = [name for name in self._columns if name in there]
        texts = [name for name in wanted if name in self._table.text]
        if "elapsed_s" not in wanted or len(set(there)) < len(there):
            return None
        frame = _read(data, there, wanted, texts)
        for name in self._columns:
            if name not in there:
                frame[name] = self._table.added.get(name) or np.nan
        numbers = [name for name in wanted if name not in texts]
        values = frame[numbers].to_numpy(dtype=float)
        values[~((values >= 0) & (values <= LARGEST))] = np.nan
        frame[numbers] = values
        frame = frame[frame["elapsed_s"].notna()]
        if not frame["elapsed_s"].is_monotonic_increasing:  # several targets, several writers
            frame = frame.sort_values("elapsed_s", kind="stable")
        return frame if len(frame) else None


def _end_of_whole_ticks(data: bytes) -> int:
    """Where the last tick begins that more rows may belong to: those that begin with its times."""
    end = len(data)
    start = data.rfind(b"\n", 0, end - 1) + 1
    times = data[start:end].split(b",", 2)[:2]
    while start and data[start:end].split(b",", 2)[:2] == times:
        end, start = start, data.rfind(b"\n", 0, start - 1) + 1
    return end if data[start:end].split(b",", 2)[:2] != times else start


def _names(header: bytes) -> list[str]:
    return next(csv.reader([header.decode("utf-8-sig", "replace").strip()]), [])


def _read(data: bytes, names: list[str], wanted: list[str], texts: list[str]) -> pd.DataFrame:
    def parsed(kind: str) -> pd.DataFrame:
        return pd.read_csv(
            io.BytesIO(data),
            names=names,
            usecols=wanted,
            dtype={name: "category" if name in texts else kind for name in wanted},
            keep_default_na=False,
            na_values=[""],
            on_bad_lines="skip",
            encoding="utf-8",
            encoding_errors="replace",
            index_col=False,
        )

    try:
        return parsed("float64")
    except ValueError:  # a figure that is none
        frame = parsed("str")
        for name in set(wanted) - set(texts):
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
        return frame
