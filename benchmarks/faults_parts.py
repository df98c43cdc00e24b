"""Further parts that the benchmark of reliability breaks: workers, agents, and a second try."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import psutil

from benchmarks.faults_agent import AgentBench, free_port
from benchmarks.faults_asked import LOCUSTFILE
from benchmarks.faults_bench import RATE, RUN_TIME_S, Bench
from benchmarks.faults_broken import GOES_ON, KILL, TICK_S, itself, send
from benchmarks.faults_case import Case
from tidemark.record.layout import REQUESTS, SAMPLES

LEAST_SENT = 0.7


def _locust_worker(bench: Bench) -> psutil.Process:
    """A worker of the load generator, by what the run says of it."""
    told = json.loads((bench.run / "run.json").read_text())["generators"]
    return psutil.Process(told[-1]["pid"])


def _agent(bench: Bench) -> psutil.Process:
    assert isinstance(bench, AgentBench)
    assert bench.agent is not None
    return psutil.Process(bench.agent.pid)


def _service(bench: Bench) -> psutil.Process:
    assert isinstance(bench, AgentBench)
    assert bench.service is not None
    return psutil.Process(bench.service.pid)


def _fetcher(bench: Bench) -> psutil.Process:
    return bench.find("tidemark.agent.fetch")


def resume(bench: Bench, _: int | None) -> int | None:
    """Go on with the run that was killed."""
    bench.go_on(
        "locust", f"--locustfile={LOCUSTFILE}", "--headless", "--only-summary",
        f"--resume={bench.run}",
    )  # fmt: skip
    return bench.wait()


def adds_up(bench: Bench) -> str:
    """What is wrong with the balance of the messages."""
    told = json.loads((bench.run / "run.json").read_text())["messages"]
    if told is None:
        return "no balance of the messages"
    had = told["accepted"] - told.get("unchecked", 0) - told["lost"] + told["undecided_delivered"]
    is_sound = had + told["duplicated"] + told["unknown"] == told["delivered"]
    is_sound = is_sound and not told["duplicated"] and not told["unknown"]
    return "" if is_sound else f"the messages do not add up: {told}"


def goes_on_counting(bench: Bench) -> str:
    """What is wrong with the counts and the times of a run that was gone on with."""
    with (bench.run / REQUESTS.file).open(newline="") as table:
        rows = list(csv.DictReader(table))
    for name in ("requests", "elapsed_s"):
        found = [float(row[name]) for row in rows]
        if found != sorted(found):
            return f"{name} falls"
    if int(rows[-1]["requests"]) < LEAST_SENT * RATE * RUN_TIME_S:
        return f"only {rows[-1]['requests']} requests"
    return ""


class WorkersBench(Bench):
    """A run with two workers, which meet where those of no other run do."""

    def of_program(self) -> list[str]:
        """Locust and its workers, on a port of their own."""
        port = free_port()
        ports = (f"--master-port={port}", f"--master-bind-port={port}")
        return [*super().of_program(), "--processes=2", *ports]


class BrokerBench(Bench):
    """A run whose brokers are somebody else's, and outlive it."""

    def of_program(self) -> list[str]:
        """Start the brokers, and write to them."""
        command = [sys.executable, "-m", "tidemark", "broker"]
        with (self.place / "broker.log").open("wb") as log:
            self.broker = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.until(lambda: bool(self._address()), "there were brokers")
        return [*super().of_program(), f"--bootstrap={self._address()}"]

    def _address(self) -> str:
        lines = (self.place / "broker.log").read_text().splitlines()
        found = [json.loads(line)["bootstrap"] for line in lines if line.startswith("{")]
        return ",".join(found[0]) if found else ""

    def end(self) -> list[str]:
        """End all of it."""
        left = super().end()
        self.broker.terminate()
        self.broker.wait()
        return left


VERIFIED = ("--verify-messages", "--topic=soak")
RESUMED = frozenset({"run_resumed"})
PARTS: tuple[Case, ...] = (
    Case("kill-locust-worker", "kill -9: a worker of the load generator", 20,
         send(_locust_worker, KILL), bench=WorkersBench, codes=frozenset({3}),
         checks=frozenset({0, 3}), events=frozenset({"worker_lost"}), interval_s=TICK_S,
          lives=(REQUESTS.file, SAMPLES.file)),
    Case("kill-agent", "kill -9: the agent", 20, send(_agent, KILL), bench=AgentBench,
         codes=frozenset({3}), checks=frozenset({3}), events=frozenset({"agent_lost"}),
         interval_s=TICK_S, lives=(REQUESTS.file,)),
    Case("kill-fetcher", "kill -9: what fetches from the agent", 8, send(_fetcher, KILL),
         bench=AgentBench, interval_s=TICK_S, events=frozenset({"sampler_lost"}),
         lives=(REQUESTS.file, SAMPLES.file), **GOES_ON),
    Case("resume", "kill -9: the load generator, then `--resume`", 20, send(itself, KILL),
         more=("--verify-messages",), codes=frozenset({0}), checks=frozenset({0, 3}),
         events=RESUMED, interval_s=TICK_S, then=resume, also=(adds_up, goes_on_counting)),
    Case("resume-brokers", "the same, with brokers that live on", 10, send(itself, KILL),
         bench=BrokerBench, more=VERIFIED, codes=frozenset({0}), checks=frozenset({0, 3}),
         events=RESUMED, interval_s=TICK_S, then=resume, also=(adds_up, goes_on_counting)),
    Case("resume-agent", "the same, beside an agent", 10, send(itself, KILL), bench=AgentBench,
         codes=frozenset({0}), checks=frozenset({0, 3}), events=RESUMED, interval_s=TICK_S,
         then=resume, also=(goes_on_counting,), lives=(SAMPLES.file,)),
)  # fmt: skip
