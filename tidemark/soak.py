"""One soak run: the processes it starts, the run directory it fills, and how it ends."""

from __future__ import annotations

import json
import shlex
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sampler.clock import RunClock
from sampler.errors import RunDirectoryError, TidemarkError
from sampler.rundir import RunDirectory
from sampler.schema import BROKER_LOG, TARGET_LOG
from targets.errors import TargetError
from targets.metadata import cluster_brokers
from tidemark.children import Child, python_module, say
from tidemark.errors import ChildError
from tidemark.host import describe_host
from tidemark.ledger import Ledger
from tidemark.logwatch import LogWatch
from tidemark.options import RunOptions
from tidemark.requests_record import RequestRecord

COMPLETED = "completed"
EXHAUSTED = "exhausted"
ABORTED = "aborted"

SAMPLER_LOG = "sampler.log"
LEDGER_LOG = "ledger.log"
LEDGER_TIMEOUT_S = 120.0
READY_TIMEOUT_S = 30.0
CLUSTER_TIMEOUT_S = 5.0
SAMPLER_BUDGET_PERCENT = 1.0  # of one core at one sample a second; in proportion when faster


@dataclass(frozen=True)
class Ending:
    """How a run ended and why, for run.json and the `run_ended` event."""

    outcome: str
    reason: str


class SoakRun:
    """A run from its first process to its complete run directory.

    `start` brings up what is missing (broker, target, sampler), `begin_load` and `tick` follow
    the load, `finish` stops everything again and completes run.json. Without `host` the target
    is started here; with it, the service is already there and only `options.target_pid` is
    watched.

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
        self._brokers: list[str] = list(options.bootstrap)
        self._children: list[Child] = []
        self._broker: Child | None = None
        self._target: Child | None = None
        self._offsets: dict[str, Any] | None = None
        self._messages: dict[str, Any] | None = None
        self._target_command: list[str] = []
        self._users: int | None = None
        self._emfile_elapsed_s: float | None = None
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
        self.directory = self._make_directory()
        self.clock = RunClock.start()
        self._started_at = _utc_now()
        self._log_watch = LogWatch(self.path / TARGET_LOG)
        self._write_metadata()
        self.event("run_started")
        try:
            self._start_children()
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
        if not self._foreign and self.options.target_pid:
            raise TidemarkError("--target-pid needs --host: without it, the target is started here")

    def _make_directory(self) -> RunDirectory:
        name = self.options.run_name
        if name:
            return RunDirectory.create(self.options.results / name)
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{self._label}"
        for suffix in ("", *(f"-{n}" for n in range(2, 100))):
            try:
                (self.options.results / (stamp + suffix)).mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise RunDirectoryError(
                    f"--results: {self.options.results} cannot be written ({error.strerror}); "
                    "choose another folder"
                ) from error
            return RunDirectory.create(self.options.results / (stamp + suffix))
        raise RunDirectoryError(f"--results: {self.options.results} holds 99 runs of this second")

    @property
    def _label(self) -> str:
        return "service" if self._foreign else self.options.strategy

    def _start_children(self) -> None:
        if not self._foreign and not self._brokers:
            self._brokers = self._start_broker()
        elif self._brokers:
            self._brokers = cluster_brokers(",".join(self._brokers), timeout_s=CLUSTER_TIMEOUT_S)
        reading = self._read_offsets() if self._brokers else None
        if not self._foreign:
            self._start_target()
        if reading:
            self._offsets = reading.wait_ready(READY_TIMEOUT_S)
        if not self._foreign or self.options.target_pid:
            self._start_sampler()

    def _start(self, name: str, arguments: list[str], log: str) -> tuple[Child, dict[str, Any]]:
        child = Child(name, arguments, self.path / log)
        self._children.append(child)
        return child, child.wait_ready(READY_TIMEOUT_S)

    def _start_broker(self) -> list[str]:
        arguments = [f"--brokers={self.options.brokers}", f"--topic={self.topic}"]
        command = python_module("targets.broker", *arguments)
        self._broker, ready = self._start("broker", command, BROKER_LOG)
        return list(ready["bootstrap"])

    def _start_target(self) -> None:
        options = self.options
        self._target_command = python_module(
            "targets.serve",
            options.strategy,
            f"--bootstrap={','.join(self._brokers)}",
            f"--topic={self.topic}",
            f"--bind=127.0.0.1:{options.target_port}",
            f"--workers={options.workers}",
            f"--threads={options.threads}",
            f"--fds-limit={options.fds_limit}",
        )
        self._target, ready = self._start("target", self._target_command, TARGET_LOG)
        self.url = ready["url"]
        self.event("target_started", pid=self._target.pid, url=self.url)

    def _start_sampler(self) -> None:
        pid = self._target.pid if self._target else self.options.target_pid
        arguments = [
            f"--pid={pid}",
            f"--brokers={','.join(self._brokers)}",
            f"--out={self.path}",
            f"--interval={self.options.interval}",
            f"--budget={SAMPLER_BUDGET_PERCENT * max(1.0, 1.0 / self.options.interval):g}",
            f"--started-monotonic={self.clock.started_monotonic_s!r}",
            "--join",
        ]
        self._start("sampler", python_module("sampler", *arguments), SAMPLER_LOG)

    def _read_offsets(self) -> Child:
        """Ask for the topic's offsets before the load, while the target starts."""
        child = Child("ledger", self._ledger_command("offsets"), self.path / LEDGER_LOG)
        self._children.append(child)
        return child

    def _ledger_command(self, what: str, *arguments: str) -> list[str]:
        return python_module(
            "tidemark.ledger_reader",
            what,
            f"--bootstrap={','.join(self._brokers)}",
            f"--topic={self.topic}",
            *arguments,
        )

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

    def watch(self) -> Ending | None:
        """Look after the target; cheap enough for ten times a second.

        Returns:
            How the run has to end now, or None while it goes on.
        """
        if self.ending:
            return self.ending
        self._look_for_emfile()
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
        line = self._log_watch.first_exhaustion()
        if line:
            self._emfile_elapsed_s = self.clock.now().elapsed_s
            self.event("emfile", line=line, requests=self._answered)

    def _look_for_stall(self) -> None:
        silent = self.record.silent_s() >= self.options.request_timeout
        if silent and not self._stalled:
            self.event("stalled", silent_s=round(self.record.silent_s(), 3))
        self._stalled = silent

    @property
    def _answered(self) -> int:
        return self.record.requests - self.record.failures

    def _ending_by_itself(self, elapsed_s: float) -> Ending | None:
        if self._target and self._target.returncode is not None:
            return Ending(ABORTED, f"the target ended by itself: {self._target.last_words()}")
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
            for child in reversed(self._children):
                if child is not self._broker:
                    child.stop()
            self._draw_balance()
            if self._broker:
                self._broker.stop()
            self.event("run_ended", outcome=self.ending.outcome, reason=self.ending.reason)
            self._write_metadata()
            self._drop_empty_logs()

    def _draw_balance(self) -> None:
        """Say what became of the messages, now that the target has flushed what it would."""
        if self._offsets is None or not self.record.sent:
            return
        with tempfile.NamedTemporaryFile(prefix="tidemark-ledger-") as states:
            states.write(self.ledger.states())
            states.flush()
            arguments = [
                f"--since={json.dumps(self._offsets)}",
                f"--states={states.name}",
                f"--batch-size={self.options.batch_size}",
                f"--run-id={self.run_id}",
                *(["--verify"] if self.options.verify_messages else []),
            ]
            command = self._ledger_command("balance", *arguments)
            child = Child("ledger", command, self.path / LEDGER_LOG)
            try:
                self._messages = child.wait_ready(LEDGER_TIMEOUT_S)
            except ChildError as error:
                say(f"no ledger of messages: {error}")
                self.event("ledger_failed", reason=str(error))
            finally:
                child.stop()

    def _judged_ending(self, outcome: str, reason: str) -> Ending:
        """A run that was stopped while the target lay dead has seen the exhaustion all the same."""
        if outcome == EXHAUSTED or self._emfile_elapsed_s is None:
            return Ending(outcome, reason)
        since_emfile_s = self.clock.now().elapsed_s - self._emfile_elapsed_s
        if since_emfile_s > 1.0 and self.record.silent_s() > since_emfile_s / 2:
            return Ending(EXHAUSTED, f"the target's descriptors are gone; {reason}")
        return Ending(outcome, reason)

    def _drop_empty_logs(self) -> None:
        for log in self.path.glob("*.log"):
            if log.stat().st_size == 0:
                log.unlink()

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
                "brokers": self._brokers,
                "target": self._describe_target(),
                "load": self._describe_load(),
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
            "command": shlex.join(self._target_command) or None,
            "fds_limit": self.options.fds_limit,
            "workers": self.options.workers,
            "threads": self.options.threads,
            "topic": self.topic,
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
