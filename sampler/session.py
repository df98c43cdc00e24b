"""One recording, from what is to be watched to the last sample."""

import os
import platform
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tidemark.record.clock import RunClock
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import DiskFullError
from tidemark.record.events import Gap
from tidemark.record.layout import ONLY_TARGET
from tidemark.record.metadata import ABORTED, COMPLETED, Target, utc_now
from tidemark.record.process import raise_descriptor_limit
from tidemark.sampler import procfs
from tidemark.sampler.budget import Budget
from tidemark.sampler.errors import SamplerError
from tidemark.sampler.journal import Journal
from tidemark.sampler.live import LiveLine
from tidemark.sampler.local import LocalSource
from tidemark.sampler.recorder import Recorder
from tidemark.sampler.ticks import StopSignal, Ticker

DEFAULT_BUDGET_SHARE = 0.01
"""What the sampler may use of one core on average."""
_COMPOSITION_TICKS = 5
"""The names of threads and descriptors are read no more often than every so many ticks."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to watch, and where to write it.

    Attributes:
        pid: Root of the target's tree.
        brokers: `host:port` of each broker.
        out: The run directory.
        target: The target's id.
        interval_s: Seconds between ticks.
        started_monotonic_s: `time.monotonic()` of the run's beginning; None: now.
        join: The run directory and its `run.json` exist and are somebody else's; the
            sampler ends with the process that started it.
        budget_share: Share of one core that it may use on average, 0.01 for 1 %.
        source: How to read connections, one of `connection_watch.SOURCES`.
        follow: Whether to go on with a target that was started again.
        pid_file: A file that names the root's pid after a restart, or None.
    """

    pid: int
    brokers: tuple[str, ...]
    out: Path
    target: str = ONLY_TARGET
    interval_s: float = 1.0
    started_monotonic_s: float | None = None
    join: bool = False
    budget_share: float = DEFAULT_BUDGET_SHARE
    source: str = "auto"
    follow: bool = True
    pid_file: Path | None = None

    def clock(self) -> RunClock:
        """The run's clock."""
        began_s = self.started_monotonic_s
        return RunClock.start() if began_s is None else RunClock(began_s)


def open_target(options: Options, budget: Budget) -> LocalSource:
    """What there is to watch.

    Raises:
        SamplerError: There is nothing, or it cannot be watched.
    """
    return LocalSource(
        options.target,
        options.pid,
        options.brokers,
        budget,
        composition_s=_COMPOSITION_TICKS * options.interval_s,
        connections=options.source,
        pid_file=options.pid_file,
        follow=options.follow,
    )


def run(options: Options, on_ready: Callable[[], None] = lambda: None) -> None:
    """Record until SIGINT or SIGTERM.

    Call it in the main thread: it takes over the two signals while it runs. A terminal
    at stderr gets a live line.

    Args:
        options: What to watch, and where to write it.
        on_ready: Called once, when the first sample is on disk.

    Raises:
        SamplerError: There is nothing to watch, or this is not Linux.
        RunDirectoryError: The run directory cannot be made or written; `DiskFullError` at
            the end if samples were lost.
    """
    if sys.platform != "linux":
        raise SamplerError(f"the sampler reads what Linux tells of processes, not {sys.platform}")
    budget = Budget(options.budget_share)
    source = open_target(options, budget)
    with ExitStack() as stack:
        stack.callback(source.close)
        directory = RunDirectory(options.out) if options.join else _begin(options, stack)
        raise_descriptor_limit()  # a big tree needs some
        journal = Journal(directory)
        stack.callback(journal.close)
        recorder = Recorder(journal, options.clock(), source, budget, options.interval_s)
        recorder.start()
        live = LiveLine(sys.stderr)
        stack.callback(live.close)
        stop = stack.enter_context(StopSignal())
        _loop(recorder, stop, options, live=live, on_ready=on_ready)
    if journal.lost_in_all:
        raise DiskFullError(
            f"{options.out}: {journal.lost_in_all} samples found no room on the disk and are lost;"
            " what was recorded before is whole"
        )


def _begin(options: Options, stack: ExitStack) -> RunDirectory:
    """Make the run directory; how the run ended is added to `run.json` when the stack is left."""
    metadata = _metadata(options)
    directory = RunDirectory.create(options.out)
    directory.write_metadata(metadata)

    def end(kind: type[BaseException] | None, *_: object) -> None:
        outcome = COMPLETED if kind is None else ABORTED
        directory.write_metadata({**metadata, "ended_at": utc_now(), "outcome": outcome})

    stack.push(end)
    return directory


def _metadata(options: Options) -> dict[str, object]:
    command = shlex.join(procfs.read_command(options.pid))
    return {
        "started_at": utc_now(),
        "brokers": list(options.brokers),
        "target": {"pid": options.pid, "command": command},
        "targets": [Target(options.target, pids=(options.pid,), command=command).to_json()],
        "host": {
            "system": platform.system(),
            "kernel": platform.release(),
            "cpus": os.cpu_count(),
            "page_size": procfs.PAGE_SIZE_BYTES,
            "clock_ticks_per_s": procfs.CLOCK_TICKS_PER_S,
            "python": platform.python_version(),
        },
    }


def _loop(
    recorder: Recorder,
    stop: StopSignal,
    options: Options,
    *,
    live: LiveLine,
    on_ready: Callable[[], None],
) -> None:
    parent = os.getppid()
    ticker = Ticker(options.interval_s, time.monotonic())
    recorder.tick()
    on_ready()
    ending = False
    while not ending:
        live.show(recorder.glance)
        missed = ticker.advance(time.monotonic())
        if missed:
            recorder.say(Gap(missed, options.interval_s))
        ending = stop.wait_until(ticker.due_s) or (options.join and os.getppid() != parent)
        recorder.tick(full=ending)
    live.show(recorder.glance)
