"""Many targets: a run of 1,000 made, compacted, judged by one process, by two, and by Dask.

    python -m benchmarks.fleet                   # 1,000 targets of a day at 1 s, half an hour
    python -m benchmarks.fleet --interval 10     # the same at 10 s, ten minutes

Twelve of the targets leak: descriptors, connections, threads or memory. Verdicts must be right, and
the same from all three. Every process is measured by the most that it ever held (VmHWM), those of
the cluster included. Disk, rate and memory of `tidemark compact` are those of a smaller run that is
written as CSV, the rows of its targets mixed as a sampler writes them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.fleet_runs import Plan, make_compacted, make_csv
from tidemark.record import layout

MIB = 1 << 20
TIDEMARK = (sys.executable, "-m", "tidemark")
POLL_S = 0.2
CSV_TARGETS = 200
"""Targets of the run that is compacted: two hours of them at 1 s are a quarter of a gigabyte."""


@dataclass
class Spent:
    """What a command took.

    Attributes:
        name: What it is called.
        seconds: How long it ran.
        peaks: MiB that each process held at most, the largest first.
        cpu_s: CPU seconds of all of them together.
    """

    name: str
    seconds: float
    peaks: list[float]
    cpu_s: float

    def __str__(self) -> str:
        shown = ", ".join(f"{peak:.0f}" for peak in self.peaks)
        spent = f"{self.seconds:6.0f} s, CPU {self.cpu_s:6.0f} s"
        return f"{self.name:18} {spent}, peak MiB of each process: {shown}"


class Peaks(threading.Thread):
    """Looks again and again what the processes below some have held at most."""

    def __init__(self, roots: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self.roots = list(roots)
        self.found: dict[int, float] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        """Look until told to end."""
        while not self.ended.wait(POLL_S):
            for root in self.roots:
                self._look(root)

    def _look(self, root: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            for one in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
                status = Path(f"/proc/{one.pid}/status").read_text()
                if "VmHWM:" in status and "resource_tracker" not in " ".join(one.cmdline()):
                    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
                    self.found[one.pid] = max(peak, self.found.get(one.pid, 0.0))

    def end(self) -> list[float]:
        """The peaks, the largest first."""
        self.ended.set()
        self.join()
        return sorted(self.found.values(), reverse=True)


def spend(name: str, command: Sequence[str], beside: Sequence[int] = ()) -> Spent:
    """Run a command to its end; an exit code that is no verdict's ends it all."""
    begun, used = time.monotonic(), _cpu_s(beside)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        peaks = Peaks([process.pid, *beside])
        peaks.start()
        _, said = process.communicate()
    found = peaks.end()
    if process.returncode not in {0, 1, 3}:
        raise SystemExit(f"{name}: {said.decode().strip()}")
    spent = Spent(name, time.monotonic() - begun, found, _cpu_s(beside) - used)
    print(f"  {spent}", flush=True)
    return spent


def _cpu_s(beside: Sequence[int]) -> float:
    """CPU seconds of all children that have ended, and of those that go on beside them."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = [psutil.Process(pid).cpu_times() for pid in beside]
    return ended.ru_utime + ended.ru_stime + sum(one.user + one.system for one in running)


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[tuple[str, list[int]]]:
    """A Dask scheduler and so many workers of one thread each, in processes of their own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    base = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [
        subprocess.Popen(
            [*base, "--host", "127.0.0.1", "--port", str(port), "--dashboard-address", ":0"],
            **quiet,
        )
    ]
    try:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
        command += ["--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard"]
        alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        started += [subprocess.Popen(command, env=alone, **quiet) for _ in range(workers)]
        _wait_for(address, workers)
        yield address, [one.pid for one in started]
    finally:
        for one in reversed(started):
            _end(one)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End one of a cluster; a worker of Dask may wait for ever for a scheduler that has gone."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(address: str, workers: int) -> None:
    from distributed import Client  # noqa: PLC0415 - only where a cluster is asked for

    with Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=60)


def judge(
    name: str, command: Sequence[str], run: Path, beside: Sequence[int] = ()
) -> Mapping[str, Any]:
    """What verdict.json says of each target once a command has written it."""
    (run / layout.VERDICT_JSON).unlink(missing_ok=True)
    spend(name, command, beside)
    found: Mapping[str, Any] = json.loads((run / layout.VERDICT_JSON).read_text())["targets"]
    return found


def wrong(plan: Plan, found: Mapping[str, Any]) -> list[str]:
    """Where the verdicts are not what was made."""
    faults = []
    for target in plan.ids:
        leak = plan.leaks.get(target)
        wanted = {leak, "fds"} if leak == "connections" else {leak} - {None}
        resources = found[target]["resources"]
        said = {name for name, one in resources.items() if one["verdict"] == "leak"}
        if said != wanted or (not wanted and found[target]["verdict"] != "clean"):
            faults.append(f"{target}: leaks {wanted or 'nothing'}, and was told {said or 'clean'}")
    return faults


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    files = [path] if path.is_file() else list(path.rglob("*"))
    return sum(one.stat().st_size for one in files if one.is_file())


def measure_compact(plan: Plan, folder: Path) -> None:
    """What a smaller run takes as CSV and as Parquet, and what compacting it takes."""
    run = folder / f"csv-{plan.targets}"
    make_csv(plan, run)
    stems = [
        Path(table.file).stem for table in (layout.SAMPLES, layout.ENDPOINTS, layout.COMPOSITION)
    ]
    before = {stem: size_of(run / f"{stem}.csv") for stem in stems}
    whole = sum(before.values())
    hours = plan.duration_s / 3600
    what = f"{plan.targets} targets, {hours:g} h at {plan.interval_s:g} s"
    print(f"{what}: {whole / MIB:.0f} MiB of CSV")
    spent = spend("compact", [*TIDEMARK, "compact", str(run)])
    after = {stem: size_of(run / f"{stem}.parquet") for stem in stems}
    print(f"  {whole / MIB / spent.seconds:.0f} MiB of CSV a second")
    days = plan.targets * plan.duration_s / 86_400
    for stem in stems:
        csv, parquet = before[stem] / days / MIB, after[stem] / days / MIB
        print(f"  {stem:12} {csv:6.2f} MiB of CSV a target and day, {parquet:5.2f} of Parquet")
    shutil.rmtree(run)


def measure_judging(plan: Plan, folder: Path, *, all_ways: bool = True) -> bool:
    """Judge a run, in three ways; whether all verdicts are right, and the same."""
    run = folder / f"{plan.targets}-targets-{plan.interval_s:g}s"
    begun = time.monotonic()
    if not (run / layout.RUN_JSON).exists():
        make_compacted(plan, run)
    rows = plan.targets * len(plan.at)
    made = time.monotonic() - begun
    disk = size_of(run) / MIB
    print(f"{plan.targets:,} targets, {rows:,} samples, {disk:,.0f} MiB (made in {made:.0f} s)")
    report = [*TIDEMARK, "report", str(run)]
    if not all_ways:
        return not wrong(plan, judge("two processes", [*report, "--jobs", "2"], run))
    found = {}
    for name, jobs in (("one process", 1), ("two processes", 2)):
        found[name] = judge(name, [*report, "--jobs", str(jobs)], run)
    with cluster(2) as (address, pids):
        command = [*report, "--scheduler", address]
        found["Dask"] = judge("Dask, two workers", command, run, pids)
    faults = wrong(plan, found["one process"])
    is_same = all(one == found["one process"] for one in found.values())
    right = plan.targets - len(faults)
    print(f"  verdicts right: {right:,} of {plan.targets:,}; the same from all: {is_same}")
    for fault in faults[:20]:
        print(f"    {fault}")
    return is_same and not faults


def main() -> int:
    """Make, compact, judge; the exit code says whether the verdicts are right and the same."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("results/bench-fleet"))
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between samples")
    parser.add_argument("--hours", type=float, default=24.0)
    options = parser.parse_args()
    folder: Path = options.runs
    folder.mkdir(parents=True, exist_ok=True)
    measure_compact(Plan(CSV_TARGETS, duration_s=7200.0, leaking=0), folder)
    plan = Plan(options.targets, 12, options.hours * 3600.0, options.interval)
    quarter = Plan(max(options.targets // 4, 1), 12, options.hours * 3600.0, options.interval)
    are_right = measure_judging(quarter, folder, all_ways=False)  # memory does not grow with them
    return 0 if measure_judging(plan, folder) and are_right else 1


if __name__ == "__main__":
    sys.exit(main())
