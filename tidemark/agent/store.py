"""What was fetched, in the run directory, and how far it was fetched, beside it.

Both go together: whoever goes on after this process was killed cuts off what was appended without
being accounted for, and fetches it again.
"""

import contextlib
import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from tidemark.record.clock import Instant
from tidemark.record.directory import RunDirectory, write_file
from tidemark.record.errors import DiskFullError
from tidemark.record.event_lines import encode
from tidemark.record.events import Event
from tidemark.record.layout import COMPOSITION, ENDPOINTS, SAMPLES
from tidemark.record.objects import parse_object
from tidemark.record.retention import Retention
from tidemark.record.thinning import Thinner

TABLES = {table.file: table for table in (SAMPLES, COMPOSITION, ENDPOINTS)}
STATE = ".agents.json"

Offsets = dict[str, int]


class Store:
    """The only writer of the tables of a run; threads may share it.

    Args:
        directory: The run directory, which exists.
        retain: How densely the tables are kept as they age; None: as they are fetched.

    Raises:
        RunDirectoryError: A file cannot be written.
    """

    def __init__(self, directory: RunDirectory, retain: Retention | None = None) -> None:
        self._lock = threading.Lock()
        self._path = directory.file(STATE)
        self._state = _read(self._path)
        for name, size in self._state.get("sizes", {}).items():
            _cut(directory.file(name), size)
        self._events = directory.events_writer()
        self._tables = {name: directory.writer(table) for name, table in TABLES.items()}
        self._thinners = {
            name: Thinner(writer, retain) for name, writer in self._tables.items() if retain
        }

    def offsets(self, target: str, agent: str) -> Offsets:
        """How far the files of a recording were fetched, by name; from the beginning if never."""
        known = self._state.get("agents", {}).get(target, {})
        return dict(known.get("offsets", {})) if known.get("agent") == agent else {}

    def reached(self, target: str, name: str) -> Instant | None:
        """When the last row of a table is that was fetched of a target; None if none was."""
        known = self._state.get("reached", {}).get(target, {}).get(name)
        return Instant(*known) if known else None

    def append(
        self,
        name: str,
        rows: Iterable[Mapping[str, str]],
        target: str,
        agent: str,
        offsets: Offsets,
        *,
        reached: Instant,
    ) -> None:
        """Append rows to a table, and note how far its recording was fetched by then.

        Args:
            name: Of the table.
            rows: What is appended.
            target: The id here of whose recording it is.
            agent: Which recording of its.
            offsets: How far it was fetched, by file.
            reached: When the last row of this table is, which the next one must not be before.

        Raises:
            DiskFullError: There is no room; nothing was appended.
            RunDirectoryError: It cannot be written.
        """
        with self._lock:
            self._tables[name].append_all(rows)
            self._state.setdefault("reached", {}).setdefault(target, {})[name] = [*astuple(reached)]
            if name in self._thinners:
                self._thinners[name].step(reached.elapsed_s)
            # A table that was replaced is smaller than what was noted, and nothing was added to it.
            self._note(target, agent, offsets)

    def tell(
        self, events: Iterable[tuple[Instant, Event]], target: str, agent: str, offsets: Offsets
    ) -> None:
        """Append events, each at most once; raises as `append` does."""
        with self._lock:
            self._note(target, agent, offsets)
            for instant, event in events:
                self._events.append(encode(instant, event))

    def say(self, instant: Instant, event: Event) -> None:
        """Append an event of the run's own; on a full disk it is lost."""
        with self._lock, contextlib.suppress(DiskFullError):
            self._events.append(encode(instant, event))

    def _note(self, target: str, agent: str, offsets: Offsets) -> None:
        agents = self._state.setdefault("agents", {})
        agents[target] = {"agent": agent, "offsets": dict(offsets)}
        self._state["sizes"] = {
            name: writer.path.stat().st_size for name, writer in self._tables.items()
        }
        write_file(self._path, json.dumps(self._state).encode())

    def close(self) -> None:
        """Close the files, and forget how far they were fetched: the run is over."""
        self._path.unlink(missing_ok=True)
        for thinner in self._thinners.values():
            thinner.close()
        for writer in (self._events, *self._tables.values()):
            writer.close()


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse_object(path.read_bytes()) or {}
    except FileNotFoundError:
        return {}


def _cut(path: Path, size: int) -> None:
    if path.stat().st_size > size:
        os.truncate(path, size)
