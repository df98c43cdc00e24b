"""What the sampler costs beside ss, netstat, psutil and a bare dump, on the same sockets.

    python -m benchmarks.sampler --sizes 1000,20000,180234

`sockets.py` says what they are; the processes that connect are the target.
"""

import argparse
import csv
import json
import os
import platform
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.sockets import ENDPOINTS, PORT, die_with_parent
from tidemark.record.clock import RunClock
from tidemark.record.directory import RunDirectory
from tidemark.record.options import read_all
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.budget import Budget
from tidemark.sampler.journal import Journal
from tidemark.sampler.local import LocalSource
from tidemark.sampler.netlink import sockdiag as netlink
from tidemark.sampler.options import OPTIONS, Options
from tidemark.sampler.recorder import Recorder

ROOT = Path(__file__).parents[1]

STORY = 180_234
PAUSE_S = 1.0
MINUTES = 4

Times = tuple[float, float]
"""Wall-clock and CPU seconds."""


class Child:
    """A child that speaks JSON lines."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def read(self) -> Any:
        """The next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args!r}: ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, word: str) -> Any:
        """Say a word and read the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.read()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


# The measurements ------------------------------------------------------------------------


def timed(work: Callable[[], object]) -> Times:
    """Wall-clock and CPU time of something in this process."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


def bare_dump(bytecode: bytes) -> None:
    """Ask the same question as the sampler, read every byte of the answer, drop it."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_SOCK_DIAG) as diag:
        buffer = bytearray(netlink.BUFFER_BYTES)
        diag.send(netlink.dump_request(bytecode, 1))
        while diag.recv_into(buffer) and buffer[4] == netlink.TCPDIAG_GETSOCK:
            pass


def serve_samples(root: int) -> None:
    """Take a full sample, or a bare dump, whenever asked to; no budget, so that all is read."""
    die_with_parent()
    bytecode = netlink.filter_bytecode(Brokers.resolve(ENDPOINTS).addresses)
    with tempfile.TemporaryDirectory() as folder:
        given = {"pid": root, "brokers": ENDPOINTS, "out": folder}
        options, budget = Options(**read_all(OPTIONS, given)), Budget(float("inf"))
        source, journal = LocalSource(options, budget), Journal(RunDirectory.create(folder))
        recorder = Recorder(journal, RunClock.start(), [source], budget, options.interval)
        source.composition.pause()
        for word in sys.stdin:
            if word.strip() == "floor":
                answer: dict[str, object] = {"times": timed(lambda: bare_dump(bytecode))}
            else:
                answer = {"times": timed(recorder.tick), "held": recorder.glance.connections}
            status = Path("/proc/self/status").read_text()
            peak_kib = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            answer["peak_mib"] = int(peak_kib.split()[1]) / 1024
            print(json.dumps(answer), flush=True)
        source.close()
        journal.close()


def run_tool(*command: str) -> Times:
    """Wall-clock and CPU time of a tool whose output goes nowhere."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall_s = time.perf_counter()
    subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=600
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - wall_s, cpu_s


def with_psutil(root: int) -> None:
    """The same figures through psutil."""
    import psutil  # noqa: PLC0415 (not in the process whose memory is measured)

    for process in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
        process.net_connections("tcp")
        process.num_fds(), process.num_threads(), process.memory_info()


def median(times: list[Times]) -> Times:
    """Median of each."""
    return statistics.median(one[0] for one in times), statistics.median(one[1] for one in times)


def measure(size: int, repeats: int, slow_repeats: int) -> dict[str, Any]:
    """Everything at one size; the quick ones in turn, so that they share the machine's moods."""
    with Child("benchmarks.sockets", str(size)) as holder:
        root = holder.read()["root"]
        with Child("benchmarks.sampler", "--serve-samples", str(root)) as sampler:
            first = sampler.ask("tick")
            found: dict[str, list[Times]] = {"floor": [], "ours": [], "ss": []}
            last = first
            for _ in range(repeats):
                found["floor"].append(sampler.ask("floor")["times"])
                time.sleep(PAUSE_S)
                last = sampler.ask("tick")
                found["ours"].append(last["times"])
                found["ss"].append(run_tool("ss", "-tan", f"dport = :{PORT}"))
        found["psutil"] = [timed(lambda: with_psutil(root)) for _ in range(slow_repeats)]
        found["netstat"] = [run_tool("netstat", "-anp") for _ in range(slow_repeats)]
        minute = average_use(root) if size == STORY else None
    ratios = [mine[1] / floor[1] for mine, floor in zip(found["ours"], found["floor"], strict=True)]
    return {
        "size": size,
        "held": last["held"],
        "cold": first["times"],
        "peak_mib": last["peak_mib"],
        "ratios": ratios,
        "minute": minute,
        **{name: median(times) for name, times in found.items()},
    }


def average_use(root: int) -> dict[str, Any]:
    """CPU use of the sampler with its defaults: of the first minute, of the second, of any."""
    import psutil  # noqa: PLC0415 (not in the process whose memory is measured)

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "tidemark.sampler", "--pid", str(root)]
        process = subprocess.Popen(
            [*command, "--brokers", ",".join(ENDPOINTS), "--out", str(out)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (no threads here)
        )
        try:
            assert process.stdout is not None
            process.stdout.readline()
            watched, began_s, used = psutil.Process(process.pid), time.monotonic(), []
            for second in range(MINUTES * 60 + 1):
                time.sleep(max(began_s + second - time.monotonic(), 0))
                used.append(sum(watched.cpu_times()[:2]))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
        with (out / "samples.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
    ticks = {row["time_s"] for row in rows}
    full = {row["time_s"] for row in rows if row["process"] == "kernel"}
    fdless = [row for row in rows if row["process"] != "kernel" and not row["fds"]]
    return {
        "start_s": used[0],
        "first": (used[60] - used[0]) / 60,
        "second": (used[120] - used[60]) / 60,
        "worst": max(late - early for early, late in zip(used, used[60:], strict=False)) / 60,
        "all": (used[-1] - used[0]) / (60 * MINUTES),
        "ticks": len(ticks),
        "with_connections": len(full),
        "rows_without_fds": len(fdless),
    }


# The report ------------------------------------------------------------------------------


def show(result: dict[str, Any]) -> None:
    """Print one size."""
    ours, floor = result["ours"], result["floor"]
    print(f"\n{result['size']:,} connections ({result['held']:,} counted at the last sample)")
    print(f"{'':34}{'wall, s':>10}{'CPU, s':>10}{'wall / ours':>13}")
    for name, label in (
        ("floor", "bare dump, bytes dropped"),
        ("cold", "ours, first sample"),
        ("ours", "ours, 100 opened and closed a second"),
        ("ss", "ss -tan 'dport = :PORT'"),
        ("psutil", "psutil, the target's processes"),
        ("netstat", "netstat -anp"),
    ):
        wall_s, cpu_s = result[name]
        print(f"{label[:38]:38}{wall_s:6.3f}{cpu_s:10.3f}{wall_s / ours[0]:13.2f}")
    ratios = ", ".join(f"{ratio:.2f}" for ratio in result["ratios"])
    print(f"ours / floor, CPU: {ratios}; of the medians {ours[1] / floor[1]:.2f}")
    print(f"peak resident memory of the sampler: {result['peak_mib']:.1f} MiB")


def judge(result: dict[str, Any]) -> None:
    """Print the bars that hold at this size."""
    ours, floor, ss = result["ours"], result["floor"], result["ss"]
    if result["size"] == 20_000:
        verdict("CPU of a full sample", ours[1] * 1000, 40, "ms")
    if result["size"] != STORY:
        return
    verdict("steady state / floor, wall", ours[0] / floor[0], 1.3)
    verdict("steady state / floor, CPU", ours[1] / floor[1], 1.3)
    verdict("steady state / ss, wall", ours[0] / ss[0], 0.75)
    verdict("ours / netstat, wall", ours[0] / result["netstat"][0], 0.01)
    verdict("first sample, wall", result["cold"][0], 1.5, "s")
    verdict("peak memory", result["peak_mib"], 80, "MiB")
    minute = result["minute"]
    verdict("average CPU, first minute after the first sample", 100 * minute["first"], 1.0, "%")
    verdict("average CPU, second minute", 100 * minute["second"], 1.0, "%")
    verdict(f"average CPU, {MINUTES} minutes", 100 * minute["all"], 1.0, "%")
    verdict("average CPU, worst 60 s of these", 100 * minute["worst"], 1.0, "%")
    print(
        f"  {minute['ticks']} ticks, {minute['with_connections']} with connections,"
        f" {minute['rows_without_fds']} rows without descriptors;"
        f" start and first sample {minute['start_s']:.2f} s"
    )


def verdict(what: str, figure: float, bar: float, unit: str = "") -> None:
    """Print one bar and whether it is met."""
    met = "met" if figure <= bar else "MISSED"
    print(f"  {met:7}{what}: {figure:.3f} {unit} (at most {bar:g})")


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default=f"1000,20000,{STORY}", help="numbers of connections")
    parser.add_argument("--repeats", type=int, default=7, help="of the quick measurements")
    parser.add_argument("--slow-repeats", type=int, default=1, help="of psutil and netstat")
    parser.add_argument("--serve-samples", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if min(given.repeats, given.slow_repeats) < 1:
        parser.error("--repeats and --slow-repeats have to be at least 1: a median needs a figure")
    if given.serve_samples is not None:
        serve_samples(given.serve_samples)
        return
    cpus, load = os.cpu_count(), os.getloadavg()[0]
    python = platform.python_version()
    print(f"Linux {platform.release()}, {cpus} CPUs, Python {python}, load {load:.1f}")
    for size in map(int, given.sizes.split(",")):
        result = measure(size, given.repeats, given.slow_repeats)
        show(result)
        judge(result)


if __name__ == "__main__":
    main()
