"""One recorded run: its service, its sampler, its load, and the run directory that they fill."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.memory.exchange import Poster
from benchmarks.memory.load import REQUEST_TIMEOUT_S, Load
from benchmarks.memory.plan import Recording
from benchmarks.memory.running import Running, unverified
from benchmarks.memory.services import Service, ServiceError
from tidemark.record.clock import RunClock
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import TidemarkError
from tidemark.record.events import (
    Event,
    GeneratorSaturated,
    RunEnded,
    RunStarted,
    SamplerLost,
    TargetExited,
    TargetStarted,
)
from tidemark.record.layout import ONLY_TARGET, REQUESTS, SAMPLER_LOG, TARGET_LOG
from tidemark.record.metadata import ABORTED, COMPLETED, DIED, Target, utc_now
from tidemark.record.process import signal_name
from tidemark.run.children import Child, python_module
from tidemark.run.journal import describe_host
from tidemark.run.load import LATE_S
from tidemark.run.requests_record import RequestRecord
from tidemark.sampler.options import OPTIONS

INTERVAL_S = 1.0
MOST_FAILED_SHARE = 0.02
"""A run of which more requests fail shows how a service fails, not how it keeps its memory."""
MOST_REQUESTS = 1.2
"""Of those that are expected: Poisson arrivals are hardly ever more."""
RECORDING, FAILED = "recording", "failed"
"""Keys of run.json: what was recorded, and why it is of no use."""
_SAMPLER_TIMEOUT_S = 60.0
_LOOK_S = 0.25
_NO_BROKER = "127.0.0.1:9"  # the sampler wants one; nobody listens there
_LONGEST_LOG_BYTES = 16_384
_CAN_READ_METRICS = any(option.name == "metrics_url" for option in OPTIONS)


class RunFailedError(Exception):
    """A run is of no use; says why.

    Args:
        reason: A sentence.
        outcome: That of run.json.
    """

    def __init__(self, reason: str, outcome: str = ABORTED) -> None:
        super().__init__(reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Ground:
    """What the runs have in common.

    Attributes:
        runs: The folder of the run directories.
        bootstrap: The addresses of the brokers.
    """

    runs: Path
    bootstrap: Sequence[str]


@dataclass(frozen=True, slots=True)
class Built:
    """A service that can be started.

    Attributes:
        service: What it is.
        build: Where its language was built.
        version: Of the folder that it was built from.
    """

    service: Service
    build: Path
    version: str


class Run:
    """One run under way.

    Args:
        recording: What is recorded.
        built: Its service.
        ground: What it shares with the other runs.

    Attributes:
        load: What was sent; None until that begins.
        path: The run directory.
    """

    def __init__(self, recording: Recording, built: Built, ground: Ground) -> None:
        self.recording = recording
        self.path = ground.runs / recording.name
        self.load: Load | None = None
        self._built = built
        self._service = built.service
        self._ground = ground
        self._facts: dict[str, Any] = {}
        self._running: Running | None = None
        self._sampler: Child | None = None

    async def begin(self) -> None:
        """Start everything that it takes; what is interrupted leaves nothing behind.

        Raises:
            RunFailedError: It is of no use; its directory says so.
        """
        self._make_directory()
        try:
            await self._start()
        except BaseException as error:
            await self._ended(error)
            raise

    async def drive(self) -> None:
        """Send its requests, and complete its directory. Raises as `begin` does."""
        try:
            await self._drive()
        except BaseException as error:
            await self._ended(error)
            raise
        await self._ended(None)

    # -- start -------------------------------------------------------------------------------------

    def _make_directory(self) -> None:
        self._directory = RunDirectory.create(self.path, shared=True)
        self._clock = RunClock.start()
        self._facts = {
            "strategy": self.recording.service,
            "started_at": utc_now(),
            "ended_at": None,
            "outcome": None,
            "brokers": list(self._ground.bootstrap) if self._service.kafka else [],
            "load": _describe_load(self.recording),
            "sampling": {"interval_s": INTERVAL_S},
            "host": describe_host(),
            RECORDING: {
                **self.recording.to_json(),
                "runtime": self._service.runtime,
                "half": self._service.half,
                "version": self._built.version,
            },
        }
        self._directory.write_metadata(self._facts)
        self._say(RunStarted())

    async def _start(self) -> None:
        try:
            await self._start_service()
            await self._start_sampler()
        except (ServiceError, TidemarkError, OSError) as error:
            raise RunFailedError(str(error)) from error

    async def _start_service(self) -> None:
        """Forks in this thread, with which the kernel ends the child; waits in another one."""
        self._running = running = Running(
            self._service,
            self._built.build,
            self.recording.injected,
            ",".join(self._ground.bootstrap),
            self._directory.file(TARGET_LOG),
        )
        await asyncio.to_thread(running.wait_healthy)
        url = self._service.url(running.port)
        # Its command as it was written down, not where it lies on this machine.
        target = {"url": url, "command": self._service.command}
        only = Target(ONLY_TARGET, url, (running.pid,), self._service.command)
        self._tell(target=target, targets=[only.to_json()])
        self._say(TargetStarted(pid=running.pid, url=url, target=ONLY_TARGET))

    async def _start_sampler(self) -> None:
        assert self._running
        brokers = self._ground.bootstrap if self._service.kafka else (_NO_BROKER,)
        command = python_module(
            "tidemark.sampler",
            f"--pid={self._running.pid}",
            f"--brokers={','.join(brokers)}",
            f"--out={self.path}",
            f"--interval={INTERVAL_S}",
            f"--started-monotonic={self._clock.started_monotonic_s!r}",
            "--join",
        )
        if self._service.metrics and _CAN_READ_METRICS:
            url = self._service.url(self._running.port, self._service.metrics)
            command.append(f"--metrics-url={url}")
        self._sampler = Child("sampler", command, self._directory.file(SAMPLER_LOG))
        await asyncio.to_thread(self._sampler.wait_ready, _SAMPLER_TIMEOUT_S)

    # -- load --------------------------------------------------------------------------------------

    async def _drive(self) -> None:
        assert self._running
        tls = unverified() if self._service.tls else None
        poster = Poster(self._running.port, self._service.post, tls)
        self.load = load = Load(
            poster.post, self._service.post, self.recording.rate, self.recording.seed
        )
        with self._directory.writer(REQUESTS) as rows:
            rows.append(load.record.row(self._clock.now(), 1))
            sending = asyncio.create_task(load.run(self.recording.duration_s))
            try:
                while not sending.done():
                    await self._until_tick(sending)
                    rows.append(load.record.row(self._clock.now(), 1))
            finally:
                sending.cancel()
                poster.close()
        sending.result()
        if load.lateness_s > LATE_S:
            self._say(GeneratorSaturated(lateness_s=round(load.lateness_s, 3)))
        self._judge(load.record, load.record.requests)

    async def _until_tick(self, sending: asyncio.Task[None]) -> None:
        """Wait for the next whole second of the run's clock, and see that all is well."""
        elapsed_s = self._clock.now().elapsed_s
        due_s = time.monotonic() + INTERVAL_S - elapsed_s % INTERVAL_S
        while (left_s := due_s - time.monotonic()) > 0 and not sending.done():
            await asyncio.wait({sending}, timeout=min(left_s, _LOOK_S))
            self._look()

    def _look(self) -> None:
        assert self._running
        assert self._sampler
        if ended := self._running.obituary():
            code, name = self._running.returncode, signal_name(self._running.returncode)
            code = None if name else code
            self._say(TargetExited(self._running.pid, None, code, name, ONLY_TARGET))
            raise RunFailedError(ended, DIED)
        if self._sampler.returncode is not None:
            reason = self._sampler.last_words()
            self._say(SamplerLost(reason=reason))
            raise RunFailedError(f"the sampler is gone: {reason}")
        if self.load:
            planned = self.recording.rate * self.recording.duration_s
            self._judge(self.load.record, max(self.load.record.requests, MOST_REQUESTS * planned))

    def _judge(self, record: RequestRecord, expected: float) -> None:
        """Too many failures of so many requests make a run useless, and none must be waited for."""
        is_silent = record.requests >= expected and not record.answered
        if record.failures > MOST_FAILED_SHARE * expected or is_silent:
            why = f", mostly {record.main_reason}" if record.main_reason else ""
            raise RunFailedError(f"{record.failures} of {record.requests} requests failed{why}")

    # -- end ---------------------------------------------------------------------------------------

    async def _ended(self, error: BaseException | None) -> None:
        """Stop everything and complete the run directory, or throw it away."""
        await asyncio.shield(asyncio.to_thread(self._stop))
        if error is not None and not isinstance(error, RunFailedError):
            shutil.rmtree(self.path, ignore_errors=True)
            return
        outcome = COMPLETED if error is None else error.outcome
        because = str(error) if error else "the load came to its end"
        self._say(RunEnded(outcome=outcome, reason=because))
        described = self._facts[RECORDING]
        if self.load:
            described["lateness_s"] = round(self.load.lateness_s, 3)
        if error:
            described[FAILED] = because
        latency_ms = self.load.record.latency_ms() if self.load else None
        self._tell(
            ended_at=utc_now(), outcome=outcome, ended_because=because, latency_ms=latency_ms
        )
        for log in self.path.glob("*.log"):
            _shorten(log)

    def _stop(self) -> None:
        if self._sampler:
            self._sampler.stop()
        if self._running:
            self._running.stop()

    def _tell(self, **facts: object) -> None:
        self._facts |= facts
        self._directory.write_metadata(self._facts)

    def _say(self, event: Event) -> None:
        self._directory.append_event(self._clock.now(), event)


def _describe_load(recording: Recording) -> Mapping[str, Any]:
    """`load` of run.json."""
    return {
        "workload": "open",
        "users": 1,
        "run_time_s": recording.duration_s,
        "rate": recording.rate,
        "shape": "constant",
        "ramp_s": 0.0,
        "seed": recording.seed,
        "request_timeout_s": REQUEST_TIMEOUT_S,
    }


def _shorten(log: Path) -> None:
    """Keep the end of a log; nothing of an empty one."""
    content = log.read_bytes()
    if not content:
        log.unlink()
    elif len(content) > _LONGEST_LOG_BYTES:
        log.write_bytes(content[-_LONGEST_LOG_BYTES:])
