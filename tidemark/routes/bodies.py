"""Bodies of requests: a text, a file, or a file of many that are played in order."""

import csv
import datetime as dt
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemark.record.options import shown
from tidemark.routes.template import Template, Values, parse_body_template

LARGEST_BODY = 16 * 2**20
"""Bytes of a body: a request is a request, not a file."""
LARGEST_FILE = 256 * 2**20
"""Bytes of a file of bodies, which is kept in memory."""
LABELLED = "{batch}"
"""A body that is the run's own: a batch of messages, each of which says which one it is."""
_FILES_OF_BODIES = {".csv", ".jsonl", ".ndjson"}


@dataclass(frozen=True, slots=True)
class Bodies:
    """What the requests of a route carry, one after the other, around again at the end.

    Attributes:
        played: the bodies; none where they are the run's own batches.
        is_json: whether they are JSON.
    """

    played: tuple[Template | bytes, ...]
    is_json: bool = False

    @property
    def are_batches(self) -> bool:
        """Whether they are the run's own batches of labelled messages."""
        return not self.played

    def at(self, number: int, values: Values) -> bytes:
        """The body of the route's request of that number, from 0."""
        body = self.played[number % len(self.played)]
        return body if isinstance(body, bytes) else body.render(values).encode()


BATCHES = Bodies((), is_json=True)


def parse_body(given: Any, folder: Path) -> Bodies:
    """The body that `body` of a route says: a text, `@FILE`, or what is sent as JSON.

    Raises:
        ValueError: what is wrong with it.
    """
    if isinstance(given, dict | list):
        return _bodies_of([json.dumps(given, default=_in_json, allow_nan=False)])
    if not isinstance(given, str):
        raise ValueError("must be a text, @FILE, a table or an array")  # noqa: TRY004
    if given == LABELLED:
        return BATCHES
    if not given.startswith("@") or given.startswith("@@"):
        return _bodies_of([given.removeprefix("@")])
    content = _content(folder / given[1:], LARGEST_BODY)
    try:
        return _bodies_of([content.decode()])
    except UnicodeDecodeError:  # whatever it is, it has no placeholders
        return Bodies((content,))


def parse_file_of_bodies(given: Any, folder: Path) -> Bodies:
    """The bodies that `bodies` of a route says: the lines of a CSV or JSON-lines file.

    Raises:
        ValueError: what is wrong with it, and in which line.
    """
    name = given[1:] if isinstance(given, str) and given.startswith("@") else ""
    path = folder / name
    if not name or path.suffix.lower() not in _FILES_OF_BODIES:
        raise ValueError("must be '@FILE.jsonl' or '@FILE.csv', a body a line")
    try:
        # With its mark of byte order taken off, which spreadsheets put there.
        text = _content(path, LARGEST_FILE).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{shown(path)} is not UTF-8") from None
    texts = list(_rows(text, path) if path.suffix.lower() == ".csv" else _lines(text, path))
    if not texts:
        raise ValueError(f"there is no body in {shown(path)}")
    return _bodies_of(texts)


def _content(path: Path, largest: int) -> bytes:
    if not path.is_file():
        raise ValueError(f"there is no file {shown(path)}")
    try:
        size = path.stat().st_size
        if size > largest:
            raise ValueError(
                f"{shown(path)} has {size / 2**20:,.0f} MiB: {largest / 2**20:.0f} at most"
            )
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{shown(path)} cannot be read: {error.strerror}") from error


def _lines(text: str, path: Path) -> Iterator[str]:
    """The lines of a JSON-lines file, each of which has to be JSON once placeholders are in it."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            if not _is_json(parse_body_template(line)):
                raise ValueError(f"{shown(path)} line {number} is not JSON")
            yield line.strip()


def _rows(text: str, path: Path) -> Iterator[str]:
    """The rows of a CSV file as JSON objects, whose keys are the names in its first line."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = reader.fieldnames or []
        if len(set(names)) < len(names) or not all(names):
            raise ValueError(f"{shown(path)} line 1: each column needs a name of its own")
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(
                    f"{shown(path)} line {reader.line_num} has not {len(names)} values"
                )
            yield json.dumps({name: _cell(value) for name, value in row.items()})
    except csv.Error as error:
        raise ValueError(f"{shown(path)} line {reader.line_num}: {error}") from error


def _cell(text: str) -> Any:
    """A cell of a CSV file: a number, true, false and null of JSON are that, all else is text."""
    try:
        value = json.loads(text, parse_constant=lambda _: text)
    except (ValueError, RecursionError):
        return text
    is_plain = value is None or (isinstance(value, int | float) and abs(value) != math.inf)
    return value if is_plain else text


def _bodies_of(texts: list[str]) -> Bodies:
    templates = [parse_body_template(text) for text in texts]
    is_json = _is_json(templates[0], only_containers=True)
    bodies: list[Template | bytes] = []
    for template in templates:
        constant = template.constant
        bodies.append(template if constant is None else constant.encode())
    return Bodies(tuple(bodies), is_json)


def _is_json(template: Template, *, only_containers: bool = False) -> bool:
    """Whether a body is JSON once its placeholders are replaced."""
    try:
        document = json.loads(template.render(Values(1, "0a1b2c3d", 1)))
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict | list) or not only_containers


def _in_json(value: Any) -> str:
    """What TOML has and JSON has not."""
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    raise ValueError("holds what JSON has not")
