"""What happened, as it is marked in a picture and told in a report."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.faults import injected
from tidemark.record.events import (
    BrokerDown,
    BrokerUp,
    DiskFull,
    Emfile,
    Event,
    FaultFailed,
    Gap,
    GeneratorSaturated,
    LevelReached,
    ProcessContinued,
    ProcessStopped,
    Recorded,
    RunResumed,
    SamplerLost,
    Stalled,
    TargetExited,
    TargetRestarted,
    WorkerLost,
)

MARKED: dict[type[Event], str] = {
    Emfile: "EMFILE",
    TargetExited: "target exited",
    BrokerDown: "broker died",
    SamplerLost: "sampler lost",
    TargetRestarted: "restart",
    RunResumed: "run resumed",
    Stalled: "stalled",
    WorkerLost: "load worker lost",
    GeneratorSaturated: "load generator saturated",
    DiskFull: "disk full",
    FaultFailed: "fault failed",
    LevelReached: "stopped",
}
"""Events that get a line of their own in a picture, and what stands beside it."""

LONGEST_BROKER = 32

MISSED_TICKS = 5.0
"""More than so many usual distances without any row of samples is a hole, told or not."""

SHORTEST_SPAN_S = 0.5
"""A fault that was over sooner is marked as a moment: a worker that is killed."""

LOUD = (Emfile, TargetExited, BrokerDown)
"""Events that a reader must not overlook."""


@dataclass(frozen=True)
class Mark:
    """A moment to mark.

    Attributes:
        elapsed_s: When, seconds since the run began.
        text: What stands beside it; empty for repetitions.
        loud: Whether it must not be overlooked.
    """

    elapsed_s: float
    text: str
    loud: bool


@dataclass(frozen=True)
class Span:
    """A stretch of time to shade.

    Attributes:
        start_s: Its beginning, seconds since the run began.
        end_s: Its end.
        text: What stands in it.
    """

    start_s: float
    end_s: float
    text: str


def marks(events: Iterable[Recorded[Event]], *, several: bool = False) -> list[Mark]:
    """Return the moments to mark. Of repeated events only the first is named, with the count.

    Args:
        events: What happened.
        several: Whether it happened to several targets, so that they are named.
    """
    chosen = [recorded for recorded in events if _is_marked(recorded.event)]
    counts = Counter(recorded.event.name for recorded in chosen)
    found, named = [], set()
    for recorded in chosen:
        name = recorded.event.name
        text = "" if name in named else _named(recorded, counts[name], several=several)
        named.add(name)
        found.append(Mark(recorded.elapsed_s, text, isinstance(recorded.event, LOUD)))
    return found


def _is_marked(event: Event) -> bool:
    by_a_fault = isinstance(event, BrokerDown) and not event.is_by_itself
    return type(event) in MARKED and not by_a_fault


def _named(recorded: Recorded[Event], times: int, *, several: bool) -> str:
    text = _what(recorded.event)
    target = getattr(recorded.event, "target", None)
    if several and target is not None:
        text = f"{units.shortened(target, LONGEST_BROKER)} {text.removeprefix('target ')}"
    if isinstance(recorded.event, LOUD):
        text += f" at {units.duration(recorded.elapsed_s)}"
    return text if times == 1 else f"{text} (first of {times:,})"


def _what(event: Event) -> str:
    """Say what happened: how a target ended, which broker died."""
    if isinstance(event, TargetExited) and event.signal is not None:
        return f"target killed by {units.shortened(event.signal, LONGEST_BROKER)}"
    if isinstance(event, TargetExited) and event.exit_code is not None:
        return f"target exited with code {event.exit_code}"
    if isinstance(event, BrokerDown):
        return f"{_broker(event)} died"
    if isinstance(event, LevelReached) and event.asked is not None:
        return f"stopped at {units.shortened(event.asked, LONGEST_BROKER)}"
    return MARKED[type(event)]


def _broker(event: BrokerDown) -> str:
    return f"broker {units.shortened(event.broker or '', LONGEST_BROKER)}".rstrip()


def spans(run: Run) -> list[Span]:
    """Return what is shaded, in order of time: faults, other outages of a broker, stops and gaps.

    Brokers that a fault took down are not shaded on their own: it is.
    """
    faults = [span for _, span in fault_spans(run)]
    outages = [
        span
        for span in _outages(run)
        if not any(one.start_s <= span.start_s <= one.end_s for one in faults)
    ]
    found = [*faults, *outages, *_stops(run), *unsampled(run)]
    return sorted(found, key=lambda span: span.start_s)


def fault_spans(run: Run) -> list[tuple[str, Span]]:
    """Return each fault that lasted with its text, from when it began to when it was over.

    One that was cut short, or could not be ended, lasts to the next one or the end of the run.
    """
    faults = injected(run.events)
    following = [*(fault.started_elapsed_s for fault in faults[1:]), None]
    found = []
    for fault, next_s in zip(faults, following[: len(faults)], strict=True):
        start, end = fault.started_elapsed_s, fault.ended_elapsed_s
        stop = end if end is not None else next_s or run.duration_s
        if start is None or stop - start < SHORTEST_SPAN_S:
            continue
        if end is not None or any(start <= span.start_s < stop for span in _outages(run)):
            cut = end is None and next_s is None
            text = span_text(fault.kind, start, stop, cut=cut)
            found.append((fault.fault, Span(start, stop, text)))
    return found


def fault_marks(run: Run) -> list[tuple[str, Mark]]:
    """Return each fault that was over at once with its text."""
    return [
        (fault.fault, fault_mark(fault.kind, start))
        for fault in injected(run.events)
        if (start := fault.started_elapsed_s) is not None
        and (end := fault.ended_elapsed_s) is not None
        and end - start < SHORTEST_SPAN_S
    ]


def fault_mark(kind: str, elapsed_s: float) -> Mark:
    """Return the mark of a fault that was over at once: target-kill at 45 s."""
    return Mark(
        elapsed_s,
        f"{units.shortened(kind, LONGEST_BROKER)} at {units.duration(round(elapsed_s))}",
        loud=False,
    )


def span_text(kind: str, start_s: float, end_s: float, *, cut: bool = False) -> str:
    """Return what stands beside a fault: outage 10 s to 16 s, or to the end of the run."""
    until = "the end" if cut else units.duration(round(end_s))
    return f"{units.shortened(kind, LONGEST_BROKER)} {units.duration(round(start_s))} to {until}"


def _outages(run: Run) -> list[Span]:
    down: dict[str, tuple[float, BrokerDown]] = {}
    found = []
    for recorded in run.events:
        event = recorded.event
        if isinstance(event, BrokerDown):
            down.setdefault(event.broker or "", (recorded.elapsed_s, event))
        elif isinstance(event, BrokerUp) and (event.broker or "") in down:
            found.append(_outage(*down.pop(event.broker or ""), recorded.elapsed_s))
    return found + [_outage(start, gone, run.duration_s) for start, gone in down.values()]


def _outage(start_s: float, gone: BrokerDown, end_s: float) -> Span:
    """A broker that died is named by its mark."""
    return Span(start_s, end_s, "" if gone.is_by_itself else f"{_broker(gone)} down")


def _stops(run: Run) -> list[Span]:
    """Return when any process was stopped, to the end of the run where it was not continued."""
    since: dict[tuple[str | None, int | None], float] = {}
    found = []
    for recorded in run.events:
        event, at = recorded.event, recorded.elapsed_s
        if isinstance(event, ProcessStopped):
            since.setdefault((event.target, event.pid), at)
        elif isinstance(event, ProcessContinued):
            start = since.pop((event.target, event.pid), at - (event.stopped_s or 0.0))
            found.append(Span(max(0.0, start), at, "stopped"))
    return _joined(found + [Span(start, run.duration_s, "stopped") for start in since.values()])


def unsampled(run: Run) -> list[Span]:
    """Return the stretches without samples: those that were noted, and what the table lacks.

    The sampler notes a gap when it is over. One that was lost notes nothing; nor is there
    anything to sample once the target is gone.
    """
    ticks = np.unique(run.samples["elapsed_s"].to_numpy(dtype=float))
    exits, restarts = run.events_of(TargetExited), run.events_of(TargetRestarted)
    gone = bool(exits) and not any(one.elapsed_s > exits[-1].elapsed_s for one in restarts)
    edges = ticks if gone else np.append(ticks, run.duration_s)
    steps = np.diff(edges)
    usual = float(np.median(np.diff(ticks))) if ticks.size > 1 else SHORTEST_SPAN_S
    holes = np.flatnonzero(steps > max(MISSED_TICKS * usual, SHORTEST_SPAN_S))
    found = [Span(float(edges[at]), float(edges[at + 1]), "not sampled") for at in holes]
    return _joined(found + _gaps(run))


def _joined(found: Iterable[Span]) -> list[Span]:
    """Return stretches of one kind in order of time, those that overlap as one."""
    joined: list[Span] = []
    for span in sorted(found, key=lambda span: span.start_s):
        if joined and span.start_s <= joined[-1].end_s:
            joined[-1] = replace(joined[-1], end_s=max(joined[-1].end_s, span.end_s))
        else:
            joined.append(span)
    return joined


def _gaps(run: Run) -> list[Span]:
    """Return the gaps that were noted."""
    found = []
    for recorded in run.events_of(Gap):
        missed, interval_s = recorded.event.missed_ticks, recorded.event.interval_s
        if missed is not None and interval_s is not None and missed >= 0 and interval_s >= 0:
            start = max(0.0, recorded.elapsed_s - missed * interval_s)
            found.append(Span(start, recorded.elapsed_s, "not sampled"))
    return found


def told(event: Event) -> str:
    """Return what belongs to an event as one line of text."""
    return ", ".join(f"{name} {_plain(value)}" for name, value in event.details().items())


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return " ".join(str(item) for item in value)
    return str(value)
