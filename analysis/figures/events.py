"""What happened, as it is marked in a picture and told in a report."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

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
    Recorded,
    Stalled,
    TargetExited,
    TargetRestarted,
    WorkerLost,
)

MARKED: dict[type[Event], str] = {
    Emfile: "EMFILE",
    TargetExited: "target exited",
    TargetRestarted: "restart",
    Stalled: "stalled",
    WorkerLost: "load worker lost",
    GeneratorSaturated: "load generator saturated",
    DiskFull: "disk full",
    FaultFailed: "fault failed",
}
"""Events that get a line of their own in a picture, and what stands beside it."""

SHORTEST_SPAN_S = 0.5
"""A fault that was over sooner is marked as a moment: a worker that is killed."""

LOUD = (Emfile, TargetExited)
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


def marks(events: Iterable[Recorded[Event]]) -> list[Mark]:
    """Return the moments to mark. Of repeated events only the first is named, with the count."""
    chosen = [recorded for recorded in events if type(recorded.event) in MARKED]
    counts = Counter(recorded.event.name for recorded in chosen)
    found, named = [], set()
    for recorded in chosen:
        name = recorded.event.name
        text = "" if name in named else _named(recorded, counts[name])
        named.add(name)
        found.append(Mark(recorded.elapsed_s, text, isinstance(recorded.event, LOUD)))
    return found


def _named(recorded: Recorded[Event], times: int) -> str:
    text = MARKED[type(recorded.event)]
    if isinstance(recorded.event, LOUD):
        text += f" at {units.duration(recorded.elapsed_s)}"
    return text if times == 1 else f"{text} (first of {times:,})"


def spans(run: Run) -> list[Span]:
    """Return what is shaded, in order of time: faults, other outages of a broker, and gaps.

    Brokers that a fault took down are not shaded on their own: it is.
    """
    faults = [span for _, span in fault_spans(run)]
    outages = [
        span
        for span in _outages(run)
        if not any(one.start_s <= span.start_s <= one.end_s for one in faults)
    ]
    return sorted([*faults, *outages, *_gaps(run)], key=lambda span: span.start_s)


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
    return Mark(elapsed_s, f"{kind} at {units.duration(round(elapsed_s))}", loud=False)


def span_text(kind: str, start_s: float, end_s: float, *, cut: bool = False) -> str:
    """Return what stands beside a fault: outage 10 s to 16 s, or to the end of the run."""
    until = "the end" if cut else units.duration(round(end_s))
    return f"{kind} {units.duration(round(start_s))} to {until}"


def _outages(run: Run) -> list[Span]:
    down: dict[str, float] = {}
    found = []
    for recorded in run.events:
        event = recorded.event
        if isinstance(event, BrokerDown):
            down.setdefault(event.broker or "", recorded.elapsed_s)
        elif isinstance(event, BrokerUp) and (event.broker or "") in down:
            start, text = down.pop(event.broker or ""), f"broker {event.broker or ''} down"
            found.append(Span(start, recorded.elapsed_s, text))
    rest = [Span(start, run.duration_s, f"broker {name} down") for name, start in down.items()]
    return found + rest


def _gaps(run: Run) -> list[Span]:
    """Return the stretches without samples; the sampler notes one when it is over."""
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
