"""What the benchmark of reliability breaks: processes, by signals, and the time that they get."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil

from benchmarks.faults_bench import ROOT, Bench
from benchmarks.faults_case import Break, Case
from tidemark.record.layout import REQUESTS, SAMPLES

PAUSE_S = 3.0
TICK_S = 0.5
"""Of runs whose missing ticks are counted: on a busy machine shorter ones go missing anyway."""


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


def _no_kafka() -> str:
    is_there = (ROOT / ".kafka" / "jars").is_dir() and shutil.which("java")
    return "" if is_there else "no Kafka jars, or no Java"


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
