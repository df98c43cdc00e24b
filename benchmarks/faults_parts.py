"""Further parts that the benchmark of reliability breaks: workers, agents, and a second try."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import time

import psutil

from benchmarks.faults_agent import AgentBench
from benchmarks.faults_broken import (
    GOES_ON,
    KILL,
    TICK_S,
    Bench,
    Case,
    send,
)
from tidemark.record.layout import REQUESTS, SAMPLES

OF_WORKERS = ("--processes=2",)


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


PARTS: tuple[Case, ...] = (
    Case("kill-locust-worker", "kill -9: a worker of the load generator", 20,
         send(_locust_worker, KILL), more=OF_WORKERS, codes=frozenset({3}),
         checks=frozenset({0, 3}), events=frozenset({"worker_lost"}), interval_s=TICK_S,
         lives=(REQUESTS.file, SAMPLES.file)),
    Case("kill-agent", "kill -9: the agent", 20, send(_agent, KILL), bench=AgentBench,
         codes=frozenset({3}), checks=frozenset({3}), events=frozenset({"agent_lost"}),
         interval_s=TICK_S, lives=(REQUESTS.file,)),
    Case("kill-fetcher", "kill -9: what fetches from the agent", 8, send(_fetcher, KILL),
         bench=AgentBench, interval_s=TICK_S, events=frozenset({"sampler_lost"}),
         lives=(REQUESTS.file, SAMPLES.file), **GOES_ON),
)  # fmt: skip
