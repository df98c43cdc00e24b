"""Strict reading of the CSV files of a run directory.

The fast path is pandas' C reader on the whole file. Whatever it does not like is looked at again
line by line, only to say where it is: a person must be able to open the file at that line.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tidemark.record.errors import UnusableRunError

LARGEST = 1e15
"""No figure of a run is larger: counts, bytes and Unix times stay exact in a float below it."""

TIME_COLUMNS = ("time_s", "elapsed_s")


@dataclass(frozen=True, slots=True)
class Layout:
    """What a table must look like.

    Attributes:
        columns: The columns that must be there, in the order in which they are kept.
        text: Those of them that are text; all others are numbers that are not negative.
        never_empty: Number columns in which an empty field is an error.
        never_falling: Number columns that may not fall from one row to the next.
        optional: Number columns that older files lack; they are then empty.
    """

    columns: tuple[str, ...]
    text: tuple[str, ...] = ()
    never_empty: tuple[str, ...] = TIME_COLUMNS
    never_falling: tuple[str, ...] = ("elapsed_s",)
    optional: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that hold numbers."""
        return tuple(name for name in self.columns if name not in self.text)

    def empty(self) -> pd.DataFrame:
        """A table of this layout without a row."""
        return pd.DataFrame(
            {
                name: pd.Series(dtype="category" if name in self.text else "float64")
                for name in self.columns
            }
        )


def read_table(path: Path, layout: Layout) -> pd.DataFrame:
    """Read a CSV file that was appended to line by line.

    A torn last line is dropped. Columns that the layout does not name are ignored.

    Args:
        path: The file.
        layout: What it must look like.

    Returns:
        The columns of the layout; numbers as float64 with NaN for empty fields, text as category.

    Raises:
        UnusableRunError: The file cannot be read or does not follow the layout.
    """
    data = whole_lines(path)
    header = _header(path, data, layout)
    if data.count(b"\n") == 1:
        return layout.empty()
    frame = _parse(path, data, header, layout)
    _check_numbers(path, frame, layout)
    return frame


def whole_lines(path: Path) -> bytes:
    """The content of a file up to the last line that was finished.

    Raises:
        UnusableRunError: The file cannot be read, or holds no finished line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnusableRunError(
            path, f"cannot be read ({error.strerror})", "check that it exists and is readable"
        ) from error
    end = data.rfind(b"\n") + 1
    if end == 0:
        what = "is empty" if not data else "holds no finished line"
        raise UnusableRunError(path, what, "record the run again")
    return data if end == len(data) else data[:end]


def _header(path: Path, data: bytes, layout: Layout) -> list[str]:
    line = data[: data.index(b"\n")]
    try:
        header = next(csv.reader([line.decode("utf-8-sig").rstrip("\r")]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableRunError(
            f"{path}, line 1", "is not a CSV header", "is this a run's file?"
        ) from error
    missing = [
        name for name in layout.columns if name not in header and name not in layout.optional
    ]
    if missing:
        raise UnusableRunError(
            f"{path}, line 1",
            f"the column {missing[0]!r} is missing",
            "record the run with the sampler of this version",
        )
    if len(set(header)) != len(header):
        raise UnusableRunError(f"{path}, line 1", "a column appears twice", "mend the header")
    return header


def _parse(path: Path, data: bytes, header: list[str], layout: Layout) -> pd.DataFrame:
    separators = data.count(b",")
    regular = b'"' not in data and separators == data.count(b"\n") * (len(header) - 1)
    second = data[data.index(b"\n") + 1 :].split(b"\n", 1)[0] if regular else b""
    if not regular or second.count(b",") != len(header) - 1:
        _diagnose(path, data, header, layout)
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            header=0,
            names=header,
            dtype={name: "float64" for name in layout.numbers if name in header}
            | {name: "category" for name in header if name not in layout.numbers},
            keep_default_na=False,
            na_values={name: [""] for name in layout.numbers if name in header},
            encoding="utf-8",
            skip_blank_lines=False,
        )
    except (
        ValueError,
        OverflowError,
    ) as error:  # ParserError and UnicodeDecodeError are ValueError
        _diagnose(path, data, header, layout)
        message = " ".join(str(error).split())
        raise UnusableRunError(
            path, f"is not a table ({message})", "record the run again"
        ) from error
    for name in set(layout.columns) - set(header):
        frame[name] = np.nan
    return frame[list(layout.columns)]


def _check_numbers(path: Path, frame: pd.DataFrame, layout: Layout) -> None:
    for name in layout.numbers:
        values = frame[name].to_numpy()
        with np.errstate(invalid="ignore"):
            wrong = (values < 0) | (values > LARGEST)
        _refuse(path, wrong, name, "is negative or too large to be true", values)
        if name in layout.never_empty:
            _refuse(path, np.isnan(values), name, "is empty", values)
        if name in layout.never_falling:
            known = np.where(np.isnan(values), -np.inf, values)
            highest = np.maximum.accumulate(known)
            with np.errstate(invalid="ignore"):
                fell = values < highest
            verb = (
                "runs backwards" if name in TIME_COLUMNS else "falls, though it is a running total"
            )
            _refuse(path, fell, name, verb, values)


def _refuse(
    path: Path, wrong: NDArray[np.bool_], name: str, what: str, values: NDArray[np.float64]
) -> None:
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    shown = "" if np.isnan(values[row]) else f" ({values[row]:g})"
    raise UnusableRunError(
        f"{path}, line {row + 2}", f"{name} {what}{shown}", "mend the line or remove it"
    )


def _diagnose(path: Path, data: bytes, header: list[str], layout: Layout) -> None:
    """Say which line is wrong; return if every line is well formed after all."""
    lines = data.split(b"\n")
    for number, line in enumerate(lines[1:-1], start=2):
        fault = _fault(line, header, layout)
        if fault:
            raise UnusableRunError(f"{path}, line {number}", fault, "mend the line or remove it")


def _fault(line: bytes, header: list[str], layout: Layout) -> str | None:
    try:
        fields = next(csv.reader([line.decode("utf-8").rstrip("\r")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return "is not a line of a CSV file in UTF-8"
    if len(fields) != len(header):
        return f"has {len(fields)} fields where the header has {len(header)}"
    row = dict(zip(header, fields, strict=True))
    for name in layout.numbers:
        if row.get(name) and not _is_number(row[name]):
            return f"{name} is {row[name][:40]!r}, which is no number"
    return None


def _is_number(text: str) -> bool:
    if "_" in text or text.strip().lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True
