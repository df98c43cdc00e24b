"""Record the corpus: every service, clean and leaking, watched by the real sampler.

    python -m benchmarks.memory.record --runs DIR --minutes 120 [--jobs 40] [--only NAME ...]
    python -m benchmarks.memory.record --runs DIR --part --list   # what a small part would be

Records what is not there yet, the most important first, until everything is there or the minutes
are over, and ends with 1 if a run was of no use. A run that is interrupted is recorded anew the
next time. Each language is built when its folder has changed, below --build.

No more runs go on at once than the processors have time for. Services give way to what sends
requests and takes samples, so that the recorder itself is best started without `nice`; where other
work keeps the processors busy, with `nice -n -10`, and that work with a positive niceness.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.memory.gate import LEAST_IDLE_SHARE, Gate
from benchmarks.memory.plan import Recording, in_part, plan, plan_part
from benchmarks.memory.recorded import read_recorded
from benchmarks.memory.run import Built, Ground, Run, RunFailedError
from benchmarks.memory.services import (
    DEFAULT_BUILD,
    SERVICES,
    Service,
    ServiceError,
    build,
    read_services,
    version,
)
from tidemark.record.errors import TidemarkError
from tidemark.run.children import NURSERY, Child, python_module

AROUND_S = 20.0
"""What a run takes beyond its load, at most on average: to start, and to stop."""
MOST_FAILURES = 3
"""A service of which so many runs in a row failed is left out."""
_BROKER_TIMEOUT_S = 30.0


class Queue:
    """What is still to be recorded, the most important first.

    Args:
        recordings: All of it.
        ends_s: When everything has to be over, on the monotonic clock, seconds.
    """

    def __init__(self, recordings: Iterable[Recording], ends_s: float) -> None:
        self._left = list(recordings)
        self._ends_s = ends_s
        self._failures: Counter[str] = Counter()

    def next(self) -> Recording | None:
        """The next one that there is time for; None when there is none."""
        number = self._first()
        return None if number is None else self._left.pop(number)

    @property
    def is_over(self) -> bool:
        """Whether there is none that there is time for."""
        return self._first() is None

    def _first(self) -> int | None:
        left_s = self._ends_s - time.monotonic() - AROUND_S
        for number, recording in enumerate(self._left):
            is_given_up = self._failures[recording.service] >= MOST_FAILURES
            if recording.duration_s <= left_s and not is_given_up:
                return number
        return None

    def came_out(self, recording: Recording, *, well: bool) -> None:
        """A recording has ended."""
        self._failures[recording.service] = 0 if well else self._failures[recording.service] + 1

    def left_out(self) -> list[str]:
        """The services that were given up."""
        return sorted(name for name, count in self._failures.items() if count >= MOST_FAILURES)

    def __len__(self) -> int:
        return len(self._left)


class Recorder:
    """Records what is in a queue, so many at once, and says what becomes of each.

    Args:
        built: Name -> service.
        ground: What runs have in common.
        queue: What is to be recorded.
        gate: Lets runs start.
    """

    def __init__(self, built: dict[str, Built], ground: Ground, queue: Queue, gate: Gate) -> None:
        self._built = built
        self._ground = ground
        self._queue = queue
        self._gate = gate
        self.failed: dict[str, str] = {}
        self.done = 0

    async def record(self, jobs: int) -> None:
        """Record until there is nothing left, or no time."""
        watching = asyncio.create_task(self._gate.watch())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(jobs):
                    group.create_task(self._work())
        finally:
            watching.cancel()

    async def _work(self) -> None:
        while not self._queue.is_over:
            async with self._gate:
                recording = self._queue.next()
                if recording is None:
                    return
                run = Run(recording, self._built[recording.service], self._ground)
                is_well = await self._is_well(run, run.begin())
            is_well = is_well and await self._is_well(run, run.drive())
            self._queue.came_out(recording, well=is_well)
            self.done += 1
            self._say(run)

    async def _is_well(self, run: Run, step: Awaitable[None]) -> bool:
        try:
            await step
        except (RunFailedError, TidemarkError) as error:
            self.failed[run.recording.name] = str(error)
            return False
        return True

    def _say(self, run: Run) -> None:
        name = run.recording.name
        told = run.load.record.told() if run.load else "not begun"
        late = f", {run.load.lateness_s:.2f} s late at most" if run.load else ""
        why = f": FAILED: {self.failed[name]}" if name in self.failed else ""
        print(f"{self.done} ({len(self._queue)} left) {name}: {told}{late}{why}", flush=True)


# -- preparations ----------------------------------------------------------------------------------


def built_services(services: Iterable[Service], into: Path) -> dict[str, Built]:
    """Name -> service of those whose language can be built; says which cannot."""
    built: dict[str, Built] = {}
    broken: set[Path] = set()
    for service in services:
        if service.here in broken:
            continue
        try:
            folder = build(service.here, into)
        except ServiceError as error:
            broken.add(service.here)
            print(f"left out: {error}", flush=True)
        else:
            built[service.name] = Built(service, folder, version(service.here))
    return built


def missing(recordings: Iterable[Recording], runs: Path, *, again: bool) -> list[Recording]:
    """Those that are not there yet; what is left of interrupted ones is thrown away.

    Args:
        recordings: What is wanted.
        runs: Where run directories are.
        again: Whether failed ones are recorded anew.
    """
    wanted = []
    for recording in recordings:
        path = runs / recording.name
        found = read_recorded(path)
        if found and not (found.failed and again):
            continue
        shutil.rmtree(path, ignore_errors=True)
        wanted.append(recording)
    return wanted


def chosen(services: Iterable[Service], patterns: Sequence[str]) -> list[Service]:
    """The services whose name or runtime is like one of the patterns; all without a pattern."""
    return [
        service
        for service in services
        if not patterns
        or any(fnmatch(name, p) for p in patterns for name in (service.name, service.runtime))
    ]


def start_brokers(log: Path) -> tuple[Child, list[str]]:
    """The embedded brokers of all runs, and their addresses."""
    command = python_module("tidemark.targets.brokers")
    brokers = Child("broker", command, log)
    return brokers, list(brokers.wait_ready(_BROKER_TIMEOUT_S)["bootstrap"])


# -- command ---------------------------------------------------------------------------------------


async def record(given: argparse.Namespace, recorder: Recorder, brokers: Child | None) -> None:
    """Record until there is nothing left, no time, no brokers, or SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(2 * given.jobs + 8))  # each waits for a process
    recording = asyncio.create_task(recorder.record(given.jobs))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, recording.cancel)
    latest_s = time.monotonic() + given.minutes * 60 + AROUND_S
    while not recording.done():
        await asyncio.wait({recording}, timeout=1.0)
        if brokers and brokers.returncode is not None:
            print(f"the brokers are gone: {brokers.last_words()}")
            recording.cancel()
        if time.monotonic() > latest_s:
            recording.cancel()
    try:
        await recording
    except asyncio.CancelledError:
        print("interrupted: what was under way is thrown away")


def main() -> int:
    """Record; the exit code says whether every run is of use."""
    given = _options()
    ends_s = time.monotonic() + given.minutes * 60
    services, planned = chosen(read_services(given.services), given.only), plan
    if given.part:
        services, planned = in_part(services), plan_part
    if given.list:
        print("\n".join(recording.name for recording in planned(services)))
        return 0
    given.runs.mkdir(parents=True, exist_ok=True)
    built = built_services(services, given.build)
    todo = missing(planned(one.service for one in built.values()), given.runs, again=given.again)
    brokers, bootstrap = None, given.bootstrap.split(",") if given.bootstrap else []
    print(f"{len(todo)} recordings of {len(built)} services are to be made", flush=True)
    try:
        if not bootstrap and any(one.service.kafka for one in built.values()):
            brokers, bootstrap = start_brokers(given.runs / "broker.log")
        queue = Queue(todo, ends_s)
        recorder = Recorder(built, Ground(given.runs, bootstrap), queue, Gate(given.idle / 100))
        asyncio.run(record(given, recorder, brokers))
    finally:
        NURSERY.close()
    _conclude(recorder, queue)
    return 1 if recorder.failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, required=True, help="folder of the run directories")
    parser.add_argument("--minutes", type=float, default=60.0, help="when to stop")
    parser.add_argument("--jobs", type=int, default=40, help="runs at once")
    parser.add_argument(
        "--idle",
        type=float,
        default=100 * LEAST_IDLE_SHARE,
        help="start a run only while so much of the processors is idle, in %%",
    )
    parser.add_argument("--only", action="append", default=[], help="name or runtime, repeatable")
    parser.add_argument("--part", action="store_true", help="a small part, of its own seed")
    parser.add_argument("--list", action="store_true", help="say what would be recorded, and end")
    parser.add_argument("--again", action="store_true", help="record failed ones anew")
    parser.add_argument("--build", type=Path, default=DEFAULT_BUILD, help="folder of the builds")
    parser.add_argument("--bootstrap", help="host:port,... of other brokers than the embedded ones")
    parser.add_argument("--services", type=Path, default=SERVICES, help="where services are")
    return parser.parse_args()


def _conclude(recorder: Recorder, queue: Queue) -> None:
    used = time.process_time()
    print(f"\n{recorder.done} runs, {len(queue)} left to record; {used:.0f} s of CPU time for load")
    for name in queue.left_out():
        print(f"given up after {MOST_FAILURES} failures in a row: {name}")
    for name, reason in sorted(recorder.failed.items()):
        print(f"of no use: {name}: {reason}")


if __name__ == "__main__":
    sys.exit(main())
