"""One soak run: the processes it starts, the run directory it fills, and how it ends."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidemark.errors import ChildError
from tidemark.record.clock import RunClock
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import TidemarkError
from tidemark.record.layout import BROKER_LOG, TARGET_LOG
from tidemark.run.children import say
from tidemark.run.fault_injection import FaultInjector
from tidemark.run.folders import new_folder
from tidemark.run.host import describe_host
from tidemark.run.ledger import Ledger
from tidemark.run.logwatch import OUT_OF_DESCRIPTORS, REFUSED_BY_BROKER, LogWatch
from tidemark.run.options import RunOptions
from tidemark.run.processes import Processes
from tidemark.run.requests_record import RequestRecord
from tidemark.targets.errors import TargetError

COMPLETED = "completed"
EXHAUSTED = "exhausted"
ABORTED = "aborted"


@dataclass(frozen=True)
class Ending:
    """How a run ended and why, for run.json and the `run_ended` event."""

    outcome: str
    reason: str


class SoakRun:
    """A run from its first process to its complete run directory.

    `start` brings up what is missing (broker, target, sampler), `begin_load`, `tick` and `watch`
    follow the load, `finish` stops everything again and completes run.json. Without `host` the
    target is started here; with it, the service is already there and only `options.target_pid`
    is watched.

    Args:
        options: checked options.
        host: URL of a service that is already running, or None.
    """

    def __init__(self, options: RunOptions, host: str | None = None) -> None:
        self.options = options
        self.url = host
        self.run_id = uuid.uuid4().hex[:8]
        self.topic = options.topic or f"tidemark-{self.run_id}"
        self.record = RequestRecord(time.monotonic)
        self.ledger = Ledger(options.batch_size)
        self.ending: Ending | None = None
        self._foreign = host is not None
        self._messages: dict[str, Any] | None = None
        self._users: int | None = None
        self._injector: FaultInjector | None = None
        self._emfile_elapsed_s: float | None = None
        self._refused = False
        self._stalled = False
        self._saturated = False
        self._finishing = threading.RLock()
        self._finished = False

    # -- start ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the run directory and start what is missing; nothing is left running on failure.

        Raises:
            TidemarkError: one line that says what is wrong and what to do.
            TargetError: the same, from the targets.
        """
        self._check()
        label = "service" if self._foreign else self.options.strategy
        if self.options.run_name:
            path = self.options.results / self.options.run_name
        else:
            path = new_folder(self.options.results, "", label)
        self.directory = RunDirectory.create(path)
        self._processes = Processes(self.options, path, self.run_id, self.topic)
        self.clock = RunClock.start()
        self._started_at = _utc_now()
        self._target_log = LogWatch(self.path / TARGET_LOG, OUT_OF_DESCRIPTORS)
        self._broker_log = LogWatch(self.path / BROKER_LOG, REFUSED_BY_BROKER)
        self._write_metadata()
        self.event("run_started")
        try:
            self._start_processes()
            self._requests_csv = self.directory.requests_writer()
        except (TidemarkError, TargetError) as error:
            self.finish(ABORTED, str(error))
            raise
        except BaseException:
            self.finish(ABORTED, "interrupted while it was being started")
            raise
        self._write_metadata()

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.path

    def _check(self) -> None:
        """Check what no single option can say of itself."""
        if self._foreign and not str(self.url).startswith(("http://", "https://")):
            raise TidemarkError(f"--host: must be http://HOST:PORT or https://..., not {self.url}")
        if self._foreign and self.options.target_pid and not self.options.bootstrap:
            raise TidemarkError(
                "--target-pid needs --bootstrap HOST:PORT,...: "
                "connections are counted towards the brokers of that cluster"
            )
        if self.options.fault and (self._foreign or self.options.bootstrap):
            raise TidemarkError(
                "--fault needs the embedded brokers and a target that is started here: "
                "leave out --host and --bootstrap"
            )
        if self.options.broker_option and self.options.broker != "kafka":
            raise TidemarkError("--broker-option needs --broker kafka")
        if not self._foreign and self.options.target_pid:
            raise TidemarkError("--target-pid needs --host: without it, the target is started here")

    def _start_processes(self) -> None:
        processes = self._processes
        if processes.brokers:
            processes.find_brokers()
        elif not self._foreign:
            processes.start_broker()
        if processes.brokers:
            processes.begin_reading_offsets()
        if not self._foreign:
            self.url = processes.start_target()
            self.event("target_started", pid=self._target_pid, url=self.url)
        processes.end_reading_offsets()
        if not self._foreign or self.options.target_pid:
            processes.start_sampler(self.clock)

    @property
    def _target_pid(self) -> int | None:
        return self._processes.target.pid if self._processes.target else None

    # -- load ----------------------------------------------------------------------------------

    def begin_load(self, users: int) -> None:
        """The load begins now; the first row of requests.csv says that nothing was sent yet."""
        self._users = users
        self._write_metadata()
        self.tick(users)

    def tick(self, users: int) -> None:
        """Write one row of requests.csv."""
        if not self.ending:
            self._requests_csv.append(self.record.row(self.clock.now(), users))

    def inject_faults(self) -> None:
        """Let the faults of the run happen, each at its time; returns after the last one."""
        processes = self._processes
        self._injector = FaultInjector(
            self, self.options.fault, processes.broker, processes.brokers, self._target_pid
        )
        self._injector.follow(time.monotonic(), lambda: self.ending is not None)

    def watch(self) -> Ending | None:
        """Look after the target; cheap enough for ten times a second.

        Returns:
            How the run has to end now, or None while it goes on.
        """
        if self.ending:
            return self.ending
        self._look_for_emfile()
        self._look_for_refusal()
        self._look_for_stall()
        return self._ending_by_itself(self.clock.now().elapsed_s)

    def note_lateness(self, lateness_s: float) -> None:
        """Record once that requests leave late because the generator cannot keep up."""
        if not self._saturated:
            self._saturated = True
            self.event("generator_saturated", lateness_s=round(lateness_s, 3))

    def _look_for_emfile(self) -> None:
        if self._foreign or self._emfile_elapsed_s is not None:
            return
        line = self._target_log.first_match()
        if line:
            self._emfile_elapsed_s = self.clock.now().elapsed_s
            answered = self.record.requests - self.record.failures
            self.event("emfile", line=line, requests=answered)

    def _look_for_refusal(self) -> None:
        """A broker that keeps the target out is the broker's limit, not the target's."""
        line = None if self._refused else self._broker_log.first_match()
        if line:
            self._refused = True
            self.event("refused_by_broker", line=line)

    def _look_for_stall(self) -> None:
        silent = self.record.silent_s() >= self.options.request_timeout
        if silent and not self._stalled:
            self.event("stalled", silent_s=round(self.record.silent_s(), 3))
        self._stalled = silent

    def _ending_by_itself(self, elapsed_s: float) -> Ending | None:
        target = self._processes.target
        if target and target.returncode is not None:
            return Ending(ABORTED, f"the target ended by itself: {target.last_words()}")
        emfile = self._emfile_elapsed_s
        if emfile is None or elapsed_s - emfile < self.options.plateau:
            return None
        if self.record.silent_s() < min(self.options.plateau, self.options.request_timeout):
            return None  # a worker that still has descriptors goes on answering
        return Ending(EXHAUSTED, "the target has stopped answering: its descriptors are gone")

    # -- end -----------------------------------------------------------------------------------

    def finish(self, outcome: str, reason: str) -> None:
        """Stop everything and complete the run directory.

        Calling it again, from another thread or greenlet too, waits until that is done.
        """
        with self._finishing:
            if self._finished:
                return
            self._finished = True
            self.ending = self._judged_ending(outcome, reason)
            self._processes.stop_all_but_broker()
            if self.record.sent:
                self._draw_balance()
            self._processes.stop()
            self.event("run_ended", outcome=self.ending.outcome, reason=self.ending.reason)
            self._write_metadata()
            self._drop_empty_logs()

    def _judged_ending(self, outcome: str, reason: str) -> Ending:
        """A run that was stopped while the target lay dead has seen the exhaustion all the same."""
        if outcome == EXHAUSTED or self._emfile_elapsed_s is None:
            return Ending(outcome, reason)
        since_emfile_s = self.clock.now().elapsed_s - self._emfile_elapsed_s
        if since_emfile_s > 1.0 and self.record.silent_s() > since_emfile_s / 2:
            return Ending(EXHAUSTED, f"the target's descriptors are gone; {reason}")
        return Ending(outcome, reason)

    def _draw_balance(self) -> None:
        """Say what became of the messages, now that the target has flushed what it would."""
        try:
            if self._injector:
                self._injector.heal()  # the brokers have to answer
            self._messages = self._processes.balance(self.ledger)
        except ChildError as error:
            say(f"no ledger of messages: {error}")
            self.event("ledger_failed", reason=str(error))

    def _drop_empty_logs(self) -> None:
        for log in self.path.glob("*.log"):
            if log.stat().st_size == 0:
                log.unlink()

    # -- files ---------------------------------------------------------------------------------

    def event(self, name: str, **fields: object) -> None:
        """Append one event to events.jsonl."""
        self.directory.append_event(self.clock.now(), name, **fields)

    def _write_metadata(self) -> None:
        self.directory.write_metadata(
            {
                "run_id": self.run_id,
                "strategy": None if self._foreign else self.options.strategy,
                "started_at": self._started_at,
                "ended_at": _utc_now() if self.ending else None,
                "outcome": self.ending.outcome if self.ending else None,
                "ended_because": self.ending.reason if self.ending else None,
                "brokers": self._processes.brokers,
                "target": self._describe_target(),
                "load": self._describe_load(),
                "faults": [str(fault) for fault in self.options.fault],
                "sampling": {"interval_s": self.options.interval},
                "messages": self._messages,
                "latency_ms": self.record.latency_ms(),
                "host": describe_host(),
            }
        )

    def _describe_target(self) -> dict[str, Any]:
        if self._foreign:
            return {"url": self.url, "command": None, "fds_limit": None}
        return {
            "url": self.url,
            "command": self._processes.target_command,
            "fds_limit": self.options.fds_limit,
            "workers": self.options.workers,
            "threads": self.options.threads,
            "topic": self.topic,
            "broker_kind": None if self.options.bootstrap else self.options.broker,
        }

    def _describe_load(self) -> dict[str, Any]:
        options = self.options
        return {
            "workload": options.workload,
            "users": self._users,
            "rate": options.rate,
            "shape": f"ramp {options.ramp:g} s" if options.ramp else "constant",
            "ramp_s": options.ramp,
            "batch_size": options.batch_size,
            "payload_bytes": options.payload_bytes,
            "seed": options.seed,
            "request_timeout_s": options.request_timeout,
        }


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
