"""A run's tables made into Parquet, a folder for each target: small, and read one at a time.

A table is read once from front to back, its rows dealt out to their targets (`spill`) and written
target by target, in the order of time. All of it happens in a folder beside, which takes its name
when it is whole and has been read back and found the same: row counts, and the sums of the bits of
every column, target by target. Whoever is interrupted leaves the run as it was.
"""

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from tidemark.analysis.opened import OF_TARGETS
from tidemark.analysis.partitions import (
    CONTENTS,
    Part,
    Partitions,
    Source,
    find_partitions,
    folder_of,
    read_contents,
)
from tidemark.analysis.tables import BLOCK_BYTES, read_blocks
from tidemark.fleet.errors import CompactError
from tidemark.fleet.spill import Rows, Spill, checksums
from tidemark.record import layout
from tidemark.record.directory import RunDirectory, write_file
from tidemark.record.files import explained, mode_beside
from tidemark.record.layout import Table

GROUP_ROWS = 1 << 16
"""Rows of a group: what is in memory when a target is written, or read bit by bit."""
STREAMS = (*layout.TIME_COLUMNS, "cpu_s")
"""Columns whose values hardly ever repeat."""
LONGEST_FOLDER = 200
"""Bytes of a folder's name: file systems take 255."""
_IN_THE_MAKING = ".compacting."


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of a table.

    Attributes:
        partitions: Its rows, as they are kept now.
        csv_bytes: What the CSV file takes.
        parquet_bytes: What they take.
        is_new: Whether they were made now; they may have been there already.
    """

    partitions: Partitions
    csv_bytes: int
    parquet_bytes: int
    is_new: bool


def compact(
    path: Path, *, replace: bool = False, anyway: bool = False, block_bytes: int = BLOCK_BYTES
) -> Iterator[Compacted]:
    """Compact the tables of a run, one after the other.

    Args:
        path: The run directory.
        replace: Whether the CSV files are removed, once all tables have been found whole.
        anyway: Whether a run that nobody has said the end of is compacted.
        block_bytes: How much of a file is read at once.

    Yields:
        What became of each table that the run has, as soon as it is whole. CSV files are removed
        when all are: whoever stops asking before the end keeps them.

    Raises:
        CompactError: The run has no end yet, is being compacted by somebody else, or what was
            written is not what was read.
        UnusableRunError: A file of the run cannot be read.
        RunDirectoryError: The run cannot be written.
    """
    metadata = RunDirectory(path).read_metadata()
    if metadata.ended_at is None and not anyway:
        raise CompactError(
            f"{path}: has no ended_at, so it may be written still: wait for its end, or compact "
            "what is there with --anyway"
        )
    if metadata.ended_at is None and replace:
        raise CompactError(
            f"{path}: has no ended_at, so its CSV files may be written still and are not removed: "
            "leave out --replace"
        )
    with _alone(path):
        _clear(path)
        try:
            made = []
            for table in _held(path):
                made.append(_compact_table(path, table, block_bytes))
                yield made[-1]
        finally:
            _clear(path)
        if replace:
            os.sync()  # what replaces them must be on the disk before they go
            for one in made:
                _remove_csv(path, one.partitions)


def _held(path: Path) -> list[Table]:
    """The tables that a run has, in either form.

    Raises:
        CompactError: There is nothing to compact.
    """
    held = [
        table
        for table in OF_TARGETS
        if os.path.lexists(path / table.file) or os.path.lexists(folder_of(path, table))
    ]
    if layout.SAMPLES not in held:
        raise CompactError(f"{path}: holds no {layout.SAMPLES.file}: name a run that was recorded")
    return held


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Whoever else compacts this run is kept off; the kernel lets go when this process ends."""
    with explained(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise CompactError(f"{path}: is being compacted already: wait for that") from error
    try:
        yield
    finally:
        os.close(descriptor)


def _clear(path: Path) -> None:
    """Remove what somebody has left who did not live to finish."""
    for left in path.glob(f"{_IN_THE_MAKING}*"):
        with explained(left):
            shutil.rmtree(left)


def _compact_table(path: Path, table: Table, block_bytes: int) -> Compacted:
    there = find_partitions(path, table)
    if there is not None:
        return Compacted(there, there.source.bytes, _size(there.path), is_new=False)
    csv, work = path / table.file, path / f"{_IN_THE_MAKING}{uuid.uuid4().hex}"
    with explained(csv):
        source = Source.of(csv)
    with explained(work):
        work.mkdir(mode=0o700)
        (work / "rows").mkdir()
    spill = Spill(work / "rows", table)
    for block in read_blocks(path, table, block_bytes):
        with explained(work):
            spill.add(csv, block)
    folder = work / "table"
    with explained(folder):
        made = _write(folder, spill, source, mode_beside(csv))
    _verify(made, spill)
    _put(folder, folder_of(path, table), work)
    partitions = read_contents(folder_of(path, table), table)
    return Compacted(partitions, source.bytes, _size(partitions.path), is_new=True)


def _write(folder: Path, spill: Spill, source: Source, mode: int) -> Partitions:
    """Write all targets and what is where; the rows that they are made of go meanwhile."""
    folder_mode = mode | (mode & 0o444) >> 2
    folder.mkdir(mode=folder_mode)
    parts: dict[str, Part] = {}
    for target, tally in sorted(spill.tallies.items()):
        name = folder_name(target)
        (folder / name).mkdir(mode=folder_mode)
        descriptor = os.open(folder / name / "part-0.parquet", os.O_WRONLY | os.O_CREAT, mode)
        with os.fdopen(descriptor, "wb") as file:
            _write_target(file, spill, target)
        spill.drop(target)
        parts[target] = Part(name, tally.rows, tally.until_s)
    made = Partitions(folder, spill.table, source, parts)
    text = json.dumps(made.contents(), indent=1, ensure_ascii=False)
    write_file(folder / CONTENTS, f"{text}\n".encode(), mode)
    return made


def _write_target(file: BinaryIO, spill: Spill, target: str) -> None:
    texts = {name: pa.array(spill.texts(name), pa.string()) for name in spill.words}
    kinds = {name: pa.string() if name in texts else pa.float64() for name in spill.columns}
    schema = pa.schema(list(kinds.items()))
    with parquet.ParquetWriter(file, schema, **encoding(spill.columns)) as writer:
        for rows in spill.read(target, GROUP_ROWS):
            columns = [
                texts[name].take(pa.array(values.astype(np.int64)))
                if name in texts
                else pa.array(values, from_pandas=True)
                for name, values in zip(spill.columns, rows, strict=True)
            ]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=2 * GROUP_ROWS)


def encoding(columns: Sequence[str]) -> dict[str, Any]:
    """How columns are packed: what never repeats by its bytes, the rest by its words.

    It halves what a file takes, and a dictionary of moments is made for nothing.
    """
    streams = [name for name in columns if name in STREAMS]
    words = [name for name in columns if name not in STREAMS]
    return {"compression": "zstd", "use_byte_stream_split": streams, "use_dictionary": words}


def _verify(made: Partitions, spill: Spill) -> None:
    """Read it back.

    Raises:
        CompactError: It is not what was read from the CSV file.
    """
    numbers = {name: spill.words[name] for name in spill.words}
    for target, tally in spill.tallies.items():
        (file,) = made.files(target)
        rows, sums = 0, np.zeros_like(tally.sums)
        with parquet.ParquetFile(file) as stored:
            for batch in stored.iter_batches(GROUP_ROWS):
                rows += batch.num_rows
                sums += checksums(_rows_of(batch, spill.columns, numbers))
        if rows != tally.rows or (sums != tally.sums).any():
            raise CompactError(
                f"{file}: is not what was written ({rows} rows of {tally.rows}): the CSV file is "
                "left as it is; check the disk and compact again"
            )


def _rows_of(batch: pa.RecordBatch, columns: list[str], numbers: dict[str, dict[str, int]]) -> Rows:
    found = np.empty((len(columns), batch.num_rows))
    for row, name in zip(found, columns, strict=True):
        column = batch.column(name)
        if name in numbers:
            packed = column.dictionary_encode()
            codes = [numbers[name].get(text, -1) for text in packed.dictionary.to_pylist()]
            row[:] = np.asarray(codes, dtype=np.float64)[packed.indices.to_numpy()]
        else:
            row[:] = column.to_numpy(zero_copy_only=False)
    return found


def _put(made: Path, place: Path, work: Path) -> None:
    """Let a folder take its name; what had it before, of an older state, goes."""
    with explained(place):
        if os.path.lexists(place):
            place.rename(work / "older")
        made.rename(place)
        shutil.rmtree(work)


def _remove_csv(path: Path, made: Partitions) -> None:
    """Remove the CSV file of a table, if it is still the one that was compacted."""
    csv = path / made.table.file
    if not os.path.lexists(csv):
        return
    with explained(csv):
        if Source.of(csv) != made.source:
            raise CompactError(f"{csv}: was written to meanwhile, and is kept: compact again")
        csv.unlink()


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def folder_name(target: str) -> str:
    """What the folder of a target is called: as Hive has it, quoted, and short enough.

    A name that had to be cut is told by its digest.
    """
    quoted = quote(target, safe="")
    if len(quoted) <= LONGEST_FOLDER:
        return f"target={quoted}"
    digest = hashlib.sha256(target.encode()).hexdigest()[:16]
    return f"target={quoted[: LONGEST_FOLDER - 20]}~{digest}"
