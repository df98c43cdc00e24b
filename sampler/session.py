"""One recording, from what is to be watched to the last sample."""

import contextlib
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from tidemark.record.clock import RunClock
from tidemark.record.command_line import announce
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import DiskFullError
from tidemark.record.events import Gap
from tidemark.record.metadata import ABORTED, COMPLETED, Target, sampling, utc_now
from tidemark.record.process import raise_descriptor_limit
from tidemark.record.roots import Root
from tidemark.record.secrets import shown_command, without_secrets
from tidemark.sampler import procfs
from tidemark.sampler.budget import Budget
from tidemark.sampler.errors import SamplerError
from tidemark.sampler.journal import Journal
from tidemark.sampler.live import LiveLine
from tidemark.sampler.local import open_targets
from tidemark.sampler.options import Options
from tidemark.sampler.recorder import Recorder
from tidemark.sampler.source import Source
from tidemark.sampler.ticks import Hurried, StopSignal, Ticker


def watch(values: Mapping[str, Any]) -> None:
    """Record until SIGINT, SIGTERM or SIGHUP; announces on stdout that the first sample is on disk.

    A last sample is taken then; a second signal does without it. Call it in the main thread:
    it takes over these signals while it runs. A terminal at stderr gets a live line.

    Args:
        values: A checked value for each of `OPTIONS`, by name.

    Raises:
        SamplerError: There is nothing to watch, or this is not Linux.
        RunDirectoryError: The run directory cannot be made or written; `DiskFullError` at
            the end if samples were lost.
    """
    if sys.platform != "linux":
        raise SamplerError(f"the sampler reads what Linux tells of processes, not {sys.platform}")
    options = Options(**values)
    budget = Budget(options.budget / 100, max(len(options.roots), 1))
    sources = _sources(options, budget)
    with ExitStack() as stack:
        for source in sources:
            stack.callback(source.close)
        stop = stack.enter_context(StopSignal())  # before anything is written
        directory = RunDirectory(options.out) if options.join else _begin(options, stack)
        raise_descriptor_limit()  # a big tree needs some
        journal = Journal(directory, options.retain)
        stack.callback(journal.close)
        began_s = options.started_monotonic
        clock = RunClock(journal.began_monotonic_s() if began_s is None else began_s)
        recorder = Recorder(journal, clock, sources, budget, options.interval)
        recorder.start()
        budget.began(clock.now().elapsed_s, time.process_time())
        live = LiveLine(sys.stderr)
        stack.callback(live.close)
        _loop(recorder, stop, live, options, _ticker(journal, recorder, clock, options.interval))
    if journal.lost_samples:
        raise DiskFullError(
            f"{options.out}: {journal.lost_samples} samples found no room on the disk and are lost;"
            " what was recorded before is whole"
        )


def _sources(options: Options, budget: Budget) -> Sequence[Source]:
    if options.pid:
        return open_targets(options, budget)
    from tidemark.sampler.page_source import PageSource  # noqa: PLC0415 (slow to load)

    return (PageSource(options.metrics_url or "", options.target, counts=not options.join),)


def _begin(options: Options, stack: ExitStack) -> RunDirectory:
    """Make the run directory; how the run ended is added to `run.json` when the stack is left."""
    metadata = _metadata(options)
    directory = RunDirectory.create(options.out, shared=options.share_files)
    directory.write_metadata(metadata)

    def end(kind: type[BaseException] | None, *_: object) -> None:
        outcome = COMPLETED if kind is None else ABORTED
        directory.write_metadata({**metadata, "ended_at": utc_now(), "outcome": outcome})

    stack.push(end)
    return directory


def _described(root: Root) -> Target:
    command = shown_command(procfs.read_command(root.pid))
    return Target(root.target, pids=(root.pid,), command=command)


def _metadata(options: Options) -> dict[str, object]:
    targets = [_described(root) for root in options.roots] or [Target(options.target)]
    only = targets[0] if len(targets) == 1 else Target("")
    page = without_secrets(options.metrics_url) if options.metrics_url else None
    return {
        "started_at": utc_now(),
        "brokers": list(options.brokers),
        "target": {
            "pid": next(iter(only.pids), None),
            "command": only.command,
            "metrics_url": page,
        },
        "targets": [target.to_json() for target in targets],
        "sampling": sampling(options.interval, options.retain),
        "host": {
            "system": platform.system(),
            "kernel": platform.release(),
            "cpus": os.cpu_count(),
            "page_size": procfs.PAGE_SIZE_BYTES,
            "clock_ticks_per_s": procfs.CLOCK_TICKS_PER_S,
            "python": platform.python_version(),
        },
    }


def _ticker(journal: Journal, recorder: Recorder, clock: RunClock, interval_s: float) -> Ticker:
    """Ticks from now on; what a former sampler's files lack until now is a gap."""
    now_s, last = time.monotonic(), journal.last
    if last is not None:
        former = Ticker(interval_s, clock.started_monotonic_s + last.elapsed_s)
        former.advance()
        missed = former.skip(now_s)
        if missed:
            recorder.say(Gap(missed, interval_s))
    return Ticker(interval_s, now_s)


def _loop(
    recorder: Recorder, stop: StopSignal, live: LiveLine, options: Options, ticker: Ticker
) -> None:
    parent = os.getppid()
    recorder.tick()
    announce(ready=True, pid=os.getpid())
    while True:
        live.show(recorder.glance)
        ticker.advance()
        ending = stop.wait_until(ticker.due_s) or (options.join and os.getppid() != parent)
        missed = ticker.skip(time.monotonic())
        if missed:
            recorder.say(Gap(missed, options.interval))
        if ending:
            break
        recorder.tick()
    with contextlib.suppress(Hurried):
        with stop.breaking_off():
            last = recorder.read(full=True)
        recorder.write(*last)
    live.show(recorder.glance)
