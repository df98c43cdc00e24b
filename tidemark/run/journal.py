"""What a run says of itself: `run.json`, and its part of `events.jsonl`."""

import contextlib
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import confluent_kafka

from tidemark.record.clock import RunClock
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import RunDirectoryError
from tidemark.record.events import (
    DiskFull,
    DiskHasRoom,
    Event,
    RunEnded,
    RunStarted,
    TargetRestarted,
)
from tidemark.record.files import reserve
from tidemark.record.layout import ONLY_TARGET
from tidemark.record.lock import DirectoryLock
from tidemark.record.metadata import Target, sampling, utc_now
from tidemark.record.secrets import shown_command, without_secrets
from tidemark.run.children import say
from tidemark.run.finding import Watched
from tidemark.run.interrupted import Interrupted
from tidemark.run.options import RunOptions
from tidemark.run.plan import Plan
from tidemark.run.resume_facts import FACTS, facts_of
from tidemark.run.resuming import kept_options
from tidemark.run.shapes import SHAPE
from tidemark.sampler.procfs import read_command

LIBRARIES = ("locust", "gevent", "confluent-kafka", "flask", "gunicorn", "psutil")

_NO_BATCHES = {"batch_size": None, "payload_bytes": None}
_LOAD_OF_OTHERS = {"workload": "own", "rate": None, "shape": None, "ramp_s": None, "seed": None}
_STAYS = ("options", "withheld", "host", "offsets")
"""What was asked for of a run stays what it was when it is gone on with."""
_ROOM = ".room"
_ROOM_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended and why, for run.json and the `run_ended` event.

    Attributes:
        outcome: one of `OUTCOMES`.
        reason: a sentence.
        cannot_tell: nothing was tested, or not by all that it takes.
        has_lost_targets: one of several targets ended by itself, and the others went on.
        is_stopped: a resource has reached the level that the run was to end at.
    """

    outcome: str
    reason: str
    cannot_tell: bool = False
    has_lost_targets: bool = False
    is_stopped: bool = False


class Journal:
    """The beginning, the middle and the end of a run as they stand in its files.

    `run.json` is there from the start and is written anew whenever there is more to say.

    Args:
        plan: what is going to run.
        directory: its run directory, just made, or that of `past`.
        past: the run that is gone on with; None for a new one.

    Attributes:
        clock: the run's clock, which begins here, or goes on.
        lock: says that the directory is being written.
    """

    def __init__(
        self, plan: Plan, directory: RunDirectory, past: Interrupted | None = None
    ) -> None:
        self.directory = directory
        self.past = past
        self.clock = past.clock if past else RunClock.start()
        held = past.lock if past else DirectoryLock.take(directory.path)
        self.lock = held or DirectoryLock(None)
        self._plan = plan
        self._facts: dict[str, Any] = dict(past.metadata.raw) if past else self._first_facts()
        self._facts |= {"ended_at": None, "outcome": None, "ended_because": None}
        options, withheld = kept_options(plan.options)
        host = None if plan.name else plan.host  # the file has it
        done_s = past.load_s if past else 0.0
        planned_s = plan.lasts_s + done_s if plan.lasts_s else plan.lasts_s
        self._facts[FACTS] = facts_of(options, withheld, host, planned_s, self.clock)
        if past:
            self._facts[FACTS] |= {name: past.facts.get(name) for name in _STAYS}
        self.directory.write_metadata(self._facts)
        for event in past.told() if past else (RunStarted(),):
            self.directory.append_event(self.clock.now(), event)
        self._lost = 0
        self._keep_room()

    def _first_facts(self) -> dict[str, Any]:
        plan = self._plan
        return {
            "run_id": plan.run_id,
            "strategy": plan.strategy,
            **({"reference": True} if plan.is_reference else {}),
            "started_at": utc_now(),
            "ended_at": None,
            "outcome": None,
            "ended_because": None,
            "watched": plan.is_watched,
            "brokers": list(plan.options.bootstrap),
            **describe_target(plan, plan.host),
            "load": describe_load(plan, None),
            "faults": [str(fault) for fault in plan.options.fault],
            "sampling": sampling(plan.options.interval, plan.options.retain),
            "messages": None,
            "latency_ms": None,
            "lateness_ms": None,
            "host": describe_host(),
        }

    def offsets_read(self, offsets: Mapping[str, Any] | None) -> None:
        """The high watermarks of the topic before the first message, for who goes on."""
        self.tell(**{FACTS: self._facts[FACTS] | {"offsets": offsets}})

    def event(self, event: Event) -> None:
        """Append an event, which happens now; on a full disk it is lost."""
        with self.going_on():
            self.directory.append_event(self.clock.now(), event)

    def tell(self, **facts: object) -> None:
        """Write run.json anew, with these facts in the place of the former ones."""
        self._facts |= facts
        with self.going_on():
            self.directory.write_metadata(self._facts)
            self.directory.keep_room()

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Write something; where it cannot be, that is said once, and the run goes on without."""
        try:
            yield
        except RunDirectoryError as error:
            self._lost += 1
            if self._lost == 1:
                say(f"{error}; the run goes on")
                self._room.unlink(missing_ok=True)
                with contextlib.suppress(RunDirectoryError):
                    event = DiskFull(reason=str(error))
                    self.directory.append_event(self.clock.now(), event)

    def found_room(self) -> None:
        """A tick was written: where some found no room before, there may be room again."""
        if self._lost and self._keep_room():
            lost, self._lost = self._lost, 0
            self.event(DiskHasRoom(lost_samples=lost))

    @property
    def _room(self) -> Path:
        """What is kept for the event that says that the disk is full."""
        return self.directory.file(_ROOM)

    def _keep_room(self) -> bool:
        self.directory.keep_room()
        reserve(self._room, _ROOM_BYTES)
        return self._room.exists()

    def target_found(self, url: str, pid: int | None, command: str | None) -> None:
        """The target is there; `pid` is None when nobody watches it."""
        self.tell(**describe_target(self._plan, url, pid, command))

    def target_watched(self, target: str, pid: int) -> None:
        """This process is watched; of a run that is gone on with, perhaps in another's place."""
        former = self.past.former_pid(target) if self.past else None
        if former is not None and (former != pid or self._plan.service):
            self.event(TargetRestarted(pid=pid, former_pid=former, target=target))

    def load_began(
        self, users: int, run_time_s: float | None, *, is_of_others: bool = False
    ) -> None:
        """So many users send requests from now on; for so long, if that is planned.

        Users that are not ours keep to no rate, and to no ramp, that we know of.
        """
        load = describe_load(self._plan, users, run_time_s)
        self.tell(load=load | _LOAD_OF_OTHERS if is_of_others else load)

    def sent_no_batches(self) -> None:
        """All requests carried what is not ours."""
        self.tell(load=self._facts["load"] | _NO_BATCHES)

    def end(self, ending: Ending, **facts: object) -> None:
        """Everything was stopped; `facts` is what else run.json says at the end."""
        facts |= {"outcome": ending.outcome, "ended_because": ending.reason}
        self._room.unlink(missing_ok=True)
        self.event(RunEnded(outcome=ending.outcome, reason=ending.reason))
        self.tell(ended_at=utc_now(), **facts)
        self.directory.give_room_back()
        self.lock.release()
        for log in self.directory.path.glob("*.log"):
            if log.stat().st_size == 0:
                log.unlink()


def describe_target(
    plan: Plan, url: str | None, pid: int | None = None, command: str | None = None
) -> dict[str, Any]:
    """`target` and `targets` of run.json."""
    options = plan.options
    url = without_secrets(url) if url else None
    service = plan.service
    fds_limit = options.fds_limit if service else None
    target: dict[str, Any] = {
        "url": url,
        "command": command,
        "fds_limit": fds_limit,
        "service": "started for the run" if service else "running before it",
    }
    if service and service.announces:
        target |= {"workers": options.workers, "threads": options.threads}
    if service and plan.has_brokers:
        target |= {
            "topic": plan.topic,
            "broker_kind": None if options.bootstrap else options.broker,
        }
    only = Target(ONLY_TARGET, url, (pid,) if pid else (), command)
    targets = [_describe(one, url, plan) for one in plan.watched]
    targets += [Target(agent.id, url, host=agent.host) for agent in options.agent]
    return {"target": target, "targets": [one.to_json() for one in targets or [only]]}


def _describe(watched: Watched, url: str | None, plan: Plan) -> Target:
    """A process of somebody else's; of several, their command lines tell them apart."""
    are_several = len(plan.watched) > 1
    command = shown_command(read_command(watched.pid)) if are_several else None
    return Target(watched.target, url, (watched.pid,), command)


def describe_load(plan: Plan, users: int | None, run_time_s: float | None = None) -> dict[str, Any]:
    """`load` of run.json; `users` is None until the load begins."""
    options = plan.options
    return {
        "workload": options.workload,
        "users": users,
        "run_time_s": run_time_s,
        "rate": options.rate,
        "shape": _shape(options),
        "ramp_s": options.ramp,
        "settle_s": options.settle,
        "batch_size": options.batch_size,
        "payload_bytes": options.payload_bytes,
        "seed": options.seed,
        "request_timeout_s": options.request_timeout,
        **({"routes": [route.to_json() for route in options.routes]} if options.routes else {}),
    }


def _shape(options: RunOptions) -> str:
    """The shape of the load as it is written, behind the ramp that it has beside."""
    if not options.ramp:
        return options.shape
    ramp = f"ramp {options.ramp:g} s"
    return ramp if options.shape == SHAPE.default else f"{ramp}, then {options.shape}"


def describe_host() -> dict[str, Any]:
    """`host` of run.json: what it runs on, sizes in bytes."""
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "page_size": os.sysconf("SC_PAGE_SIZE"),
        "python": platform.python_version(),
        "versions": {
            **{library: version(library) for library in LIBRARIES},
            "librdkafka": confluent_kafka.libversion()[0],
        },
    }
