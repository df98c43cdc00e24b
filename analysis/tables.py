"""Strict reading of the CSV files of a run directory.

The fast path is pandas' C reader on the whole file. Whatever it does not like is looked at again
line by line, only to say where it is: a person must be able to open the file at that line.
"""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tidemark.record.directory import whole_lines
from tidemark.record.errors import UnusableRunError
from tidemark.record.events import LARGEST
from tidemark.record.layout import TIME_COLUMNS, Table
from tidemark.record.objects import shown_text

LONGEST_HEADER = 4096
"""Bytes of a header, columns of later versions included."""
LONGEST_TEXT = 255
"""Characters of a text in a table that are kept."""


def empty_table(table: Table) -> pd.DataFrame:
    """A table without a row."""
    kinds = {name: "category" if name in table.text else "float64" for name in table.columns}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


def read_table(folder: Path, table: Table) -> pd.DataFrame:
    """Read a CSV file of a run that was appended to line by line.

    A torn last line is dropped. Columns that the table does not have are ignored; those that
    older files lack are filled with what they mean there.

    Args:
        folder: The run directory.
        table: Which of its files.

    Returns:
        The columns of the table; numbers as float64 with NaN for empty fields, text as category.

    Raises:
        UnusableRunError: The file cannot be read or is not such a table.
    """
    path = folder / table.file
    data = whole_lines(path)
    if not data:
        raise UnusableRunError(path, "holds no finished line", "record the run again")
    header = _header(path, data, table)
    if data.count(b"\n") == 1:
        return empty_table(table)
    frame = _parse(path, data, header, table)
    _check_numbers(path, frame, table)
    return frame


def _header(path: Path, data: bytes, table: Table) -> list[str]:
    line = data[: data.index(b"\n")]
    if len(line) > LONGEST_HEADER:
        raise UnusableRunError(
            f"{path}, line 1", "is too long for a CSV header", "is this a run's file?"
        )
    try:
        header = next(csv.reader([line.decode("utf-8-sig").rstrip("\r")]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableRunError(
            f"{path}, line 1", "is not a CSV header", "is this a run's file?"
        ) from error
    missing = [name for name in table.columns if name not in header and name not in table.added]
    if missing:
        raise UnusableRunError(
            f"{path}, line 1",
            f"the column {missing[0]!r} is missing",
            "record the run with the sampler of this version",
        )
    if len(set(header)) != len(header):
        raise UnusableRunError(f"{path}, line 1", "a column appears twice", "mend the header")
    return header


def _parse(path: Path, data: bytes, header: list[str], table: Table) -> pd.DataFrame:
    separators = data.count(b",")
    regular = (
        b'"' not in data
        and b"\0" not in data
        and separators == data.count(b"\n") * (len(header) - 1)
    )
    second = data[data.index(b"\n") + 1 :].split(b"\n", 1)[0] if regular else b""
    if not regular or second.count(b",") != len(header) - 1:
        _diagnose(path, data, header, table)
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            header=0,
            names=header,
            dtype={name: "float64" for name in table.numbers if name in header}
            | {name: "category" for name in header if name not in table.numbers},
            keep_default_na=False,
            na_values={name: [""] for name in table.numbers if name in header},
            encoding="utf-8",
            skip_blank_lines=False,
        )
    except (ValueError, OverflowError) as error:  # also ParserError, UnicodeDecodeError
        _diagnose(path, data, header, table)
        what = f"is not a table ({' '.join(str(error).split())})"
        raise UnusableRunError(path, what, "record the run again") from error
    for name in set(table.text) & set(header):
        frame[name] = _shown(frame[name])
    for name in set(table.columns) - set(header):
        filling = table.added[name]
        frame[name] = np.nan if filling is None else pd.Categorical([filling] * len(frame))
    return frame[list(table.columns)]


def _shown(texts: "pd.Series[Any]") -> "pd.Series[Any]":
    """Texts as they may be printed and drawn."""
    known = [str(text) for text in texts.cat.categories]  # pandas makes numbers of some
    if all(text.isprintable() and len(text) <= LONGEST_TEXT for text in known):
        return texts
    shown = {text: shown_text(text, LONGEST_TEXT) for text in known}
    return texts.astype(str).map(shown).astype("category")


def _check_numbers(path: Path, frame: pd.DataFrame, table: Table) -> None:
    for name in table.numbers:
        values = frame[name].to_numpy()
        with np.errstate(invalid="ignore"):
            wrong = (values < 0) | (values > LARGEST)
        _refuse(path, wrong, name, "is negative or too large to be true", values)
        if name in table.never_empty:
            _refuse(path, np.isnan(values), name, "is empty", values)
        if name in table.never_falling:
            _check_order(path, frame, table, name)


def _check_order(path: Path, frame: pd.DataFrame, table: Table, name: str) -> None:
    """Refuse a number that falls: from one row to the next, or to the next of the same target."""
    values = frame[name].to_numpy()
    fell, whose = _fallen(values), ""
    if table.each and fell.any():
        of_each = frame[table.each].cat
        order = np.argsort(of_each.codes.to_numpy(), kind="stable")
        rows = np.split(order, np.flatnonzero(np.diff(of_each.codes.to_numpy()[order])) + 1)
        for own in rows:
            fell[own] = _fallen(values[own])
        if len(rows) > 1:
            whose = f" of {table.each} {frame[table.each].iloc[int(np.argmax(fell))]}"
    verb = "runs backwards" if name in TIME_COLUMNS else "falls, though it is a running total"
    _refuse(path, fell, name + whose, verb, values)


def _fallen(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which figures are lower than one before them."""
    highest = np.maximum.accumulate(np.where(np.isnan(values), -np.inf, values))
    with np.errstate(invalid="ignore"):
        return np.asarray(values < highest)


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table in the order of `elapsed_s`; those of one time stay as they were.

    A file may hold the rows of several targets one after the other, as when those of other hosts
    were fetched later.
    """
    elapsed_s = frame["elapsed_s"].to_numpy()
    if not _fallen(elapsed_s).any():
        return frame
    return frame.iloc[np.argsort(elapsed_s, kind="stable")].reset_index(drop=True)


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


def _diagnose(path: Path, data: bytes, header: list[str], table: Table) -> None:
    """Say which line is wrong; return if every line is well formed after all."""
    for number, line in enumerate(data.split(b"\n")[1:-1], start=2):
        fault = _fault(line, header, table)
        if fault:
            raise UnusableRunError(f"{path}, line {number}", fault, "mend the line or remove it")


def _fault(line: bytes, header: list[str], table: Table) -> str | None:
    if b"\0" in line:
        return "holds a NUL byte"
    try:
        fields = next(csv.reader([line.decode("utf-8").rstrip("\r")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return "is not a line of a CSV file in UTF-8"
    if len(fields) != len(header):
        return f"has {len(fields)} fields where the header has {len(header)}"
    row = dict(zip(header, fields, strict=True))
    for name in table.numbers:
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
