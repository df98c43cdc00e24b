"""Drives the service of `benchmarks.routes_service` with Locust, for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemark.analysis.run import Run, load_run
from tidemark.record.layout import RUN_JSON

LOCUSTFILE = Path(__file__).with_name("routes_load.py")


@dataclass(frozen=True)
class Real:
    """A service: the seed of its chance, and what it leaks."""

    seed: int
    leak: str


@dataclass(frozen=True)
class Driven:
    """A run, and what the service has counted in it.

    Attributes:
        run: What was recorded.
        requests: How often each route was asked for.
        left: How many pieces were left behind.
    """

    run: Run
    requests: dict[str, int]
    left: int


def drive(service: Real, *, rate: float, seconds: float, interval_s: float) -> Driven:
    """Start brokers and a service, drive it, and end them."""
    with tempfile.TemporaryDirectory(prefix="tidemark-routes-") as folder:
        with ExitStack() as stack:
            _, brokers = stack.enter_context(_serving("tidemark", "broker"))
            bootstrap = brokers["bootstrap"]
            process, ready = stack.enter_context(
                _serving(
                    "benchmarks.routes_service",
                    f"--leak={service.leak}",
                    f"--seed={service.seed}",
                    f"--toward={bootstrap[0]}",
                )
            )
            subprocess.run(
                [
                    sys.executable, "-m", "locust", f"--locustfile={LOCUSTFILE}", "--headless",
                    "--only-summary", f"--run-time={seconds:g}s", f"--rate={rate:g}",
                    f"--interval={interval_s:g}", "--no-report", f"--host={ready['url']}",
                    f"--target-pid={ready['pid']}", f"--bootstrap={','.join(bootstrap)}",
                    f"--results={folder}",
                ],
                capture_output=True, check=False, timeout=seconds + 300,
            )  # fmt: skip
            process.terminate()
            counted: dict[str, Any] = json.loads(_line(process))
        (path,) = (found.parent for found in Path(folder).glob(f"*/{RUN_JSON}"))
        return Driven(load_run(path), counted["requests"], counted["left"])


@contextmanager
def _serving(*command: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A module that runs, and the line in which it says where."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        yield process, json.loads(_line(process))
    finally:
        process.terminate()
        process.wait(30)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()
