"""What happens in a run: one type per event, written and read here.

An event is a line of `events.jsonl`: `time_s`, `elapsed_s`, `event`, and the fields of its type
that are known. A field that was not recorded is None; an event that this version does not know
is an `Unknown`, and keeps its fields.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

from tidemark.record.clock import Instant

LARGEST = 1e15
"""No figure of a run is larger: counts, bytes and Unix times stay exact in a float below it."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; see the subclasses."""

    NAME: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """Its name in the file."""
        return self.NAME

    def details(self) -> dict[str, Any]:
        """The fields that are known."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


# -- the run ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """The run directory was made."""

    NAME = "run_started"


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    """Everything was stopped; `outcome` is that of `run.json`."""

    NAME = "run_ended"
    outcome: str | None = None
    reason: str | None = None


# -- the target ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TargetStarted(Event):
    """The service answers."""

    NAME = "target_started"
    pid: int | None = None
    url: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class TargetExited(Event):
    """The root of the target's processes is not there any more."""

    NAME = "target_exited"
    pid: int | None = None
    process: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class TargetRestarted(Event):
    """Another process has taken its place."""

    NAME = "target_restarted"
    pid: int | None = None
    process: str | None = None
    former_pid: int | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Emfile(Event):
    """The target's log says for the first time that it ran out of descriptors.

    `requests` counts those that had been answered by then.
    """

    NAME = "emfile"
    line: str | None = None
    requests: int | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Stalled(Event):
    """No request has been answered for `silent_s` seconds while some were waiting."""

    NAME = "stalled"
    silent_s: float | None = None


# -- the brokers --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BrokerDown(Event):
    """A broker was made to fail; `action` is `kill` or `freeze`."""

    NAME = "broker_down"
    broker: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class BrokerUp(Event):
    """A broker was brought back; `action` is `restart` or `thaw`."""

    NAME = "broker_up"
    broker: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class RefusedByBroker(Event):
    """A broker's log says for the first time that it keeps a client out."""

    NAME = "refused_by_broker"
    line: str | None = None


# -- faults that were asked for -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FaultStarted(Event):
    """A fault begins; `fault` is what was asked for, `kind` what is done."""

    NAME = "fault_started"
    fault: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class FaultEnded(Event):
    """What a fault did is undone."""

    NAME = "fault_ended"
    fault: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class FaultFailed(Event):
    """A fault could not be injected, or not be ended."""

    NAME = "fault_failed"
    fault: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class WorkerKilled(Event):
    """A worker of the target was killed by a fault."""

    NAME = "worker_killed"
    pid: int | None = None


# -- the load -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GeneratorSaturated(Event):
    """A request left `lateness_s` seconds late: the generator cannot keep up."""

    NAME = "generator_saturated"
    lateness_s: float | None = None


@dataclass(frozen=True, slots=True)
class WorkerLost(Event):
    """A worker of the load generator is gone."""

    NAME = "worker_lost"
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerFailed(Event):
    """What became of the messages cannot be told."""

    NAME = "ledger_failed"
    reason: str | None = None


# -- the sampler --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SamplerStarted(Event):
    """The sampler begins; `reason` says why it has no better source of connections."""

    NAME = "sampler_started"
    source: str | None = None
    interval_s: float | None = None
    budget_share: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SourceChanged(Event):
    """Connections are read in another way from now on."""

    NAME = "source_changed"
    source: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SamplerLost(Event):
    """The sampler is gone."""

    NAME = "sampler_lost"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class LimitsRead(Event):
    """What bounds a process that was seen for the first time; None where nothing does.

    A source is what sets the limit, for example `cgroup pids.max`.
    """

    NAME = "limits_read"
    pid: int | None = None
    process: str | None = None
    fds_limit: int | None = None
    threads_limit: int | None = None
    threads_limit_source: str | None = None
    rss_bytes_limit: int | None = None
    rss_bytes_limit_source: str | None = None
    local_ports_low: int | None = None
    local_ports_high: int | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class PermissionDenied(Event):
    """Something of a process may not be read; its fields stay empty."""

    NAME = "permission_denied"
    pid: int | None = None
    what: str | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Unread(Event):
    """Something could not be read for another reason."""

    NAME = "unread"
    pid: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Gap(Event):
    """So many ticks, of so many seconds each, were missed until now."""

    NAME = "gap"
    missed_ticks: int | None = None
    interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class ClockSet(Event):
    """Somebody set the clock by so many seconds."""

    NAME = "clock_set"
    by_s: float | None = None


@dataclass(frozen=True, slots=True)
class DiskFull(Event):
    """There is no room for samples from now on."""

    NAME = "disk_full"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DiskHasRoom(Event):
    """There is room again; so many samples were lost meanwhile."""

    NAME = "disk_has_room"
    lost_samples: int | None = None


@dataclass(frozen=True, slots=True)
class Unknown(Event):
    """An event that this version does not know."""

    event: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in the file."""
        return self.event

    def details(self) -> dict[str, Any]:
        """Its fields, as they are."""
        return dict(self.given)


# Not `__subclasses__`: a dataclass with slots is a second class, and the first is there as well.
KINDS: dict[str, type[Event]] = {
    kind.NAME: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Event) and kind.NAME
}
"""Every type of event by its name in the file, in the order of this module."""

Kind = TypeVar("Kind", bound=Event)


@dataclass(frozen=True, slots=True)
class Recorded(Generic[Kind]):
    """An event of a run, and when it happened.

    Attributes:
        time_s: Unix time.
        elapsed_s: Seconds since the run began, monotonic.
        event: What happened.
    """

    time_s: float
    elapsed_s: float
    event: Kind


def of_kind(events: Iterable[Recorded[Any]], kind: type[Kind]) -> list[Recorded[Kind]]:
    """Those of one type."""
    return [recorded for recorded in events if isinstance(recorded.event, kind)]


def encode(instant: Instant, event: Event) -> bytes:
    """One line of `events.jsonl`, without its newline."""
    record = {
        "time_s": round(instant.time_s, 6),
        "elapsed_s": round(instant.elapsed_s, 6),
        "event": event.name,
        **event.details(),
    }
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")


def decode(line: bytes) -> Recorded[Event]:
    """Read one line of `events.jsonl`.

    Raises:
        ValueError: It is no event, or a field of it is not what the event's type wants; the
            message says which.
    """
    raw = parse_object(line)
    if raw is None or not isinstance(raw.get("event"), str):
        raise ValueError("is not an event (an object with time_s, elapsed_s and event)")
    time_s, elapsed_s = (_time(raw, name) for name in ("time_s", "elapsed_s"))
    given = {name: value for name, value in raw.items() if name not in _COMMON}
    kind = KINDS.get(raw["event"])
    event = Unknown(raw["event"], given) if kind is None else _typed(kind, given)
    return Recorded(time_s, elapsed_s, event)


_COMMON = {"time_s", "elapsed_s", "event"}


def parse_object(data: bytes) -> dict[str, Any] | None:
    """The JSON object in `data`; None if it is anything else, NaN and infinity included."""
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    return value if isinstance(value, dict) else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _time(raw: Mapping[str, Any], name: str) -> float:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
        raise ValueError("is not an event (an object with time_s, elapsed_s and event)")
    return float(value)


def _typed(kind: type[Event], given: Mapping[str, Any]) -> Event:
    """The event of a type; fields that the type does not have are left out."""
    values = {}
    for name, wanted in _wanted(kind.NAME).items():
        value = given.get(name)
        if value is not None and not _fits(value, wanted):
            raise ValueError(f"is an event {kind.NAME} whose {name} cannot be read")
        values[name] = value
    return kind(**values)


@cache
def _wanted(name: str) -> dict[str, tuple[type, ...]]:
    """Field of the events of a name -> the types that it takes besides None."""
    kind = KINDS[name]
    hints = typing.get_type_hints(kind)
    found = {}
    for one in fields(kind):
        allowed = [t for t in typing.get_args(hints[one.name]) if t is not types.NoneType]
        found[one.name] = (*allowed, int) if float in allowed else tuple(allowed)
    return found


def _fits(value: object, wanted: tuple[type, ...]) -> bool:
    """Whether a value has one of these types; a bool is no number, and no float is endless."""
    if isinstance(value, bool) or not isinstance(value, wanted):
        return False
    return not isinstance(value, float) or abs(value) <= LARGEST
