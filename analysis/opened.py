"""A run directory that has been opened: what is of the run as a whole is in memory, rows are not.

The rows of a target can be had without those of the others where the run has been compacted.
"""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tidemark.analysis.partitions import Partitions, find_partitions
from tidemark.analysis.tables import empty_table, in_order, read_table
from tidemark.record import layout
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import UnusableRunError
from tidemark.record.events import Event, Recorded, TargetExited, of_kind
from tidemark.record.layout import Table
from tidemark.record.metadata import RunMetadata

OF_TARGETS = (layout.SAMPLES, layout.COMPOSITION, layout.ENDPOINTS)
"""The tables that have rows of every target."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A run directory without the rows of its targets.

    Attributes:
        path: The run directory.
        metadata: The content of run.json.
        requests: requests.csv; without rows where it was not recorded.
        routes: routes.csv; without rows where it was not recorded.
        events: events.jsonl in the order of `elapsed_s`, each told once.
        compacted: By file, the tables that are read target by target.
    """

    path: Path
    metadata: RunMetadata
    requests: pd.DataFrame
    routes: pd.DataFrame
    events: tuple[Recorded[Any], ...]
    compacted: Mapping[str, Partitions]

    @property
    def is_compacted(self) -> bool:
        """Whether the samples of a target can be had without those of the others."""
        return layout.SAMPLES.file in self.compacted

    def rows(self, table: Table, target: str | None = None) -> pd.DataFrame:
        """The rows of a table: of one target where they can be had alone, else of all.

        Raises:
            UnusableRunError: They cannot be read.
        """
        if held := self.compacted.get(table.file):
            return held.read(target)
        if table is layout.SAMPLES:
            return in_order(read_table(self.path, table))
        return _optional(self.path, table)

    @property
    def sampled(self) -> tuple[str, ...]:
        """The targets that have samples; empty where that takes reading rows."""
        held = self.compacted.get(layout.SAMPLES.file)
        return tuple(held.parts) if held else ()

    @property
    def sampled_until_s(self) -> Mapping[str, float]:
        """By target, when a process of it was last sampled; empty where that takes reading rows."""
        held = self.compacted.get(layout.SAMPLES.file)
        parts = held.parts.items() if held else ()
        return {target: part.until_s for target, part in parts if part.until_s is not None}


def open_run(path: Path) -> Opened:
    """Open a run directory.

    Raises:
        UnusableRunError: It is no run directory, or a file in it is malformed.
    """
    path = Path(path)
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        raise UnusableRunError(path, "is not a directory", "name a run directory")
    directory = RunDirectory(path)
    metadata = directory.read_metadata()
    if metadata.raw.get("watched") is False:
        what = "no process was watched (--no-target), so there is no verdict"
        raise UnusableRunError(path, what, "name the process with --target-pid next time")
    found = {table.file: find_partitions(path, table) for table in OF_TARGETS}
    return Opened(
        path=path,
        metadata=metadata,
        requests=_optional(path, layout.REQUESTS),
        routes=_optional(path, layout.ROUTES),
        events=_told_once(directory.read_events()),
        compacted={file: held for file, held in found.items() if held is not None},
    )


def _optional(path: Path, table: Table) -> pd.DataFrame:
    """A table that need not be there; a link into nowhere is one that cannot be read."""
    is_there = os.path.lexists(path / table.file)
    return in_order(read_table(path, table)) if is_there else empty_table(table)


def _told_once(events: Sequence[Recorded[Event]]) -> tuple[Recorded[Event], ...]:
    """The events without an exit that somebody else told of too, and knew how it came about.

    The sampler sees that a process has gone; whoever has started it hears of what.
    """
    explained: dict[int | None, list[TargetExited]] = defaultdict(list)
    for one in of_kind(events, TargetExited):
        if _is_explained(one.event):
            explained[one.event.pid].append(one.event)
    return tuple(
        one
        for one in events
        if not isinstance(one.event, TargetExited)
        or _is_explained(one.event)
        or not any(_are_one(one.event, other) for other in explained[one.event.pid])
    )


def _are_one(exited: TargetExited, other: TargetExited) -> bool:
    """Whether both tell of one process: on two hosts, two may have the same id."""
    targets = {exited.target, other.target} - {None}
    return exited.pid == other.pid and len(targets) <= 1


def _is_explained(exited: TargetExited) -> bool:
    return exited.signal is not None or exited.exit_code is not None
