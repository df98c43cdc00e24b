"""Long runs: 72 hours at 1 Hz with 4 processes, and 24 hours of one, made and then reported.

    python -m benchmarks.scale              # make both (once) and report them
    python -m benchmarks.scale --only-make

Reporting is timed in a process of its own, so that its peak memory is its own too.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tidemark.record import layout

MIB = 1024 * 1024
HOUR_S = 3600
SCRIPT = """
import json, sys, time
begun = time.monotonic()
from pathlib import Path
from {module} import {function}
found = {function}(Path(sys.argv[1])).verdict
# Not ru_maxrss: that of a child begins with what its parent had before the exec.
status = Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps([time.monotonic() - begun, peak, found.verdict, found.reason]))
"""
JUDGE = SCRIPT.format(module="tidemark.analysis.verdict.assessment", function="assess_directory")
REPORT = SCRIPT.format(module="tidemark.analysis.reports.files", function="write_run_report")


@dataclass(frozen=True)
class Size:
    """How long a run is, and what may be spent on it."""

    name: str
    hours: int
    processes: int
    longest_s: float
    most_mib: float


SIZES = (
    Size("72h-4-processes", 72, 4, 10.0, 800.0),
    Size("24h-1-process", 24, 1, 4.0, 800.0),
)


def make(size: Size, folder: Path, seed: int = 3) -> Path:
    """Write a run of that size; one of its processes leaks 1 descriptor per 1,000 requests."""
    path = folder / size.name
    if (path / layout.RUN_JSON).exists():
        return path
    path.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    at = np.arange(size.hours * HOUR_S) + 0.02 * rng.random(size.hours * HOUR_S)
    requests = np.cumsum(rng.poisson(20.0, len(at)))
    _samples(size, rng, at, requests).to_csv(path / layout.SAMPLES.file, index=False)
    _requests(at, requests).to_csv(path / layout.REQUESTS.file, index=False)
    _endpoints(rng, at).to_csv(path / layout.ENDPOINTS.file, index=False)
    _composition(size, at).to_csv(path / layout.COMPOSITION.file, index=False)
    events = io.StringIO()
    for event in ({"event": "run_started"}, {"event": "run_ended"}):
        events.write(json.dumps({"time_s": 1.7e9, "elapsed_s": 0.0, **event}) + "\n")
    (path / layout.EVENTS_JSONL).write_text(events.getvalue())
    metadata = {
        "format": layout.FORMAT,
        "strategy": "scale",
        "started_at": "2026-01-01T00:00:00Z",
        "ended_at": "2026-01-04T00:00:00Z",
        "outcome": "completed",
        "brokers": ["127.0.0.1:9092", "127.0.0.1:9093"],
        "target": {"fds_limit": 65536},
        "load": {"rate": 20},
        "host": {"cpus": 2},
    }
    (path / layout.RUN_JSON).write_text(json.dumps(metadata))
    return path


def _samples(
    size: Size, rng: np.random.Generator, at: np.ndarray, requests: np.ndarray
) -> pd.DataFrame:
    parts = []
    for number in range(size.processes):
        lost = requests // 1000 if number == 0 else 0
        columns: dict[str, object] = dict.fromkeys(layout.SAMPLES.columns, 0)
        columns |= {
            "time_s": (1.7e9 + at).round(6),
            "elapsed_s": at.round(6),
            "target": layout.ONLY_TARGET,
            "pid": 4000 + number,
            "process": "gunicorn",
            "fds": 40 + lost + rng.poisson(3, len(at)),
            "fds_limit": 65536,
            "threads": 20 + rng.integers(0, 2, len(at)),
            "rss_bytes": 80 * MIB + 4096 * rng.integers(0, 400, len(at)),
            "cpu_s": (0.1 * at).round(2),
            "established": 4 + rng.integers(0, 3, len(at)),
            "sample_cost_s": 0.000412,
            "swap_bytes": "",
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts).sort_values("elapsed_s", kind="stable")


def _requests(at: np.ndarray, requests: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time_s": (1.7e9 + at).round(6),
            "elapsed_s": at.round(6),
            "users": 1,
            "requests": requests,
            "failures": 0,
            "messages_accepted": 10 * requests,
            "p50_ms": 1.4,
            "p95_ms": 2.2,
            "p99_ms": 4.1,
        }
    )


def _endpoints(rng: np.random.Generator, at: np.ndarray) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "time_s": (1.7e9 + at).round(6),
                "elapsed_s": at.round(6),
                "target": layout.ONLY_TARGET,
                "endpoint": f"127.0.0.1:{port}",
                "held": 8 + rng.integers(0, 3, len(at)),
                "time_wait": rng.poisson(5, len(at)),
            }
        )
        for port in (9092, 9093)
    ]
    return pd.concat(parts).sort_values("elapsed_s", kind="stable")


def _composition(size: Size, at: np.ndarray) -> pd.DataFrame:
    names = [("thread", "rdk:broker*"), ("thread", "gunicorn"), ("fd", "socket"), ("fd", "pipe")]
    rows = [
        (1.7e9 + moment, moment, layout.ONLY_TARGET, 4000 + number, kind, name, 7)
        for moment in at[::10]
        for number in range(size.processes)
        for kind, name in names
    ]
    return pd.DataFrame(rows, columns=list(layout.COMPOSITION.columns))


def measure(script: str, path: Path) -> tuple[float, float, str, str]:
    """Seconds, peak MiB, verdict and reason of a script that is given a run directory."""
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{path}: {done.stderr.strip().splitlines()[-1]}")
    seconds, peak, verdict, reason = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), float(peak), str(verdict), str(reason)


def main() -> int:
    """Make, report and time the runs; the exit code says whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("results/bench-scale"))
    parser.add_argument("--only-make", action="store_true")
    options = parser.parse_args()
    good = True
    for size in SIZES:
        begun = time.monotonic()
        path = make(size, options.runs)
        rows = size.hours * HOUR_S * size.processes
        print(f"{size.name}: {rows:,} rows of samples (made in {time.monotonic() - begun:.0f} s)")
        if options.only_make:
            continue
        for name, script in (("load and judge", JUDGE), ("whole report", REPORT)):
            seconds, peak, verdict, _ = measure(script, path)
            fits = seconds <= size.longest_s and peak <= size.most_mib
            good &= fits
            print(
                f"  {name:15} {seconds:5.1f} s (bar {size.longest_s:.0f}), peak {peak:4.0f} MiB "
                f"(bar {size.most_mib:.0f}): {verdict}{'' if fits else '  TOO MUCH'}"
            )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
