"""A run directory, read into memory.

The layout of the files is that of `sampler.schema`; this module only reads.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tidemark.analysis.tables import LARGEST, Layout, read_table, whole_lines
from tidemark.record import layout as schema
from tidemark.record.errors import UnusableRunError

OUTCOMES = ("completed", "exhausted", "aborted")

SAMPLES = Layout(
    schema.SAMPLES_COLUMNS,
    text=("process",),
    never_empty=("time_s", "elapsed_s", "pid"),
    optional=("swap_bytes",),
)
COMPOSITION = Layout(schema.COMPOSITION_COLUMNS, text=("kind", "name"), never_falling=())
REQUESTS = Layout(
    schema.REQUESTS_COLUMNS,
    never_falling=("elapsed_s", "requests", "failures", "messages_accepted"),
)
ENDPOINTS = Layout(schema.ENDPOINTS_COLUMNS, text=("endpoint",), never_falling=())


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        time_s: Unix time.
        elapsed_s: Seconds since the run began (monotonic).
        name: What happened, e.g. `emfile`.
        fields: What belongs to it.
    """

    time_s: float
    elapsed_s: float
    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunMetadata:
    """The content of run.json.

    Attributes:
        format: Version of the run directory.
        strategy: What was run; None where the run was not told.
        started_at: When it began, UTC; None where unknown.
        ended_at: When it ended, UTC; None where the writer did not live to say so.
        outcome: One of `OUTCOMES`; `aborted` where the writer did not live to say so.
        brokers: `host:port` of every broker.
        target: url, command, fds_limit, pid, as far as known.
        load: users, rate, batch size, payload bytes, shape, as far as known.
        host: kernel, cpus, page size, python and library versions.
        raw: The whole object as it was read.
    """

    format: int
    strategy: str | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    outcome: str
    brokers: tuple[str, ...]
    target: Mapping[str, Any]
    load: Mapping[str, Any]
    host: Mapping[str, Any]
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that a run recorded.

    Attributes:
        path: The run directory.
        metadata: The content of run.json.
        samples: samples.csv; never empty.
        composition: composition.csv; without rows where it was not recorded.
        requests: requests.csv; without rows where it was not recorded.
        endpoints: endpoints.csv; without rows where it was not recorded.
        events: events.jsonl in the order of `elapsed_s`; empty where it was not recorded.
    """

    path: Path
    metadata: RunMetadata
    samples: pd.DataFrame
    composition: pd.DataFrame
    requests: pd.DataFrame
    endpoints: pd.DataFrame
    events: tuple[Event, ...] = field(default=())

    @property
    def name(self) -> str:
        """The name of the run: that of its directory."""
        return self.path.resolve().name

    @property
    def strategy(self) -> str:
        """What was run; the name of the directory where run.json does not say."""
        return self.metadata.strategy or self.name

    @property
    def outcome(self) -> str:
        """How the run ended: `completed`, `exhausted` or `aborted`."""
        return self.metadata.outcome

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

    def first_event(self, name: str) -> Event | None:
        """The first event of that name."""
        return next((event for event in self.events if event.name == name), None)


def load_run(path: Path) -> Run:
    """Read a run directory.

    Only run.json and samples.csv must be there.

    Raises:
        UnusableRunError: It is no run directory, or a file in it is malformed.
    """
    path = Path(path)
    if not path.is_dir():
        raise UnusableRunError(path, "is not a directory", "name a run directory")
    metadata = _read_metadata(path / schema.RUN_JSON)
    samples = read_table(path / schema.SAMPLES_CSV, SAMPLES)
    if not len(samples):
        raise UnusableRunError(
            path / schema.SAMPLES_CSV, "holds no sample", "let the run last longer"
        )
    return Run(
        path=path,
        metadata=metadata,
        samples=samples.astype({"pid": "int64"}),
        composition=_optional(path / schema.COMPOSITION_CSV, COMPOSITION),
        requests=_optional(path / schema.REQUESTS_CSV, REQUESTS),
        endpoints=_optional(path / schema.ENDPOINTS_CSV, ENDPOINTS),
        events=_read_events(path / schema.EVENTS_JSONL),
    )


def _optional(path: Path, layout: Layout) -> pd.DataFrame:
    return read_table(path, layout) if path.exists() else layout.empty()


def _read_metadata(path: Path) -> RunMetadata:
    if not path.exists():
        raise UnusableRunError(
            path.parent, f"holds no {path.name}, so it is no run directory", "name a run directory"
        )
    try:
        raw = _parse_object(path.read_bytes())
    except OSError as error:
        raise UnusableRunError(
            path, f"cannot be read ({error.strerror})", "check its permissions"
        ) from error
    if raw is None:
        raise UnusableRunError(path, "is not a JSON object", "restore the file")
    found = raw.get("format")
    if isinstance(found, bool) or found != schema.FORMAT:
        raise UnusableRunError(
            path,
            f"format {str(found)[:40]} is not known (only {schema.FORMAT} is)",
            "use the version of tidemark that recorded it",
        )
    return _metadata(path, raw)


def _metadata(path: Path, raw: dict[str, Any]) -> RunMetadata:
    outcome = raw.get("outcome")
    if raw.get("ended_at") is None or outcome is None:
        outcome = "aborted"
    if outcome not in OUTCOMES:
        raise UnusableRunError(
            path,
            f"the outcome {str(outcome)[:40]!r} is not known",
            f"use one of {', '.join(OUTCOMES)}",
        )
    brokers = raw.get("brokers") or []
    if not isinstance(brokers, list) or not all(isinstance(name, str) for name in brokers):
        raise UnusableRunError(path, "brokers is not a list of host:port", "mend the file")
    strategy = raw.get("strategy")
    if strategy is not None and not isinstance(strategy, str):
        raise UnusableRunError(path, "strategy is not a text", "mend the file")
    return RunMetadata(
        format=schema.FORMAT,
        strategy=strategy,
        started_at=_moment(path, raw, "started_at"),
        ended_at=_moment(path, raw, "ended_at"),
        outcome=outcome,
        brokers=tuple(brokers),
        target=_object(path, raw, "target"),
        load=_object(path, raw, "load"),
        host=_object(path, raw, "host"),
        raw=raw,
    )


def _object(path: Path, raw: dict[str, Any], name: str) -> dict[str, Any]:
    value = raw.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnusableRunError(path, f"{name} is not an object", "mend the file")
    return value


def _moment(path: Path, raw: dict[str, Any], name: str) -> dt.datetime | None:
    value = raw.get(name)
    if value is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnusableRunError(
            path, f"{name} is not a time in ISO 8601", "mend the file"
        ) from error


def _read_events(path: Path) -> tuple[Event, ...]:
    if not path.exists() or _is_empty(path):
        return ()
    events = []
    for number, line in enumerate(whole_lines(path).split(b"\n")[:-1], start=1):
        event = _event(line)
        if event is None:
            raise UnusableRunError(
                f"{path}, line {number}",
                "is not an event (an object with time_s, elapsed_s and event)",
                "mend the line or remove it",
            )
        events.append(event)
    return tuple(sorted(events, key=lambda event: event.elapsed_s))


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError as error:
        raise UnusableRunError(
            path, f"cannot be read ({error.strerror})", "check its permissions"
        ) from error


def _event(line: bytes) -> Event | None:
    raw = _parse_object(line)
    if raw is None or not isinstance(raw.get("event"), str):
        return None
    times = [raw.get("time_s"), raw.get("elapsed_s")]
    if not all(_is_time(value) for value in times):
        return None
    fields = {
        key: value for key, value in raw.items() if key not in {"time_s", "elapsed_s", "event"}
    }
    return Event(float(raw["time_s"]), float(raw["elapsed_s"]), raw["event"], fields)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _parse_object(data: bytes) -> dict[str, Any] | None:
    """The JSON object in `data`; None if it is anything else."""
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    return value if isinstance(value, dict) else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
