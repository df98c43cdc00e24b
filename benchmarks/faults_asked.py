"""Many runs with a random fault each: nothing is left running, every ledger adds up.

    python -m benchmarks.faults_asked --runs 10 --seed 1 [--kafka 3]

prints a line per run and ends with 1 when a run left a process behind, has a ledger that does not
add up, or cannot be reported.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import psutil

from tidemark.record.directory import RunDirectory
from tidemark.record.layout import RUN_JSON
from tidemark.run.faults import KINDS
from tidemark.targets.strategies import STRATEGIES

TAG = "TIDEMARK_BENCHMARK_TAG"
LOCUSTFILE = Path(__file__).parents[1] / "locustfiles" / "ingest.py"


def main() -> int:
    """Run and print; return the exit code."""
    parser = argparse.ArgumentParser(description="Runs with a random fault each.")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--kafka", type=int, default=2, help="how many of them on real brokers")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    bad = 0
    print(f"{'strategy':<22} {'broker':<6} {'fault':<20} left  adds up  report  messages")
    with tempfile.TemporaryDirectory(prefix="tidemark-faults-") as folder:
        for number in range(given.runs):
            bad += not _one_run(rng, Path(folder) / str(number), real=number < given.kafka)
    print(f"{given.runs - bad} of {given.runs} runs as they should be")
    return 1 if bad else 0


def _one_run(rng: random.Random, results: Path, *, real: bool) -> bool:
    strategy, kind = rng.choice(list(STRATEGIES)), rng.choice(list(KINDS))
    fault = f"{kind}@{rng.uniform(1, 6):.1f}"
    if KINDS[kind] is not None:
        fault += f"+{rng.uniform(1, 8):.1f}"
    broker, tag = ("kafka" if real else "mock"), uuid.uuid4().hex
    environment = {**os.environ, TAG: tag}
    _locust(strategy, broker, fault, results, environment)
    left = _left(tag)
    run = next(path.parent for path in results.glob(f"*/{RUN_JSON}"))
    messages: dict[str, Any] | None = RunDirectory(run).read_metadata().raw["messages"]
    adds_up = messages is not None and _adds_up(messages)
    report = subprocess.run(
        [sys.executable, "-m", "tidemark", "report", str(run)], capture_output=True, check=False
    )
    reported = report.returncode == 0
    print(
        f"{strategy:<22} {broker:<6} {fault:<20} {left:>4}  {adds_up!s:<7}  {reported!s:<6}  "
        + (_shown(messages) if messages else "no ledger"),
        flush=True,
    )
    return not left and adds_up and reported


def _locust(
    strategy: str, broker: str, fault: str, results: Path, environment: dict[str, str]
) -> None:
    subprocess.run(
        [
            sys.executable, "-m", "locust", f"--locustfile={LOCUSTFILE}", "--headless",
            "--only-summary", "--run-time=20s", "--rate=10", "--interval=0.5", "--no-report",
            f"--strategy={strategy}", f"--broker={broker}", f"--fault={fault}",
            f"--results={results}", "--verify-messages", "--fds-limit=4096",
        ],
        env=environment, capture_output=True, check=False, timeout=300,
    )  # fmt: skip


def _left(tag: str) -> int:
    """How many processes carry the tag in their environment and still run."""
    count = 0
    for process in psutil.process_iter():
        try:
            count += process.environ().get(TAG) == tag
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return count


def _adds_up(messages: dict[str, int]) -> bool:
    return messages["delivered"] == (
        messages["accepted"]
        - messages["lost"]
        + messages["undecided_delivered"]
        + messages["duplicated"]
        + messages["unknown"]
    )


def _shown(messages: dict[str, int]) -> str:
    shown = ("accepted", "delivered", "lost", "duplicated", "undecided")
    return ", ".join(f"{name} {messages[name]:,}" for name in shown)


if __name__ == "__main__":
    sys.exit(main())
