"""`run.json`: what ran, on what, from when to when, how it ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemark.record.errors import UnusableRunError
from tidemark.record.events import parse_object
from tidemark.record.layout import ONLY_TARGET, READABLE_FORMATS

COMPLETED = "completed"
EXHAUSTED = "exhausted"
DIED = "died"
ABORTED = "aborted"
OUTCOMES = (COMPLETED, EXHAUSTED, DIED, ABORTED)
"""How a run can end; one whose writer did not live to say so was aborted."""


@dataclass(frozen=True, slots=True)
class Target:
    """One service that a run watched.

    Attributes:
        id: Its id, which stands in the column `target` of the tables.
        url: Where it is driven; None where it is only watched.
        pids: The roots of its process trees, where they are known.
        command: How it was started; None where somebody else did.
        host: The host it runs on; None for this one.
        clock_offset_s: What that host's clock is ahead of the run's.
    """

    id: str
    url: str | None = None
    pids: tuple[int, ...] = ()
    command: str | None = None
    host: str | None = None
    clock_offset_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As it stands in `targets` of run.json."""
        return {
            "id": self.id,
            "url": self.url,
            "pids": list(self.pids),
            "command": self.command,
            "host": self.host,
            "clock_offset_s": self.clock_offset_s,
        }


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
        targets: Every service that was watched; of a run of format 1 its only one.
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
    targets: tuple[Target, ...]
    load: Mapping[str, Any]
    host: Mapping[str, Any]
    raw: Mapping[str, Any]


def utc_now() -> str:
    """This moment as run.json has it: ISO 8601, UTC, milliseconds."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_metadata(path: Path) -> RunMetadata:
    """Read `run.json`.

    Args:
        path: The file.

    Raises:
        UnusableRunError: It is missing or malformed, or has a format that is not known.
    """
    if not path.exists():
        raise UnusableRunError(
            path.parent, f"holds no {path.name}, so it is no run directory", "name a run directory"
        )
    try:
        raw = parse_object(path.read_bytes())
    except OSError as error:
        raise UnusableRunError(
            path, f"cannot be read ({error.strerror})", "check its permissions"
        ) from error
    if raw is None:
        raise UnusableRunError(path, "is not a JSON object", "restore the file")
    found = raw.get("format")
    if isinstance(found, bool) or found not in READABLE_FORMATS:
        known = " and ".join(map(str, READABLE_FORMATS))
        raise UnusableRunError(
            path,
            f"format {str(found)[:40]} is not known (only {known} are)",
            "use the version of tidemark that recorded it",
        )
    return _parse(path, raw)


def _parse(path: Path, raw: dict[str, Any]) -> RunMetadata:
    outcome = raw.get("outcome")
    if raw.get("ended_at") is None or outcome is None:
        outcome = ABORTED
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
    target = _object(path, raw, "target")
    return RunMetadata(
        format=raw["format"],
        strategy=strategy,
        started_at=_moment(path, raw, "started_at"),
        ended_at=_moment(path, raw, "ended_at"),
        outcome=outcome,
        brokers=tuple(brokers),
        target=target,
        targets=_targets(path, raw, target),
        load=_object(path, raw, "load"),
        host=_object(path, raw, "host"),
        raw=raw,
    )


def _targets(path: Path, raw: dict[str, Any], only: Mapping[str, Any]) -> tuple[Target, ...]:
    listed = raw.get("targets")
    if listed is None:
        pid = only.get("pid")
        pids = (pid,) if isinstance(pid, int) and not isinstance(pid, bool) else ()
        return (Target(ONLY_TARGET, _text(only, "url"), pids, _text(only, "command")),)
    if not isinstance(listed, list) or not all(_is_target(one) for one in listed):
        raise UnusableRunError(path, "targets is not a list of objects with an id", "mend the file")
    return tuple(
        Target(
            one["id"],
            _text(one, "url"),
            tuple(pid for pid in one.get("pids") or () if isinstance(pid, int)),
            _text(one, "command"),
            _text(one, "host"),
            float(one.get("clock_offset_s") or 0.0),
        )
        for one in listed
    )


def _is_target(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        return False
    offset = value.get("clock_offset_s") or 0.0
    pids = value.get("pids") or []
    number = isinstance(offset, int | float) and not isinstance(offset, bool)
    return number and isinstance(pids, list)


def _text(value: Mapping[str, Any], name: str) -> str | None:
    found = value.get(name)
    return found if isinstance(found, str) else None


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
