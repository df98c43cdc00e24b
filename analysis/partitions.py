"""Tables of a run that have been compacted: Parquet, a folder for each target.

    samples.parquet/contents.json                      whose rows are where
    samples.parquet/target=api%2F7/part-0.parquet      those of one target, in the order of time

Any reader of Hive partitions (pyarrow.dataset, DuckDB, Spark) takes the Parquet files of such a
folder as one table with the column `target`. We go by contents.json, so that no name of a folder
must be read back. Where the CSV file is still there, it is the truth: a table that was made of
another state of it is not read.

pyarrow is imported where it is needed: only who has compacted a run must have it.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tidemark.analysis.tables import empty_table
from tidemark.record.directory import read_regular
from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import Table
from tidemark.record.objects import parse_object

FORMAT = 1
"""The version of contents.json that is written and read."""
CONTENTS = "contents.json"
MOST_CONTENTS_BYTES = 64 << 20
"""It is not larger: a line for each of some 100,000 targets."""
AGAIN = "compact the run again"


@dataclass(frozen=True, slots=True)
class Source:
    """The state of a CSV file: another one is told by it.

    Attributes:
        bytes: Its size.
        mtime_s: When it was last written, whole seconds.
    """

    bytes: int
    mtime_s: int

    @classmethod
    def of(cls, path: Path) -> "Source":
        """That of a file. Raises OSError where there is none."""
        found = path.stat()
        return cls(found.st_size, int(found.st_mtime))


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one target.

    Attributes:
        folder: The name of its folder.
        rows: How many there are.
        until_s: `elapsed_s` of the last row of a process; None where there is none.
    """

    folder: str
    rows: int
    until_s: float | None


@dataclass(frozen=True, slots=True)
class Partitions:
    """A compacted table.

    Attributes:
        path: Its folder.
        table: Which table it is.
        source: The CSV file that it was made of.
        parts: By target, in the order of their ids.
    """

    path: Path
    table: Table
    source: Source
    parts: Mapping[str, Part]

    @property
    def rows(self) -> int:
        """The rows of all targets."""
        return sum(part.rows for part in self.parts.values())

    def contents(self) -> dict[str, Any]:
        """What contents.json says."""
        return {
            "format": FORMAT,
            "table": self.table.file,
            "source": asdict(self.source),
            "targets": {target: asdict(part) for target, part in self.parts.items()},
        }

    def files(self, target: str) -> list[Path]:
        """The files of a target.

        Raises:
            UnusableRunError: There is none.
        """
        folder = self.path / self.parts[target].folder
        files = sorted(folder.glob("*.parquet"))
        if not files:
            raise UnusableRunError(folder, "holds no Parquet file", AGAIN)
        return files

    def read(self, target: str | None = None) -> pd.DataFrame:
        """The rows of one target, or of all in the order of time, as `read_table` gives them.

        Raises:
            UnusableRunError: A file is missing or no such table.
        """
        if target is not None:
            held = [target] if target in self.parts else []
        else:
            held = list(self.parts)
        frames = [self._read_one(one) for one in held]
        if not frames:
            return empty_table(self.table)
        if len(frames) == 1:
            return frames[0]
        whole = pd.concat(
            [frame.astype(dict.fromkeys(self.table.text, "object")) for frame in frames],
            ignore_index=True,
        ).sort_values("elapsed_s", kind="stable", ignore_index=True)
        return whole.astype(dict.fromkeys(self.table.text, "category"))

    def _read_one(self, target: str) -> pd.DataFrame:
        import pyarrow as pa  # noqa: PLC0415 - see above
        from pyarrow import parquet  # noqa: PLC0415

        wanted = [name for name in self.table.columns if name != "target"]
        columns: dict[str, Any] = {}
        try:
            parts = [parquet.ParquetFile(file).read(wanted) for file in self.files(target)]
            read = pa.concat_tables(parts)
            for name in self.table.columns:
                columns[name] = _values(read, name, self.table, target)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            folder = self.path / self.parts[target].folder
            what = f"is not readable as {self.table.file} ({' '.join(str(error).split())[:120]})"
            raise UnusableRunError(folder, what, AGAIN) from error
        if read.num_rows != self.parts[target].rows:
            what = f"holds {read.num_rows} rows of {self.parts[target].rows}"
            raise UnusableRunError(self.path / self.parts[target].folder, what, AGAIN)
        return pd.DataFrame(columns)


def _values(read: Any, name: str, table: Table, target: str) -> Any:
    """The values of a column; one of a later version is empty, as in an older CSV file."""
    if name == "target":
        return _all_alike(target, read.num_rows)
    if name not in read.column_names and name in table.added:
        filling = table.added[name]
        return np.nan if filling is None else _all_alike(filling, read.num_rows)
    column = read.column(name)
    if name in table.text:
        texts = column.dictionary_encode().to_pandas()
        return texts.cat.reorder_categories(sorted(texts.cat.categories))
    return column.cast("float64").to_numpy()


def _all_alike(text: str, rows: int) -> Any:
    return pd.Categorical.from_codes(
        np.zeros(rows, dtype=np.int8), dtype=pd.CategoricalDtype([text])
    )


def folder_of(run: Path, table: Table) -> Path:
    """Where a table of a run is kept once it is compacted."""
    return run / f"{Path(table.file).stem}.parquet"


def find_partitions(run: Path, table: Table) -> Partitions | None:
    """A table of a run that has been compacted, unless its CSV file is in another state by now.

    Raises:
        UnusableRunError: It says what cannot be read.
    """
    folder = folder_of(run, table)
    if not os.path.lexists(folder / CONTENTS):
        return None
    found = read_contents(folder, table)
    try:
        is_current = Source.of(run / table.file) == found.source
    except OSError:
        is_current = not os.path.lexists(run / table.file)
    return found if is_current else None


def read_contents(folder: Path, table: Table) -> Partitions:
    """What the contents.json of a compacted table says.

    Raises:
        UnusableRunError: It cannot be read.
    """
    path = folder / CONTENTS
    raw = parse_object(read_regular(path, MOST_CONTENTS_BYTES))
    try:
        if raw is None or raw["format"] != FORMAT or raw["table"] != table.file:
            raise ValueError(raw)  # noqa: TRY301 - told as all else that is wrong with it
        source = Source(**{name: int(raw["source"][name]) for name in ("bytes", "mtime_s")})
        parts = {
            target: Part(_inside(part["folder"]), int(part["rows"]), _seconds(part["until_s"]))
            for target, part in raw["targets"].items()
        }
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        what = f"is not the list of what {table.file} was compacted to"
        raise UnusableRunError(path, what, AGAIN) from error
    return Partitions(folder, table, source, parts)


def _seconds(value: object) -> float | None:
    return None if value is None else float(str(value))


def _inside(name: str) -> str:
    """The name of a folder: a file of a run may not lead out of it."""
    if Path(name).name != name or name in {"", ".", ".."}:
        raise ValueError(name)
    return name
