"""What happens in a run: one type per event.

A field that was not recorded is None; an event that this version does not know is an `Unknown`,
and keeps its fields. How they are written and read stands in `event_lines.py`.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

LARGEST = 1e15
"""No figure of a run is larger: counts, bytes and Unix times stay exact in a float below it."""

BY_ITSELF = "died"
"""The `action` of a broker that failed by itself."""

KINDS: dict[str, type[Event]] = {}
"""Every type of event by its name in the file, in the order of this module."""

Text = str | None
Whole = int | None
Real = float | None


@typing.dataclass_transform(frozen_default=True)
class Event:
    """Something that happened. A subclass is a type of event, called in the file as in code."""

    NAME = ""

    def __init_subclass__(cls, *, is_known: bool = True) -> None:
        cls.NAME = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
        dataclass(frozen=True)(cls)
        if is_known:
            KINDS[cls.NAME] = cls

    @property
    def name(self) -> str:
        """Its name in the file."""
        return self.NAME

    def details(self) -> dict[str, Any]:
        """The fields that are known."""
        return {name: value for name, value in vars(self).items() if value is not None}


class RunStarted(Event):
    """The run directory was made."""


class RunEnded(Event):
    """Everything was stopped; `outcome` is that of `run.json`."""

    outcome: Text = None
    reason: Text = None


class RunResumed(Event):
    """Somebody goes on with a run that was cut off.

    Nothing was done for `gap_s` seconds, `load_s` seconds of load lie before that, and of
    `in_flight` requests it is not known what became of them; `reason` says how it was cut off.
    """

    gap_s: Real = None
    load_s: Real = None
    in_flight: Whole = None
    reason: Text = None


class TargetStarted(Event):
    """The service answers."""

    pid: Whole = None
    url: Text = None
    target: Text = None


class TargetExited(Event):
    """The root of the target's processes is not there any more.

    Its `exit_code`, or the `signal` that ended it ("SIGKILL"), is known where the run has
    started it.
    """

    pid: Whole = None
    process: Text = None
    exit_code: Whole = None
    signal: Text = None
    target: Text = None


class TargetRestarted(Event):
    """Another process has taken its place."""

    pid: Whole = None
    process: Text = None
    former_pid: Whole = None
    target: Text = None


class TargetUnconfirmed(Event):
    """It cannot be known whether the watched process is the one that answers; `reason` says why."""

    pid: Whole = None
    reason: Text = None
    target: Text = None


class ProcessStopped(Event):
    """A process of the target is there, but does not run: SIGSTOP, a debugger, a freezer."""

    pid: Whole = None
    process: Text = None
    target: Text = None


class ProcessContinued(Event):
    """It runs again, after `stopped_s` seconds."""

    pid: Whole = None
    process: Text = None
    stopped_s: Real = None
    target: Text = None


class Emfile(Event):
    """The target's log first says that descriptors ran out; `requests` were answered by then."""

    line: Text = None
    requests: Whole = None
    target: Text = None


class Stalled(Event):
    """No request has been answered for `silent_s` seconds while some were waiting."""

    silent_s: Real = None


class BrokerDown(Event):
    """A broker failed: by a fault (`kill`, `freeze`), or by itself (`died`; `reason` says how)."""

    broker: Text = None
    action: Text = None
    reason: Text = None

    @property
    def is_by_itself(self) -> bool:
        """Whether nobody made it fail."""
        return self.action == BY_ITSELF


class BrokerUp(Event):
    """A broker was brought back; `action` is `restart` or `thaw`."""

    broker: Text = None
    action: Text = None


class RefusedByBroker(Event):
    """A broker's log says for the first time that it keeps a client out."""

    line: Text = None


class FaultStarted(Event):
    """A fault begins; `fault` is what was asked for, `kind` what is done."""

    fault: Text = None
    kind: Text = None


class FaultEnded(Event):
    """What a fault did is undone."""

    fault: Text = None
    kind: Text = None


class FaultFailed(Event):
    """A fault could not be injected, or not be ended."""

    fault: Text = None
    reason: Text = None


class WorkerKilled(Event):
    """A worker of the target was killed by a fault."""

    pid: Whole = None


class GeneratorSaturated(Event):
    """Requests leave `lateness_s` seconds late, or a processor is used up: it cannot keep up."""

    lateness_s: Real = None
    cpu_percent: Real = None
    worker: Text = None


class WorkerLost(Event):
    """A worker of the load generator is gone; `missing` requests of its share were not reported."""

    worker: Text = None
    reason: Text = None
    missing: Whole = None


class LedgerFailed(Event):
    """What became of the messages cannot be told."""

    reason: Text = None


class LevelReached(Event):
    """A resource has reached the level that the run was asked to end at, as in `fds=90%`.

    `level` and `limit` are those of the process, where it has a limit of its own, or else those of
    all processes of the target together.
    """

    asked: Text = None
    resource: Text = None
    level: Whole = None
    limit: Whole = None
    pid: Whole = None
    process: Text = None
    target: Text = None


class SamplerStarted(Event):
    """The sampler begins; `reason` says why it has no better source of connections."""

    source: Text = None
    interval_s: Real = None
    budget_share: Real = None
    reason: Text = None


class SourceChanged(Event):
    """Connections are read in another way from now on."""

    source: Text = None
    reason: Text = None
    target: Text = None


class SamplerLost(Event):
    """The sampler is gone."""

    reason: Text = None


class LimitsRead(Event):
    """What bounds a process seen for the first time; a source sets it: `cgroup pids.max`."""

    pid: Whole = None
    process: Text = None
    fds_limit: Whole = None
    threads_limit: Whole = None
    threads_limit_source: Text = None
    rss_bytes_limit: Whole = None
    rss_bytes_limit_source: Text = None
    local_ports_low: Whole = None
    local_ports_high: Whole = None
    target: Text = None


class RuntimeSeen(Event):
    """What a process is run by, when it is first seen and when it has become another program.

    `runtime` is `cpython`, `jvm`, `go`, `node`, `ruby`, `dotnet`, `beam`, or `native` for what is
    none of these; `collector` is what collects its garbage, where it says so itself.
    """

    pid: Whole = None
    process: Text = None
    runtime: Text = None
    collector: Text = None
    heap_max_bytes: Whole = None
    heap_max_source: Text = None
    target: Text = None


class PermissionDenied(Event):
    """Something of a process may not be read; its fields stay empty."""

    pid: Whole = None
    what: Text = None
    missing: Text = None
    target: Text = None


class Unread(Event):
    """Something could not be read for another reason."""

    pid: Whole = None
    reason: Text = None
    target: Text = None


class Gap(Event):
    """So many ticks, of so many seconds each, were missed until now."""

    missed_ticks: Whole = None
    interval_s: Real = None


class ClockSet(Event):
    """Somebody set the clock by so many seconds."""

    by_s: Real = None


class ClockCompared(Event):
    """The clock of a target's host shows `ahead_s` more than the run's, give or take the rest.

    Its rows are put on the run's time.
    """

    target: Text = None
    ahead_s: Real = None
    uncertainty_s: Real = None


class AgentLost(Event):
    """The agent beside a target does not answer, or not what is needed; `reason` says why."""

    target: Text = None
    reason: Text = None


class AgentBack(Event):
    """It answers again after `silent_s` seconds; what it recorded meanwhile is fetched."""

    target: Text = None
    silent_s: Real = None


class DiskFull(Event):
    """There is no room for samples from now on."""

    reason: Text = None


class DiskHasRoom(Event):
    """There is room again; so many samples were lost meanwhile."""

    lost_samples: Whole = None


class Unknown(Event, is_known=False):
    """An event that this version does not know."""

    event: str
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in the file."""
        return self.event

    def details(self) -> dict[str, Any]:
        """Its fields, as they are."""
        return dict(self.given)


Kind = TypeVar("Kind", bound=Event)


@dataclass(frozen=True, slots=True)
class Recorded(Generic[Kind]):
    """An event of a run, and when it happened.

    Attributes:
        time_s: Unix time.
        elapsed_s: Real since the run began, monotonic.
        event: What happened.
    """

    time_s: float
    elapsed_s: float
    event: Kind


def of_kind(events: Iterable[Recorded[Any]], kind: type[Kind]) -> list[Recorded[Kind]]:
    """Those of one type."""
    return [recorded for recorded in events if isinstance(recorded.event, kind)]


def told_of(event: Event, target: str) -> Event:
    """The event as one of a target, where its type has a place for that and it says of none."""
    if getattr(event, "target", target) is not None:
        return event
    return KINDS[event.name](**{**vars(event), "target": target})
