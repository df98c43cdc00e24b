"""What the load generator of a run had counted when it was cut off, by the last rows it wrote."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import REQUESTS, ROUTES, Table

_TAIL_BYTES = 1 << 18
"""The rows of one tick, of a hundred routes with the longest names, and some more."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Cumulative counts.

    Attributes:
        requests: Requests that were answered or have failed.
        failures: Those of them that have failed.
        messages_accepted: Messages that were accepted; None where nobody said so.
        routes: Requests and failures by route.
    """

    requests: int = 0
    failures: int = 0
    messages_accepted: int | None = None
    routes: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read it of a run directory.

        Raises:
            UnusableRunError: A row cannot be read.
        """
        row = last_row(folder, REQUESTS)
        if not row:
            return cls()
        requests, failures = _count(row, "requests") or 0, _count(row, "failures") or 0
        accepted = _count(row, "messages_accepted")
        return cls(requests, failures, accepted, _routes(folder, requests, failures))


def _routes(folder: Path, requests: int, failures: int) -> dict[str, tuple[int, int]]:
    """The counts of the routes, whose sums are those of all.

    requests.csv is written first: where the last tick of routes.csv is missing, what that tick
    brought is counted to the route that has most.
    """
    rows = list(_last_rows(folder, ROUTES))
    last = rows[-1]["elapsed_s"] if rows else ""
    found = {
        row["route"]: (_count(row, "requests") or 0, _count(row, "failures") or 0)
        for row in rows
        if row["elapsed_s"] == last
    }
    if found:
        main = max(found, key=lambda name: found[name][0])
        more, failed = found[main]
        more += max(requests - sum(one for one, _ in found.values()), 0)
        failed += max(failures - sum(one for _, one in found.values()), 0)
        found[main] = more, failed
    return found


def last_row(folder: Path, table: Table) -> dict[str, str]:
    """The last whole row of a table; empty if there is none.

    Raises:
        UnusableRunError: Its times cannot be read.
    """
    *_, row = [{}, *_last_rows(folder, table)]
    for name in table.never_empty if row else ():
        try:
            float(row[name])
        except ValueError as error:
            raise _unreadable(folder / table.file) from error
    return row


def _last_rows(folder: Path, table: Table) -> Iterator[dict[str, str]]:
    """The last whole rows of a table, by column; of a row that was torn nothing."""
    try:
        with (folder / table.file).open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            begin = max(size - _TAIL_BYTES, 0)
            file.seek(begin)
            text = file.read()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(folder / table.file) from error
    lines = text[: text.rfind(b"\n") + 1].decode("utf-8", "replace").splitlines()
    for fields in csv.reader(lines[1:]):  # the header, or a line that began before
        if len(fields) == len(table.columns):
            yield dict(zip(table.columns, fields, strict=True))


def _count(row: dict[str, str], name: str) -> int | None:
    try:
        return int(row[name]) if row[name] else None
    except ValueError as error:
        raise UnusableRunError(name, f"is no count: {row[name][:40]!r}", "mend the line") from error


def _unreadable(path: Path) -> UnusableRunError:
    return UnusableRunError(path, "ends with a row that cannot be read", "remove the line")
