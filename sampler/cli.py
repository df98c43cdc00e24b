"""The sampler as a command, and as a function for other commands."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sampler import procfs
from sampler.brokers import Brokers, parse_endpoints
from sampler.clock import RunClock
from sampler.errors import SamplerError, TidemarkError
from sampler.procsource import ProcfsSource
from sampler.recorder import Recorder
from sampler.rundir import RunDirectory
from sampler.ticks import StopSignal, Ticker
from sampler.tree import ProcessTree, identify


@dataclass(frozen=True, slots=True)
class Options:
    """What to watch, and where to write it.

    Attributes:
        pid: Root of the target's tree.
        brokers: `host:port` of each broker.
        out: The run directory.
        interval_s: Seconds between ticks.
        started_monotonic_s: `time.monotonic()` of the run's beginning; None: now.
        join: The run directory and its `run.json` exist and are somebody else's; the
            sampler ends with the process that started it.
    """

    pid: int
    brokers: tuple[str, ...]
    out: Path
    interval_s: float = 1.0
    started_monotonic_s: float | None = None
    join: bool = False


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _metadata(options: Options) -> dict[str, object]:
    return {
        "started_at": _utc_now(),
        "brokers": list(options.brokers),
        "target": {"pid": options.pid, "command": procfs.read_command(options.pid)},
        "host": {
            "system": platform.system(),
            "kernel": platform.release(),
            "cpus": os.cpu_count(),
            "page_size_bytes": procfs.PAGE_SIZE_BYTES,
            "clock_ticks_per_s": procfs.CLOCK_TICKS_PER_S,
            "python": platform.python_version(),
        },
    }


def run(options: Options, *, on_ready: Callable[[], None] | None = None) -> int:
    """Record until SIGINT or SIGTERM; returns the exit code.

    Call it in the main thread: it takes over the two signals while it runs.

    Args:
        options: What to watch, and where to write it.
        on_ready: Called once, when the first sample is on disk.

    Raises:
        SamplerError: There is nothing to watch.
        RunDirectoryError: The run directory cannot be made or written.
    """
    if options.interval_s <= 0:
        raise SamplerError(f"interval {options.interval_s}: must be more than 0 seconds")
    tree = ProcessTree(identify(options.pid))
    brokers = Brokers.resolve(options.brokers)
    clock = (
        RunClock.start()
        if options.started_monotonic_s is None
        else RunClock(options.started_monotonic_s)
    )
    directory = RunDirectory(options.out) if options.join else RunDirectory.create(options.out)
    metadata = {} if options.join else _metadata(options)
    if not options.join:
        directory.write_metadata(metadata)
    recorder = Recorder(directory, clock, tree, ProcfsSource(brokers), options.interval_s)
    try:
        with StopSignal() as stop:
            _loop(recorder, stop, options, on_ready)
    finally:
        recorder.close()
    if not options.join:
        directory.write_metadata({**metadata, "ended_at": _utc_now(), "outcome": "completed"})
    return 0


def _loop(
    recorder: Recorder,
    stop: StopSignal,
    options: Options,
    on_ready: Callable[[], None] | None,
) -> None:
    parent = os.getppid()
    ticker = Ticker(options.interval_s, time.monotonic())
    recorder.tick()
    if on_ready is not None:
        on_ready()
    while not stop.requested:
        missed = ticker.advance(time.monotonic())
        if missed:
            recorder.event("gap", missed_ticks=missed, interval_s=options.interval_s)
        stop.wait_until(ticker.due_s)
        recorder.tick()
        if options.join and os.getppid() != parent:
            return


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sampler", description="Watch a process and everything below it."
    )
    parser.add_argument("--pid", type=int, required=True, help="root of the target's tree")
    parser.add_argument("--brokers", required=True, help="host:port, separated by commas")
    parser.add_argument("--out", type=Path, required=True, help="the run directory")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between ticks")
    parser.add_argument(
        "--started-monotonic", type=float, help="CLOCK_MONOTONIC of the run's beginning"
    )
    parser.add_argument(
        "--join", action="store_true", help="write into a run that somebody else began"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, record, and turn errors into one line and an exit code."""
    given = _parser().parse_args(arguments)
    try:
        options = Options(
            pid=given.pid,
            brokers=parse_endpoints(given.brokers),
            out=given.out,
            interval_s=given.interval,
            started_monotonic_s=given.started_monotonic,
            join=given.join,
        )
        return run(options, on_ready=_print_ready)
    except TidemarkError as error:
        sys.stderr.write(f"sampler: {error}\n")
        return error.exit_code


def _print_ready() -> None:
    sys.stdout.write(json.dumps({"ready": True, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
