"""What the benchmark of reliability breaks, and what has to come of it."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from benchmarks.faults_asked import LOCUSTFILE, TAG
from tidemark.record.layout import REQUESTS, RUN_JSON, SAMPLES

LEAKING = "per-request-leaked"
STRATEGIES = (LEAKING, "shared", LEAKING, "pooled", LEAKING, "per-request-closed")
RUN_TIME_S = 14
RATE = 15
INTERVAL_S = 0.25
FIRST_S, LAST_S = 1.0, 10.0
"""When things break, seconds into the load."""
PAUSE_S = 3.0
AROUND_S = 3.0
"""So long before and after it broke something every tick is looked for."""
TICK_S = 0.5
"""Of runs whose missing ticks are counted: on a busy machine shorter ones go missing anyway."""
PATIENCE_S = 120.0
LEFT_AFTER_S = 15.0
SMALL_DISK = "1m"
FILLING = "filling"
"""What takes the room on a small disk."""
ROOT = Path(__file__).parents[1]


class NotBegunError(Exception):
    """A run ended, or took too long, before anything was done to it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run: what was said, and what is wrong with it, if anything."""

    said: str
    wrong: str
    tried: bool = True


@dataclass
class Bench:
    """A command under way in a folder, and everything that it started."""

    place: Path
    strategy: str
    program: str = "locust"
    more: tuple[str, ...] = ()
    interval_s: float = INTERVAL_S
    broken_s: float = 0.0  # when it was broken, Unix time
    tag: str = field(default_factory=lambda: uuid.uuid4().hex)
    process: subprocess.Popen[bytes] | None = None

    @property
    def results(self) -> Path:
        """Where runs go."""
        return self.place / "results"

    def on_disk(self, size: str) -> contextlib.AbstractContextManager[None]:
        """A small file system for what is recorded, if it has a size."""
        return small(self.results, size)

    def start(self) -> None:
        """Start it, and wait until its load has begun."""
        self.begin()
        self.until(lambda: self.rows("requests.csv") > 2, "its load began")

    def begin(self) -> None:
        """Start it."""
        self.go_on(
            *self.of_program(), f"--rate={RATE}", f"--interval={self.interval_s}",
            f"--results={self.results}", "--run-name=run", *self.more,
        )  # fmt: skip

    def of_program(self) -> list[str]:
        """What is run, and on what."""
        if self.program == "locust":
            of_target = [f"--strategy={self.strategy}", "--fds-limit=16384", "--workers=2"]
            return [*self.locust(), *of_target]
        return [
            "tidemark", "compare", f"--duration={RUN_TIME_S}", f"--strategies={self.strategy}",
            "--fds-limit=16384", "--workers=2",
        ]  # fmt: skip

    def locust(self) -> list[str]:
        """A headless run that lasts for some seconds."""
        return [
            "locust", f"--locustfile={LOCUSTFILE}", "--headless", "--only-summary",
            "--no-report", f"--run-time={RUN_TIME_S}s",
        ]  # fmt: skip

    def go_on(self, *command: str) -> None:
        """Start a Python module in the place of the one before."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOCUST_", "TIDEMARK_"))}
        with (self.place / "said.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**clean, TAG: self.tag, "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until something is so; raises NotBegunError if it never is."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            if time.monotonic() > deadline or (self.process and self.process.poll() is not None):
                raise NotBegunError(f"it ended, or {PATIENCE_S:g} s went by, before {what}")
            time.sleep(0.05)

    @property
    def run(self) -> Path:
        """The run directory."""
        folder = self.results / "run"
        return folder if self.program == "locust" else folder / self.strategy

    def rows(self, file: str) -> int:
        """The finished lines of a file of the run."""
        path = self.run / file
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def missing_ticks(self, file: str) -> str:
        """What to say if more than a tick is missing around the moment when it was broken."""
        with (self.run / file).open(newline="") as table:
            times = sorted({float(row["time_s"]) for row in csv.DictReader(table)})
        near = [at for at in times if abs(at - self.broken_s) < AROUND_S]
        last_s = min(self.broken_s + AROUND_S, times[-1])
        steps = [b - a for a, b in pairwise([*near, last_s])] or [AROUND_S]
        missed = round(max(steps) / self.interval_s) - 1
        return f"{missed} ticks missing in {file}" if missed > 1 else ""

    def wait(self) -> int | None:
        """Its exit code; None if it never ended."""
        assert self.process is not None
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            return None

    def ours(self) -> Iterator[psutil.Process]:
        """Everything that carries the tag."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(TAG) == self.tag:
                    yield process

    def find(self, *words: str) -> psutil.Process:
        """The first of them whose command line holds all these words."""
        for process in self.ours():
            with contextlib.suppress(psutil.Error):
                line = " ".join(process.cmdline())
                if all(word in line for word in words):
                    return process
        raise LookupError(f"no process {words}")

    def end(self) -> list[str]:
        """End what should have ended by itself, and return its command lines."""
        deadline = time.monotonic() + LEFT_AFTER_S
        while (left := list(self.ours())) and time.monotonic() < deadline:
            time.sleep(0.2)
        lines = []
        for process in left:
            with contextlib.suppress(psutil.Error):
                lines.append(" ".join(process.cmdline()[:4]) or process.name())
                process.kill()
        return lines


Break = Callable[[Bench, random.Random], None]


@dataclass(frozen=True)
class Case:
    """One way to break a run.

    Attributes:
        name: What the command line calls it.
        title: What the table calls it.
        times: How often it is tried.
        breaks: Does it, at a random moment of the load.
        codes: What `locust` or `compare` may exit with.
        checks: What `check` may exit with, of a clean strategy; of a leaking one, 1 and 3 may be,
            or what is here if the service died.
        events: One of these has to stand in events.jsonl; empty if none has to.
        outcomes: What `outcome` of run.json may be.
        program: What is run.
        more: Its further options.
        needs: Says what is missing on this machine, if anything.
        disk: The size of the file system for its results, as `mount` takes it.
        bench: What is run, if that is something else.
        interval_s: Of its samples.
        lives: The files whose writers go on; a tick of each may be missing.
        then: What is done when it has ended; returns what it exits with.
        also: What else has to be; says what is wrong, if anything.
    """

    name: str
    title: str
    times: int
    breaks: Break
    codes: frozenset[int]
    checks: frozenset[int]
    events: frozenset[str] = frozenset()
    outcomes: frozenset[str | None] = frozenset({"completed"})
    program: str = "locust"
    more: tuple[str, ...] = ()
    needs: Callable[[], str] = str
    disk: str = ""
    bench: type[Bench] = Bench
    interval_s: float = INTERVAL_S
    lives: tuple[str, ...] = ()
    then: Callable[[Bench, int | None], int | None] | None = None
    also: tuple[Callable[[Bench], str], ...] = ()

    def missing(self) -> str:
        """What is missing to try it."""
        return self.needs()

    def try_once(self, rng: random.Random, number: int, place: Path) -> Outcome:
        """Run, break, and look at what there is."""
        strategy = STRATEGIES[number % len(STRATEGIES)]
        bench = self.bench(place, strategy, self.program, self.more, self.interval_s)
        bench.results.mkdir()
        with bench.on_disk(self.disk):
            try:
                bench.start()
                time.sleep(rng.uniform(FIRST_S, LAST_S))
                bench.broken_s = time.time()
                self.breaks(bench, rng)
                code = bench.wait()
                code = self.then(bench, code) if self.then else code
            finally:
                left = bench.end()
            return self.judged(bench, code, left)

    def judged(self, bench: Bench, code: int | None, left: list[str]) -> Outcome:
        """What came of it."""
        wrong = [f"left: {line}" for line in left]
        if code not in self.codes:
            wrong.append(f"{self.name}: {self.program} exits {code}")
        wrong += _torn(bench.run, self.outcomes)
        wrong += [f"{self.name}: {text}" for text in map(bench.missing_ticks, self.lives) if text]
        wrong += [f"{self.name}: {text}" for text in (one(bench) for one in self.also) if text]
        if "Traceback" in (bench.place / "said.log").read_text(errors="replace"):
            wrong.append(f"{self.name}: a traceback")
        if self.events and not self.events & events_of(bench.run):
            wrong.append(f"{self.name}: none of {', '.join(sorted(self.events))}")
        check = subprocess.run(
            [sys.executable, "-m", "tidemark", "check", str(bench.run)],
            capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        word = (check.stdout or check.stderr).partition(":")[0].strip().splitlines()[0][:30]
        is_leaking = bench.strategy == LEAKING
        may = self.checks | {1, 3} if is_leaking and self.checks != {1} else self.checks
        may = may - {0} if is_leaking else may
        if check.returncode not in may:
            why = (
                f"{check.returncode} of {bench.strategy}: {(check.stdout or check.stderr)[:200]!r}"
            )
            wrong.append(f"{self.name}: check exits {why}")
        if not is_leaking and word in {"leak", "exhausted"}:
            wrong.append(f"{self.name}: false alarm on {bench.strategy}")
        return Outcome(f"{code}, {check.returncode} {word}", "; ".join(wrong))


def _torn(run: Path, outcomes: frozenset[str | None]) -> list[str]:
    try:
        content: dict[str, Any] = json.loads((run / RUN_JSON).read_text())
    except (OSError, ValueError) as error:
        return [f"run.json is not whole: {error}"]
    found = content.get("outcome") if content.get("ended_at") else None
    return [] if found in outcomes else [f"outcome {found}, not {' or '.join(map(str, outcomes))}"]


def events_of(run: Path) -> set[str]:
    """The names of what happened in a run."""
    path = run / "events.jsonl"
    lines = path.read_text(errors="replace").split("\n")[:-1] if path.exists() else []
    found = set()
    for line in lines:
        with contextlib.suppress(ValueError):
            found.add(str(json.loads(line).get("event")))
    return found


@contextlib.contextmanager
def small(folder: Path, size: str) -> Iterator[None]:
    """A file system of that size on a folder."""
    if not size:
        yield
        return
    options = f"size={size}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# -- what is done ----------------------------------------------------------------------------------


def _target(bench: Bench) -> psutil.Process:
    for line in (bench.run / "events.jsonl").read_text().split("\n")[:-1]:
        event = json.loads(line)
        if event["event"] == "target_started":
            return psutil.Process(event["pid"])
    raise LookupError("no target")


def _worker(bench: Bench) -> psutil.Process:
    return _target(bench).children()[0]


def itself(bench: Bench) -> psutil.Process:
    """The command itself."""
    assert bench.process is not None
    return psutil.Process(bench.process.pid)


def _part(*words: str) -> Callable[[Bench], psutil.Process]:
    return lambda bench: bench.find(*words)


_SAMPLER, _BROKER, _JVM = (
    _part("tidemark.sampler"),
    _part("targets.brokers"),
    _part("java", "kafka"),
)


def send(who: Callable[[Bench], psutil.Process], *signals: int) -> Break:
    """Send signals to one of its processes, one after the other."""

    def do(bench: Bench, rng: random.Random) -> None:
        process = who(bench)
        process.send_signal(signals[0])
        for signum in signals[1:]:
            time.sleep(rng.uniform(0.1, 1.0))
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signum)

    return do


def _pause(who: Callable[[Bench], psutil.Process]) -> Break:
    def pause(bench: Bench, _: random.Random) -> None:
        process = who(bench)
        process.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_S)
        process.send_signal(signal.SIGCONT)

    return pause


def _starve(bench: Bench, _: random.Random) -> None:
    """Four loops on each processor, until the run has ended."""
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(4 * (os.cpu_count() or 1))
    ]
    try:
        bench.wait()
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def fill(bench: Bench, _: random.Random) -> None:
    """Write until there is no room."""
    fill_up(bench.results)


def fill_up(folder: Path, leave_bytes: int = 0) -> None:
    """Fill the file system of a folder but for so much."""
    filling = folder / FILLING
    with contextlib.suppress(OSError), filling.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    if leave_bytes:
        os.truncate(filling, max(filling.stat().st_size - leave_bytes, 0))


def _no_kafka() -> str:
    is_there = (ROOT / ".kafka" / "jars").is_dir() and shutil.which("java")
    return "" if is_there else "no Kafka jars, or no Java"


def no_root() -> str:
    """What is missing to make a small file system."""
    return "" if os.geteuid() == 0 else "a small file system needs root"


KILL = signal.SIGKILL
ABORTED = frozenset({"aborted"})
CUT_OFF: dict[str, Any] = {"codes": frozenset({1}), "checks": frozenset({3}), "outcomes": ABORTED}
GOES_ON: dict[str, Any] = {"codes": frozenset({0, 1}), "checks": frozenset({0, 3})}
"""Locust itself exits with 1 when requests failed: those that a killed worker was at."""


def _signals(program: str) -> Iterator[Case]:
    ends = {"codes": frozenset({1, 130})} if program == "compare" else {}
    for name in ("SIGTERM", "SIGHUP", "SIGINT"):
        signum = getattr(signal, name)
        title = f"{name} to `{program}`"
        case = f"{program}-{name.lower()}"
        yield Case(case, title, 4, send(itself, signum), program=program, **{**CUT_OFF, **ends})
    twice = send(itself, signal.SIGINT, signal.SIGINT)
    name, title = f"{program}-sigint-twice", f"SIGINT to `{program}`, twice"
    yield Case(name, title, 4, twice, program=program, **{**CUT_OFF, **ends})


GONE: dict[str, Any] = {"codes": frozenset({-KILL}), "checks": frozenset({3})}
_BROKER_LOST: dict[str, Any] = {
    "codes": frozenset({3}), "checks": frozenset({3}), "events": frozenset({"broker_down"}),
    "outcomes": ABORTED,
}  # fmt: skip
CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case("kill-locust", "kill -9: the load generator", 20, send(itself, KILL),
             outcomes=frozenset({None}), **GONE),
        Case("kill-compare", "kill -9: `compare`", 8, send(itself, KILL), program="compare",
             outcomes=frozenset({None}), **GONE),
        Case("kill-compare-locust", "kill -9: the load generator of `compare`", 8,
             send(_part("locust", "--headless"), KILL), program="compare",
             codes=frozenset({1, 2, 3}), checks=frozenset({3}), outcomes=frozenset({None})),
        Case("kill-target", "kill -9: the target's master", 20, send(_target, KILL),
             codes=frozenset({1}), checks=frozenset({1}), events=frozenset({"target_exited"}),
             outcomes=frozenset({"died"}), interval_s=TICK_S,
             lives=(REQUESTS.file, SAMPLES.file)),
        Case("kill-worker", "kill -9: a worker of the target", 8, send(_worker, KILL),
             interval_s=TICK_S, lives=(REQUESTS.file, SAMPLES.file), **GOES_ON),
        Case("kill-sampler", "kill -9: the sampler", 20, send(_SAMPLER, KILL),
             codes=frozenset({3}), checks=frozenset({3}), events=frozenset({"sampler_lost"}),
             outcomes=frozenset({"completed", "aborted"}), interval_s=TICK_S,
             lives=(REQUESTS.file,)),
        Case("kill-broker", "kill -9: the brokers' process", 20, send(_BROKER, KILL),
             **_BROKER_LOST),
        Case("kill-kafka", "kill -9: one Kafka JVM of two", 4, send(_JVM, KILL),
             more=("--broker=kafka",), needs=_no_kafka,
             **{**_BROKER_LOST, "codes": frozenset({0, 3}),
                "outcomes": frozenset({"completed", "aborted"})}),
        *_signals("locust"),
        *_signals("compare"),
        Case("stop-worker", "SIGSTOP for 3 s: a worker of the target", 20, _pause(_worker),
             events=frozenset({"process_stopped"}), **GOES_ON),
        Case("stop-sampler", "SIGSTOP for 3 s: the sampler", 10, _pause(_SAMPLER),
             events=frozenset({"gap"}), **GOES_ON),
        Case("starved", "four busy loops on each processor", 4, _starve, **GOES_ON),
    )
}  # fmt: skip
"""By name; those of `faults_parts` come to them."""
