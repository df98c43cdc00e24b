"""The sampler as a command, and as a function for other commands."""

import argparse
import json
import math
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from tidemark.record.clock import RunClock
from tidemark.record.directory import RunDirectory
from tidemark.record.endpoints import parse_endpoints
from tidemark.record.errors import DiskFullError, TidemarkError
from tidemark.sampler import procfs
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.connections import ConnectionSource
from tidemark.sampler.errors import SamplerError
from tidemark.sampler.follow import RootWatch
from tidemark.sampler.host import Host, this_host
from tidemark.sampler.journal import Journal
from tidemark.sampler.live import LiveLine
from tidemark.sampler.recorder import Recorder
from tidemark.sampler.source import SOURCES, open_source
from tidemark.sampler.ticks import StopSignal, Ticker
from tidemark.sampler.tree import ProcessTree, identify

DEFAULT_BUDGET = 0.01
"""What the sampler may use of one core on average."""

_PROGRAM = "python -m tidemark.sampler"


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
        budget: Share of one core that the sampler may use on average, 0.01 for 1 %.
        source: How to read connections, one of `sampler.source.SOURCES`.
        follow: Whether to go on with a target that was started again.
        pid_file: A file that names the root's pid after a restart, or None.
    """

    pid: int
    brokers: tuple[str, ...]
    out: Path
    interval_s: float = 1.0
    started_monotonic_s: float | None = None
    join: bool = False
    budget: float = DEFAULT_BUDGET
    source: str = "auto"
    follow: bool = True
    pid_file: Path | None = None


def _check(options: Options) -> None:
    if not 0.01 <= options.interval_s < math.inf:
        raise SamplerError(f"interval {options.interval_s}: give 0.01 seconds or more")
    if not options.budget > 0:
        raise SamplerError(f"budget {options.budget}: give more than 0 % of one core")


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _metadata(options: Options, host: Host) -> dict[str, object]:
    return {
        "started_at": _utc_now(),
        "brokers": list(options.brokers),
        "target": {"pid": options.pid, "command": host.command(options.pid)},
        "host": {
            "system": platform.system(),
            "kernel": platform.release(),
            "cpus": os.cpu_count(),
            "page_size": procfs.PAGE_SIZE_BYTES,
            "clock_ticks_per_s": procfs.CLOCK_TICKS_PER_S,
            "python": platform.python_version(),
        },
    }


def run(
    options: Options,
    *,
    on_ready: Callable[[], None] | None = None,
    on_sample: Callable[[Recorder], None] | None = None,
) -> int:
    """Record until SIGINT or SIGTERM; returns the exit code.

    Call it in the main thread: it takes over the two signals while it runs. A terminal
    at stderr gets a live line.

    Args:
        options: What to watch, and where to write it.
        on_ready: Called once, when the first sample is on disk.
        on_sample: Called after each sample.

    Raises:
        SamplerError: There is nothing to watch.
        RunDirectoryError: The run directory cannot be made or written; `DiskFullError` at
            the end if samples were lost.
    """
    _check(options)
    host = this_host()
    tree = ProcessTree(host, identify(host, options.pid))
    brokers = Brokers.resolve(options.brokers)
    source, shortcoming = open_source(brokers, options.pid, options.source)
    with ExitStack() as stack:
        stack.callback(source.close)
        metadata = {} if options.join else _metadata(options, host)
        directory = RunDirectory(options.out) if options.join else RunDirectory.create(options.out)
        if not options.join:
            directory.write_metadata(metadata)
            stack.push(_end_of(directory, metadata))
        _raise_descriptor_limit()
        journal = Journal(directory)
        recorder = make_recorder(
            options, host=host, tree=tree, brokers=brokers, source=source, journal=journal
        )
        stack.callback(recorder.close)
        recorder.start(shortcoming)
        live = LiveLine(sys.stderr)
        stack.callback(live.close)
        stop = stack.enter_context(StopSignal())
        _loop(recorder, stop, options, live=live, on_ready=on_ready, on_sample=on_sample)
    if journal.lost_in_all:
        raise DiskFullError(
            f"{options.out}: {journal.lost_in_all} samples found no room on the disk and are lost;"
            " what was recorded before is whole"
        )
    return 0


def _end_of(directory: RunDirectory, metadata: dict[str, object]) -> Callable[..., None]:
    """Writes how the run ended into `run.json` when the context is left."""

    def end(kind: type[BaseException] | None, *_: object) -> None:
        outcome = "completed" if kind is None else "aborted"
        directory.write_metadata({**metadata, "ended_at": _utc_now(), "outcome": outcome})

    return end


def make_recorder(
    options: Options,
    *,
    host: Host,
    tree: ProcessTree,
    brokers: Brokers,
    source: ConnectionSource,
    journal: Journal,
) -> Recorder:
    """Put a recorder together; `Recorder.start` and `Recorder.tick` are the caller's to call."""
    started_s = options.started_monotonic_s
    return Recorder(
        journal=journal,
        clock=RunClock.start() if started_s is None else RunClock(started_s),
        host=host,
        tree=tree,
        root_watch=RootWatch(host, tree, options.pid_file, follow=options.follow),
        brokers=brokers,
        source=source,
        interval_s=options.interval_s,
        budget_share=options.budget,
    )


def _raise_descriptor_limit() -> None:
    """Take as many descriptors as the hard limit allows: a big tree needs some."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _loop(
    recorder: Recorder,
    stop: StopSignal,
    options: Options,
    *,
    live: LiveLine,
    on_ready: Callable[[], None] | None,
    on_sample: Callable[[Recorder], None] | None,
) -> None:
    parent = os.getppid()
    ticker = Ticker(options.interval_s, time.monotonic())
    ending = False
    while True:
        recorder.tick(full=ending)
        live.show(recorder.glance)
        if on_ready is not None:
            on_ready()
            on_ready = None
        if on_sample is not None:
            on_sample(recorder)
        if ending:
            return
        missed = ticker.advance(time.monotonic())
        if missed:
            recorder.event("gap", missed_ticks=missed, interval_s=options.interval_s)
        ending = stop.wait_until(ticker.due_s) or (options.join and os.getppid() != parent)


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with the options in one line."""

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _parser(program: str = _PROGRAM) -> argparse.ArgumentParser:
    parser = _OneLineParser(prog=program, description="Watch a process and everything below it.")
    add = parser.add_argument
    add("--pid", type=int, required=True, help="root of the target's tree")
    add("--brokers", required=True, help="host:port, separated by commas")
    add("--out", type=Path, required=True, help="the run directory")
    add("--interval", type=float, default=1.0, help="seconds between ticks (default: 1)")
    add("--started-monotonic", type=float, help="CLOCK_MONOTONIC of the run's beginning")
    add("--join", action="store_true", help="write into a run that somebody else began")
    add(
        "--budget",
        type=float,
        default=100 * DEFAULT_BUDGET,
        metavar="PERCENT",
        help="what the sampler may use of one core on average; inf: no limit (default: 1)",
    )
    add("--source", choices=SOURCES, default="auto", help="how to read connections")
    add("--no-follow", action="store_true", help="do not go on with a target started again")
    add("--pid-file", type=Path, help="names the target's pid after it was started again")
    return parser


def main(arguments: Sequence[str] | None = None, program: str = _PROGRAM) -> int:
    """Parse the command line, record, and turn errors into one line and an exit code.

    Args:
        arguments: The command line; None for this process's own.
        program: What the command is called in help and errors.
    """
    given = _parser(program).parse_args(arguments)
    try:
        options = Options(
            pid=given.pid,
            brokers=parse_endpoints(given.brokers),
            out=given.out,
            interval_s=given.interval,
            started_monotonic_s=given.started_monotonic,
            join=given.join,
            budget=given.budget / 100,
            source=given.source,
            follow=not given.no_follow,
            pid_file=given.pid_file,
        )
        return run(options, on_ready=_print_ready)
    except TidemarkError as error:
        sys.stderr.write(f"{program}: error: {error}\n")
        return error.exit_code


def _print_ready() -> None:
    sys.stdout.write(json.dumps({"ready": True, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
