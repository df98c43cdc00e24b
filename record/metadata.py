"""`run.json`: what ran, on what, from when to when, how it ended."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import ONLY_TARGET, READABLE_FORMATS
from tidemark.record.objects import parse_object

COMPLETED = "completed"
EXHAUSTED = "exhausted"
DIED = "died"
ABORTED = "aborted"
OUTCOMES = (COMPLETED, EXHAUSTED, DIED, ABORTED)
"""How a run can end; one whose writer did not live to say so was aborted."""
LONGEST_NAME = 255
"""Characters of a strategy, a target or a broker: no host and no folder has a longer name."""


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
        return {**asdict(self), "pids": list(self.pids)}


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

    @property
    def settle_s(self) -> float:
        """Seconds of load that the service was given to warm up in; 0 where nobody said."""
        told = self.load.get("settle_s")
        if isinstance(told, bool) or not isinstance(told, int | float) or not 0 < told < math.inf:
            return 0.0
        return float(told)


def utc_now() -> str:
    """This moment as run.json has it: ISO 8601, UTC, milliseconds."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sampling(interval_s: float, retain: object = None) -> dict[str, object]:
    """`sampling` of run.json: how often ticks are, and what is kept of them as they age."""
    return {"interval_s": interval_s, **({"retain": str(retain)} if retain else {})}


def parse_metadata(path: Path, data: bytes) -> RunMetadata:
    """Read the content of `run.json`; texts that go on for ever are cut.

    Args:
        path: Where it was read, for messages.
        data: The content.

    Raises:
        UnusableRunError: It is malformed, or has a format that is not known.
    """
    raw = parse_object(data)
    if raw is None:
        raise UnusableRunError(path, "is not a JSON object", "restore the file")
    found = raw.get("format")
    if isinstance(found, bool) or found not in READABLE_FORMATS:
        known = " and ".join(map(str, READABLE_FORMATS))
        what = f"format {str(found)[:40]} is not known (only {known} are)"
        raise UnusableRunError(path, what, "use the version of tidemark that recorded it")
    return RunMetadata(
        format=found,
        outcome=_outcome(path, raw),
        raw=raw,
        **{name: _value(path, raw, name) for name in _WANTED},
    )


def _outcome(path: Path, raw: Mapping[str, Any]) -> str:
    found = raw.get("outcome")
    if raw.get("ended_at") is None or found is None:
        return ABORTED
    if found in OUTCOMES:
        return str(found)
    known = f"use one of {', '.join(OUTCOMES)}"
    raise UnusableRunError(path, f"the outcome {str(found)[:40]!r} is not known", known)


def _value(path: Path, raw: Mapping[str, Any], name: str) -> Any:
    """What run.json says under a name, checked; `targets` of format 1 is its `target` alone."""
    read, missing, wanted = _WANTED[name]
    value = raw.get(name)
    if name == "targets" and value is None:
        only = _value(path, raw, "target")
        told = {name: only.get(name) for name in ("url", "command")}
        value = [{"id": ONLY_TARGET, "pids": [only.get("pid")], **told}]
    try:
        return missing if value is None else read(value)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise UnusableRunError(path, f"{name} is not {wanted}", "mend the file") from error


def _is(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(value)
    return value


def _name(value: Any) -> str:
    """A name: it stands at the head of tables and pictures, and may not be longer than a word."""
    if len(_is(str, value)) > LONGEST_NAME:
        raise ValueError(value)
    return str(value)


def _apart(targets: Any) -> tuple[Target, ...]:
    """The targets, each with an id of its own."""
    found = _each(_target, targets)
    if len({target.id for target in found}) < len(found):
        raise ValueError(targets)
    return found


def _each(read: Callable[[Any], Any], values: Any) -> tuple[Any, ...]:
    return tuple(map(read, _is(list, values)))


def _moment(value: Any) -> dt.datetime:
    moment = dt.datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)


def _target(value: Any) -> Target:
    texts = {name: _object(value).get(name) for name in ("url", "command", "host")}
    return Target(
        _name(value["id"]),
        pids=tuple(pid for pid in _is(list, value.get("pids") or []) if type(pid) is int),
        clock_offset_s=float(_is(int | float, value.get("clock_offset_s") or 0.0)),
        **{name: text for name, text in texts.items() if isinstance(text, str)},
    )


_object = partial(_is, dict)
_WANTED: Mapping[str, tuple[Callable[[Any], Any], Any, str]] = {
    "strategy": (_name, None, f"a text of at most {LONGEST_NAME} characters"),
    "started_at": (_moment, None, "a time in ISO 8601"),
    "ended_at": (_moment, None, "a time in ISO 8601"),
    "brokers": (partial(_each, _name), (), "a list of host:port"),
    "target": (_object, {}, "an object"),
    "targets": (_apart, (), "a list of objects with an id of its own"),
    "load": (_object, {}, "an object"),
    "host": (_object, {}, "an object"),
}
"""Key -> how its value is read, what stands for one that is not there, and what it has to be."""
