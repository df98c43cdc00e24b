"""A run directory, read into memory."""

import datetime as dt
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from tidemark.analysis import units
from tidemark.analysis.opened import OF_TARGETS, Opened, open_run
from tidemark.analysis.tables import empty_table
from tidemark.record import layout
from tidemark.record.errors import UnusableRunError
from tidemark.record.events import (
    Emfile,
    Event,
    Recorded,
    RunResumed,
    SamplerLost,
    TargetExited,
    TargetRestarted,
    of_kind,
)
from tidemark.record.metadata import COMPLETED, DIED, EXHAUSTED, RunMetadata, Target

Kind = TypeVar("Kind", bound=Event)

LONGEST_NAME = 60
"""What a run is called is cut to so many characters: it stands in titles, tables and labels."""
MOST_PROCESSES = 1000
"""No target has more of them, one after the other included."""
MOST_NAMED = 5
"""So many targets are named where one is not found."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that a run recorded.

    Attributes:
        path: The run directory.
        metadata: The content of run.json.
        samples: samples.csv; never empty, but of a target that was never sampled.
        composition: composition.csv; without rows where it was not recorded.
        requests: requests.csv; without rows where it was not recorded.
        routes: routes.csv; without rows where it was not recorded.
        endpoints: endpoints.csv; without rows where it was not recorded.
        events: events.jsonl in the order of `elapsed_s`; empty where it was not recorded.
        target: The only target that it tells of; None where it tells of all that there are.
        watched_until_s: Until when processes of any target on the same host were seen, by which
            the sampler is known to have lived; None where all that it saw is here.
    """

    path: Path
    metadata: RunMetadata
    samples: pd.DataFrame
    composition: pd.DataFrame
    requests: pd.DataFrame
    routes: pd.DataFrame
    endpoints: pd.DataFrame
    events: tuple[Recorded[Any], ...] = ()
    target: str | None = None
    watched_until_s: float | None = None

    @property
    def name(self) -> str:
        """The name of the run: that of its directory."""
        return self.path.resolve().name

    @property
    def strategy(self) -> str:
        """What was run; the name of the directory where run.json does not say."""
        return units.shortened(self.metadata.strategy or self.name, LONGEST_NAME)

    @property
    def title(self) -> str:
        """What was run, and which of its targets where this is about one of several."""
        if self.target is None:
            return self.strategy
        return f"{self.strategy}, {units.shortened(self.target, LONGEST_NAME)}"

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
        last = self.sampled_until_s
        if len(self.requests):
            last = max(last, float(self.requests["elapsed_s"].iloc[-1]))
        return last

    @property
    def sampled_until_s(self) -> float:
        """Until when the sampler is known to have lived."""
        last = float(self.samples["elapsed_s"].max()) if len(self.samples) else 0.0
        return last if self.watched_until_s is None else max(last, self.watched_until_s)

    @property
    def target_ids(self) -> tuple[str, ...]:
        """The ids of what was watched: those that run.json lists, then others that have samples.

        Where run.json lists no more than one, the samples alone tell: older files call their only
        target by another name.
        """
        if self.target is not None:
            return (self.target,)
        return _ids(self.metadata, [str(one) for one in self.samples["target"].unique()])

    @property
    def counts(self) -> pd.DataFrame:
        """requests.csv as times and running totals, rows without figures left out.

        Where nobody counted failures, as in an import of a counter without a status, none is known.
        """
        rows = self.requests[["elapsed_s", "requests", "failures"]]
        is_counted = bool(rows["failures"].notna().any())
        return (rows if is_counted else rows.fillna({"failures": 0.0})).dropna()

    @property
    def interruptions(self) -> tuple[tuple[float, float], ...]:
        """From when to when, in order, nobody was there: it was cut off, and gone on with later."""
        at = [float(one) for one in self.requests["elapsed_s"]] if self._resumed else []
        found: list[tuple[float, float]] = []
        for one in self._resumed:
            begin = max(one.elapsed_s - (one.event.gap_s or 0.0), 0.0)
            until = next((moment for moment in at if moment >= one.elapsed_s), one.elapsed_s)
            found.append((max(begin, found[-1][1] if found else 0.0), until))
        return tuple((begin, end) for begin, end in found if end > begin)

    @property
    def _resumed(self) -> list[Recorded[RunResumed]]:
        return of_kind(self.events, RunResumed)

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


def load_run(path: Path, target: str | None = None) -> Run:
    """Read a run directory.

    Only run.json and samples.csv must be there.

    Args:
        path: The run directory.
        target: Which of its targets is wanted; of a compacted run the rows of no other are read.

    Raises:
        UnusableRunError: It is no run directory, a file in it is malformed, or it has no such
            target.
    """
    return run_of(open_run(path), target)


def run_of(opened: Opened, target: str | None = None) -> Run:
    """Read the rows of a run that has been opened. As `load_run`."""
    if target is not None and opened.is_compacted:
        return _one_of(opened, target)
    run = replace(bare_run(opened), **_rows(opened))
    file = run.path / layout.SAMPLES.file
    if not len(run.samples):
        raise UnusableRunError(file, "holds no sample", "let the run last longer")
    _check_processes(file, run.samples)
    run = replace(run, samples=run.samples.astype({"pid": "int64"}))
    _check_requests(run)
    return run if target is None else of_target(run, target)


def bare_run(opened: Opened) -> Run:
    """A run without a row of its targets: what is of the run as a whole."""
    return Run(
        path=opened.path,
        metadata=opened.metadata,
        samples=empty_table(layout.SAMPLES),
        composition=empty_table(layout.COMPOSITION),
        requests=opened.requests,
        routes=opened.routes,
        endpoints=empty_table(layout.ENDPOINTS),
        events=opened.events,
    )


def targets_of(opened: Opened) -> tuple[str, ...]:
    """The ids of what a compacted run watched, as `Run.target_ids` has them."""
    return _ids(opened.metadata, opened.sampled)


def _one_of(opened: Opened, target: str) -> Run:
    """One target of a compacted run."""
    ids = targets_of(opened)
    _expect(opened.path, ids, target)
    whole = bare_run(opened)
    rows = _rows(opened, target)
    _check_processes(opened.path / layout.SAMPLES.file, rows["samples"])
    rows["samples"] = rows["samples"].astype({"pid": "int64"})
    run = replace(whole, **rows)
    if len(ids) > 1:
        return _narrowed(run, target, rows, opened.sampled_until_s)
    _check_requests(run)
    return run


def _rows(opened: Opened, target: str | None = None) -> dict[str, Any]:
    return {Path(one.file).stem: opened.rows(one, target) for one in OF_TARGETS}


def _ids(metadata: RunMetadata, seen: Sequence[str]) -> tuple[str, ...]:
    """See `Run.target_ids`."""
    listed = [one.id for one in metadata.targets]
    if len(listed) <= 1:
        return tuple(sorted(seen)) if len(seen) > 1 else tuple(listed or seen)
    return (*listed, *sorted(set(seen) - set(listed)))


def of_target(run: Run, target: str) -> Run:
    """What a run recorded of one of its targets, as if that had been the only one.

    Requests and routes are those of the run, which its targets share. Events that name no target
    belong to all of them.

    Raises:
        UnusableRunError: The run has no such target.
    """
    ids = run.target_ids
    _expect(run.path, ids, target)
    if len(ids) == 1:
        return run
    living = run.samples[run.samples["pid"] != layout.KERNEL_PID]
    until = living.groupby("target", observed=True)["elapsed_s"].max()
    rows = {
        "samples": _rows_of(run.samples, target),
        "composition": _rows_of(run.composition, target),
        "endpoints": _rows_of(run.endpoints, target),
    }
    return _narrowed(run, target, rows, {str(one): float(at) for one, at in until.items()})


def _expect(path: Path, ids: Sequence[str], target: str) -> None:
    if target not in ids:
        what = f"has no target {units.shortened(target, LONGEST_NAME)!r}"
        raise UnusableRunError(path, what, f"name one of {named(ids)}")


def _narrowed(run: Run, target: str, rows: Mapping[str, Any], until_s: Mapping[str, float]) -> Run:
    """A run of several targets, as if one had been the only one.

    Args:
        run: The run; its events and run.json still tell of all.
        target: The target.
        rows: Its rows, by the attribute that holds them.
        until_s: By target, when a process of it was last sampled.
    """
    told = next((one for one in run.metadata.targets if one.id == target), Target(target))
    return replace(
        run,
        **rows,
        metadata=replace(run.metadata, targets=(told,), outcome=_outcome_of(run, target)),
        events=tuple(_events_of(run, target)),
        target=target,
        watched_until_s=_watched_until_s(run, told, until_s),
    )


def named(ids: Sequence[str]) -> str:
    """The first few of a run's targets, as a message lists them."""
    shown = [units.shortened(one, LONGEST_NAME) for one in ids[:MOST_NAMED]]
    more = [f"{units.count(len(ids) - MOST_NAMED)} more"] if len(ids) > MOST_NAMED else []
    return " and ".join([", ".join(shown), *more])


def _rows_of(table: pd.DataFrame, target: str) -> pd.DataFrame:
    return table[table["target"] == target].reset_index(drop=True)


def _events_of(run: Run, target: str) -> Iterator[Recorded[Any]]:
    """What happened to a target, that another one has taken its place included."""
    roots = {True: set[int](), False: set[int]()}
    for one in run.metadata.targets:
        roots[one.id == target].update(one.pids)
    others = roots[False] - roots[True]
    for recorded in run.events:
        event = recorded.event
        if _is_about(event, target, others):
            yield recorded
        elif isinstance(event, TargetRestarted) and _is_successor(run, event, target):
            yield replace(recorded, event=replace(event, target=target))


def _is_about(event: Event, target: str, others: Collection[int]) -> bool:
    """Whether an event belongs to a target; one that names none may name another's process."""
    named = getattr(event, "target", None)
    pid = getattr(event, "pid", None)
    if named is not None or pid is None:
        return named in {None, target}
    return pid not in others


def _is_successor(run: Run, event: TargetRestarted, target: str) -> bool:
    """Whether another target's process has taken the place of one of this target."""
    rows = run.samples[run.samples["pid"] == event.former_pid]
    owners = {str(one) for one in rows["target"].unique()}
    return target in owners and event.target not in owners


def _outcome_of(run: Run, target: str) -> str:
    """How the run ended for a target: what another one died of is not its own end."""
    if run.outcome not in {DIED, EXHAUSTED}:
        return run.outcome
    ends = [one.event.target for one in run.events if isinstance(one.event, TargetExited | Emfile)]
    is_of_another = any(ends) and not {None, target} & set(ends)
    return COMPLETED if is_of_another else run.outcome


def _watched_until_s(run: Run, told: Target, until_s: Mapping[str, float]) -> float | None:
    """Until when processes of targets on the same host were seen, which one sampler watches."""
    elsewhere = {one.id for one in run.metadata.targets if one.host != told.host}
    return max((at for one, at in until_s.items() if one not in elsewhere), default=None)


def _check_processes(file: Path, samples: pd.DataFrame) -> None:
    """Each process of a target is judged by itself, which takes its time.

    Raises:
        UnusableRunError: They are too many of one target, or an id is none.
    """
    wrong = (samples["pid"] % 1 != 0).to_numpy()
    if wrong.any():
        where = f"{file}, line {int(wrong.argmax()) + 2}"
        raise UnusableRunError(where, "pid is not a whole number", "mend the line or remove it")
    count = samples.groupby("target", observed=True)["pid"].nunique().max()
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
