"""How soon a command answers: wall-clock and CPU time from its start to its end.

    python -m benchmarks.startup

Each command is a process of its own, as a user starts it; median and largest of five, after one
that fills the page cache and writes the byte code.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidemark.record.directory import RunDirectory
from tidemark.record.layout import REQUESTS, SAMPLES
from tidemark.record.metrics import TCP_STATES

TIMES = 5
TICKS = 2_000
PID = 4711


@dataclass(frozen=True)
class Cost:
    """What one process took.

    Attributes:
        wall_s: Seconds from its start to its end.
        cpu_s: Seconds of CPU time, its children included.
    """

    wall_s: float
    cpu_s: float


def make_run(folder: Path) -> None:
    """Write a run of a healthy service: one process, a tick and ten requests a second."""
    run = RunDirectory.create(folder)
    with run.writer(SAMPLES) as samples, run.writer(REQUESTS) as requests:
        samples.append_all(map(_sample, range(TICKS)))
        requests.append_all(map(_answered, range(TICKS)))
    run.write_metadata(
        {
            "strategy": "shared",
            "started_at": "2026-01-01T00:00:00.000Z",
            "ended_at": "2026-01-01T00:33:20.000Z",
            "outcome": "completed",
            "brokers": ["127.0.0.1:9092"],
            "target": {"pid": PID, "fds_limit": 1024},
        }
    )


def _sample(tick: int) -> dict[str, object]:
    return {
        "time_s": 1_767_225_600.0 + tick,
        "elapsed_s": float(tick),
        "target": "target",
        "pid": PID,
        "process": "service",
        "fds": 40 + tick * 7 % 5,
        "fds_limit": 1024,
        "threads": 20 + tick % 2,
        "rss_bytes": (64 << 20) + (tick * 13 % 8 << 12),
        "cpu_s": 0.01 * tick,
        **dict.fromkeys(TCP_STATES, 0),
        "established": 2,
        "sample_cost_s": 0.0005,
    }


def _answered(tick: int) -> dict[str, object]:
    return {
        "time_s": 1_767_225_600.5 + tick,
        "elapsed_s": tick + 0.5,
        "users": 1,
        "requests": 10 * tick,
        "failures": 0,
        "messages_accepted": 100 * tick,
        "p50_ms": 3.0,
        "p95_ms": 5.0,
        "p99_ms": 8.0,
    }


def run_once(arguments: Sequence[str]) -> Cost:
    """Run `tidemark` with these arguments to its end.

    Raises:
        RuntimeError: It failed.
    """
    began_s = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tidemark", *arguments], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"tidemark {' '.join(arguments)} ended with {process.returncode}")
    return Cost(wall_s, used.ru_utime + used.ru_stime)


def measure(arguments: Sequence[str]) -> list[Cost]:
    """The costs of five runs, after one that does not count."""
    run_once(arguments)
    return [run_once(arguments) for _ in range(TIMES)]


def commands(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """What is measured: how it is shown, and its arguments."""
    for shown in ("--help", "--version", "sample --help"):
        yield shown, shown.split()
    yield f"check (a run of {TICKS:,} ticks)", ["check", str(folder)]


def main() -> None:
    """Measure and print."""
    print(f"median (largest) of {TIMES}, seconds")
    print(f"{'tidemark ...':32}{'wall':>16}{'CPU':>16}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        make_run(folder)
        for shown, arguments in commands(folder):
            costs = measure(arguments)
            wall = _of([cost.wall_s for cost in costs])
            cpu = _of([cost.cpu_s for cost in costs])
            print(f"{shown:32}{wall:>16}{cpu:>16}", flush=True)


def _of(figures: Sequence[float]) -> str:
    return f"{statistics.median(figures):.3f} ({max(figures):.3f})"


if __name__ == "__main__":
    main()
