"""A run directory, read into memory."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from tidemark.analysis import units
from tidemark.analysis.tables import empty_table, read_table
from tidemark.record import layout
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import UnusableRunError
from tidemark.record.events import Event, Recorded, of_kind
from tidemark.record.layout import Table
from tidemark.record.metadata import RunMetadata

Kind = TypeVar("Kind", bound=Event)

LONGEST_NAME = 60
"""What a run is called is cut to so many characters: it stands in titles, tables and labels."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that a run recorded.

    Attributes:
        path: The run directory.
        metadata: The content of run.json.
        samples: samples.csv; never empty.
        composition: composition.csv; without rows where it was not recorded.
        requests: requests.csv; without rows where it was not recorded.
        routes: routes.csv; without rows where it was not recorded.
        endpoints: endpoints.csv; without rows where it was not recorded.
        events: events.jsonl in the order of `elapsed_s`; empty where it was not recorded.
    """

    path: Path
    metadata: RunMetadata
    samples: pd.DataFrame
    composition: pd.DataFrame
    requests: pd.DataFrame
    routes: pd.DataFrame
    endpoints: pd.DataFrame
    events: tuple[Recorded[Any], ...] = ()

    @property
    def name(self) -> str:
        """The name of the run: that of its directory."""
        return self.path.resolve().name

    @property
    def strategy(self) -> str:
        """What was run; the name of the directory where run.json does not say."""
        return units.shortened(self.metadata.strategy or self.name, LONGEST_NAME)

    @property
    def outcome(self) -> str:
        """How the run ended, one of `tidemark.record.metadata.OUTCOMES`."""
        return self.metadata.outcome

    @property
    def is_reference(self) -> bool:
        """Whether the service is known to be clean: others are measured against it."""
        return self.metadata.raw.get("reference") is True

    @property
    def started_at(self) -> dt.datetime | None:
        """When the run began, UTC."""
        return self.metadata.started_at

    @property
    def duration_s(self) -> float:
        """Seconds from the beginning of the run to its last row."""
        last = float(self.samples["elapsed_s"].iloc[-1])
        if len(self.requests):
            last = max(last, float(self.requests["elapsed_s"].iloc[-1]))
        return last

    def events_of(self, kind: type[Kind]) -> list[Recorded[Kind]]:
        """The events of one type, in order of time."""
        return of_kind(self.events, kind)

    def first(self, kind: type[Kind]) -> Recorded[Kind] | None:
        """The first event of a type."""
        return next(iter(self.events_of(kind)), None)


def load_run(path: Path) -> Run:
    """Read a run directory.

    Only run.json and samples.csv must be there.

    Raises:
        UnusableRunError: It is no run directory, or a file in it is malformed.
    """
    path = Path(path)
    if not path.is_dir():
        raise UnusableRunError(path, "is not a directory", "name a run directory")
    directory = RunDirectory(path)
    metadata = directory.read_metadata()
    if metadata.raw.get("watched") is False:
        what = "no process was watched (--no-target), so there is no verdict"
        raise UnusableRunError(path, what, "name the process with --target-pid next time")
    samples = read_table(path, layout.SAMPLES)
    if not len(samples):
        raise UnusableRunError(
            path / layout.SAMPLES.file, "holds no sample", "let the run last longer"
        )
    return Run(
        path=path,
        metadata=metadata,
        samples=samples.astype({"pid": "int64"}),
        composition=_optional(path, layout.COMPOSITION),
        requests=_optional(path, layout.REQUESTS),
        routes=_optional(path, layout.ROUTES),
        endpoints=_optional(path, layout.ENDPOINTS),
        events=directory.read_events(),
    )


def _optional(path: Path, table: Table) -> pd.DataFrame:
    return read_table(path, table) if (path / table.file).exists() else empty_table(table)


def runs_in(folder: Path) -> list[Path]:
    """The run that a folder is, or the runs that it holds."""
    if (folder / layout.RUN_JSON).exists() or not folder.is_dir():
        return [folder]
    held = sorted(path.parent for path in folder.glob(f"*/{layout.RUN_JSON}"))
    return held or [folder]
