"""The rows of a table dealt out to their targets, on disk: the first half of a compaction.

A table has the rows of all targets one after the other at every tick; a target's are wanted
together. Blocks of rows are cut up by target and appended to a file for each, so that memory holds
one block however many targets there are, and no file is kept open. Texts are numbered.
"""

import contextlib
import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from tidemark.analysis.tables import Block
from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import KERNEL_PID, Table

_HEAD = struct.Struct("<II")
"""What stands before the rows of a target in one block: their number, and the bytes that follow."""
_CODEC = "lz4"
_EMPTY = np.uint64(0x7FF8000000000000)

Rows = NDArray[np.float64]
"""A row for each column but the target's: they lie together, and pack well so."""


@dataclass
class Tally:
    """What is known of the rows of a target, to hold what was written against.

    Attributes:
        number: In which place the target was first met.
        rows: How many there are.
        sums: The bits of each column, summed: the same whatever the order of the rows.
        last_s: `elapsed_s` of the last one that came.
        until_s: The latest of a process's; None where there is none.
        is_sorted: Whether they have come in the order of time.
    """

    number: int
    sums: NDArray[np.uint64]
    rows: int = 0
    last_s: float = 0.0
    until_s: float | None = None
    is_sorted: bool = True

    def add(self, rows: Rows) -> None:
        """Count rows in."""
        self.rows += rows.shape[1]
        self.sums += checksums(rows)


def checksums(rows: Rows) -> NDArray[np.uint64]:
    """The bits of each column, summed (modulo 2**64); what is empty counts alike."""
    bits = np.where(np.isnan(rows), _EMPTY, rows.view(np.uint64))
    with np.errstate(over="ignore"):
        return np.asarray(bits.sum(axis=1, dtype=np.uint64))


@dataclass
class Spill:
    """The rows of a table, a file for each target.

    Attributes:
        folder: Where the files are.
        table: Whose rows they are.
        tallies: By target, in the order in which they were met.
        words: The texts of each text column, in the order of their numbers.
    """

    folder: Path
    table: Table
    tallies: dict[str, Tally] = field(default_factory=dict)
    words: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The columns of the rows, in order."""
        return [name for name in self.table.columns if name != "target"]

    def add(self, path: Path, block: Block) -> None:
        """Deal out a block.

        Args:
            path: The file that it was read from, for messages.
            block: Its rows.

        Raises:
            UnusableRunError: The time of a target runs backwards where it may not.
            OSError: There is no room for it, or the folder cannot be written.
        """
        whose = block.frame["target"].cat
        order = np.argsort(whose.codes.to_numpy(), kind="stable")
        values = self._numbered(block.frame)[:, order]
        codes = whose.codes.to_numpy()[order]
        edges = np.flatnonzero(np.diff(codes, prepend=-1, append=-1))
        for begin, end in itertools.pairwise(edges):
            target = str(whose.categories[codes[begin]])
            self._append(path, target, values[:, begin:end], block.line + order[begin:end])

    def _numbered(self, frame: pd.DataFrame) -> Rows:
        values = np.empty((len(self.columns), len(frame)))
        for row, name in zip(values, self.columns, strict=True):
            column = frame[name]
            row[:] = self._codes(name, column) if name in self.table.text else column
        return values

    def _codes(self, name: str, column: "pd.Series[str]") -> NDArray[np.float64]:
        known = self.words.setdefault(name, {})
        numbers = [known.setdefault(str(text), len(known)) for text in column.cat.categories]
        return np.asarray(numbers, dtype=np.float64)[column.cat.codes.to_numpy()]

    def _append(self, path: Path, target: str, rows: Rows, lines: NDArray[np.int64]) -> None:
        tally = self.tallies.get(target)
        if tally is None:
            number = len(self.tallies)
            tally = Tally(number, np.zeros(len(rows), dtype=np.uint64))
            self.tallies[target] = tally
        elapsed = rows[self.columns.index("elapsed_s")]
        fell = np.diff(elapsed, prepend=tally.last_s) < 0
        if fell.any():
            tally.is_sorted = False
            if "elapsed_s" in self.table.never_falling:
                row = int(fell.argmax())
                what = f"elapsed_s of {target} runs backwards ({elapsed[row]:g})"
                where = f"{path}, line {lines[row]}"
                raise UnusableRunError(where, what, "mend the line or remove it")
        tally.last_s = float(elapsed[-1])
        living = elapsed[self._is_of_process(rows)]
        if len(living):
            tally.until_s = max(tally.until_s or 0.0, float(living.max()))
        tally.add(rows)
        packed = pa.compress(np.ascontiguousarray(rows), codec=_CODEC, asbytes=True)
        with self.file(target).open("ab") as file:
            file.write(_HEAD.pack(rows.shape[1], len(packed)) + packed)

    def _is_of_process(self, rows: Rows) -> NDArray[np.bool_]:
        if "pid" not in self.columns:
            return np.ones(rows.shape[1], dtype=np.bool_)
        return np.asarray(rows[self.columns.index("pid")] != KERNEL_PID)

    def file(self, target: str) -> Path:
        """Where the rows of a target are."""
        return self.folder / f"{self.tallies[target].number}.rows"

    def read(self, target: str, most_rows: int) -> Iterator[Rows]:
        """The rows of a target as they were added, some `most_rows` at a time.

        All at once where they must be put in order first.
        """
        tally = self.tallies[target]
        held: list[Rows] = []
        for rows in self._read(target):
            held.append(rows)
            if tally.is_sorted and sum(one.shape[1] for one in held) >= most_rows:
                yield np.concatenate(held, axis=1)
                held = []
        if held:
            whole = np.concatenate(held, axis=1)
            if not tally.is_sorted:
                elapsed = whole[self.columns.index("elapsed_s")]
                whole = whole[:, np.argsort(elapsed, kind="stable")]
            yield whole

    def _read(self, target: str) -> Iterator[Rows]:
        width = len(self.columns)
        with self.file(target).open("rb") as file:
            while head := file.read(_HEAD.size):
                count, size = _HEAD.unpack(head)
                packed = file.read(size)
                data = pa.decompress(packed, count * width * 8, codec=_CODEC, asbytes=True)
                yield np.frombuffer(data, dtype=np.float64).reshape(width, count)

    def drop(self, target: str) -> None:
        """Give back the room of a target's rows."""
        with contextlib.suppress(FileNotFoundError):
            self.file(target).unlink()

    def texts(self, name: str) -> Sequence[str]:
        """The texts of a column, in the order of their numbers."""
        return list(self.words.get(name, {}))
