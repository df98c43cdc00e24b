"""A run directory, read into memory."""

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from tidemark.analysis import units
from tidemark.analysis.tables import empty_table, in_order, read_table
from tidemark.record import layout
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import UnusableRunError
from tidemark.record.events import Event, Recorded, SamplerLost, TargetExited, of_kind
from tidemark.record.layout import Table
from tidemark.record.metadata import RunMetadata

Kind = TypeVar("Kind", bound=Event)

LONGEST_NAME = 60
"""What a run is called is cut to so many characters: it stands in titles, tables and labels."""
MOST_PROCESSES = 1000
"""No target has more of them, one after the other included."""


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

    @property
    def counts(self) -> pd.DataFrame:
        """requests.csv as times and running totals, rows without figures left out.

        Where nobody counted failures, as in an import of a counter without a status, none is known.
        """
        rows = self.requests[["elapsed_s", "requests", "failures"]]
        is_counted = bool(rows["failures"].notna().any())
        return (rows if is_counted else rows.fillna({"failures": 0.0})).dropna()

    @property
    def counts_all_remotes(self) -> bool:
        """Whether connections to anywhere are counted: no broker was named."""
        return not self.metadata.brokers and len(self.endpoints_of(layout.REMOTE)) > 0

    def endpoints_of(self, kind: str) -> pd.DataFrame:
        """The rows of endpoints.csv of one kind, `broker` or `remote`."""
        rows = self.endpoints
        return rows[rows["kind"] == kind]

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
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a name is too long
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
    _check_processes(path / layout.SAMPLES.file, samples)
    run = Run(
        path=path,
        metadata=metadata,
        samples=in_order(samples.astype({"pid": "int64"})),
        composition=_optional(path, layout.COMPOSITION),
        requests=_optional(path, layout.REQUESTS),
        routes=_optional(path, layout.ROUTES),
        endpoints=_optional(path, layout.ENDPOINTS),
        events=_told_once(directory.read_events()),
    )
    _check_requests(run)
    return run


def _told_once(events: Sequence[Recorded[Event]]) -> tuple[Recorded[Event], ...]:
    """The events without an exit that somebody else told of too, and knew how it came about.

    The sampler sees that a process has gone; whoever has started it hears of what.
    """
    exits = of_kind(events, TargetExited)
    explained = {one.event.pid for one in exits if _is_explained(one.event)}
    repeated = [one for one in exits if one.event.pid in explained and not _is_explained(one.event)]
    return tuple(recorded for recorded in events if recorded not in repeated)


def _is_explained(exited: TargetExited) -> bool:
    return exited.signal is not None or exited.exit_code is not None


def _optional(path: Path, table: Table) -> pd.DataFrame:
    return in_order(read_table(path, table)) if _is_there(path, table) else empty_table(table)


def _is_there(path: Path, table: Table) -> bool:
    """Whether a run has such a file; a link into nowhere is one that cannot be read."""
    return os.path.lexists(path / table.file)


def _check_processes(file: Path, samples: pd.DataFrame) -> None:
    """Each process is judged by itself, which takes its time.

    Raises:
        UnusableRunError: They are too many of one target, or an id is none.
    """
    pids = samples["pid"]
    wrong = (pids % 1 != 0).to_numpy()
    if wrong.any():
        where = f"{file}, line {int(wrong.argmax()) + 2}"
        raise UnusableRunError(where, "pid is not a whole number", "mend the line or remove it")
    if pids.nunique() <= MOST_PROCESSES:
        return
    count = int(pids.groupby(samples["target"], observed=True).nunique().max())
    if count > MOST_PROCESSES:
        what = f"holds {count} processes, and more than {MOST_PROCESSES} are not judged"
        raise UnusableRunError(file, what, "watch fewer of them")


def _check_requests(run: Run) -> None:
    """What was sent must be possible, and must have been sent while samples were taken.

    A sampler that is known to be lost may not have lived to see the load.

    Raises:
        UnusableRunError: It is not so.
    """
    rows, file = run.requests, run.path / layout.REQUESTS.file
    if not len(rows):
        return
    wrong = (rows["failures"] > rows["requests"]).to_numpy()
    if wrong.any():
        where = f"{file}, line {int(wrong.argmax()) + 2}"
        raise UnusableRunError(where, "more requests failed than were sent", "mend the line")
    sampled, sent = (table["elapsed_s"].iloc[[0, -1]].to_numpy() for table in (run.samples, rows))
    if (sent[1] < sampled[0] or sampled[1] < sent[0]) and run.first(SamplerLost) is None:
        raise UnusableRunError(
            file,
            f"covers {sent[0]:g} to {sent[1]:g} s and samples.csv {sampled[0]:g} to "
            f"{sampled[1]:g} s of the run, which have nothing in common",
            "put together the files of one run",
        )


def runs_in(folder: Path) -> list[Path]:
    """The run that a folder is, or the runs that it holds."""
    if os.path.lexists(folder / layout.RUN_JSON) or not os.path.isdir(folder):  # noqa: PTH112 - as above
        return [folder]
    held = sorted(path.parent for path in folder.glob(f"*/{layout.RUN_JSON}"))
    return held or [folder]
