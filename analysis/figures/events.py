"""What happened, as it is marked in a picture and told in a report."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeGuard

from tidemark.analysis import units
from tidemark.analysis.run import Event, Run
from tidemark.analysis.verdict.faults import injected

MARKED = {
    "emfile": "EMFILE",
    "target_exited": "target exited",
    "target_restarted": "restart",
    "stalled": "stalled",
    "worker_lost": "load worker lost",
    "generator_saturated": "load generator saturated",
    "disk_full": "disk full",
    "fault_failed": "fault failed",
}
"""Events that get a line of their own in a picture, and what stands beside it."""

SHORTEST_SPAN_S = 0.5
"""A fault that was over sooner is marked as a moment: a worker that is killed."""

LOUD = frozenset({"emfile", "target_exited"})
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


def marks(events: Iterable[Event]) -> list[Mark]:
    """Return the moments to mark. Of repeated events only the first is named, with the count."""
    chosen = [event for event in events if event.name in MARKED]
    counts: dict[str, int] = {}
    for event in chosen:
        counts[event.name] = counts.get(event.name, 0) + 1
    found, named = [], set()
    for event in chosen:
        text = "" if event.name in named else _named(event, counts[event.name])
        named.add(event.name)
        found.append(Mark(event.elapsed_s, text, event.name in LOUD))
    return found


def _named(event: Event, times: int) -> str:
    text = MARKED[event.name]
    if event.name in LOUD:
        text += f" at {units.duration(event.elapsed_s)}"
    return text if times == 1 else f"{text} (first of {times:,})"


def spans(run: Run) -> list[Span]:
    """Return what is shaded, in order of time: faults, other outages of a broker, and gaps.

    Brokers that a fault took down are not shaded on their own: it is.
    """
    faults = [span for _, span in fault_spans(run)]
    outages = [span for span in _outages(run) if not any(_within(span, one) for one in faults)]
    return sorted([*faults, *outages, *_gaps(run.events)], key=lambda span: span.start_s)


def fault_spans(run: Run) -> list[tuple[str, Span]]:
    """Return each fault that lasted with its text, from when it began to when it was over.

    One that was cut short, or could not be ended, lasts to the next one or the end of the run.
    """
    faults = injected(run.events)
    found = []
    for fault, following in zip(faults, [*faults[1:], None][: len(faults)], strict=True):
        start, end = fault.started_elapsed_s, fault.ended_elapsed_s
        next_s = following.started_elapsed_s if following else None
        stop = end if end is not None else next_s or run.duration_s
        lasted = start is not None and stop - start >= SHORTEST_SPAN_S
        if start is None or not lasted or (end is None and not _was_down(run, start, stop)):
            continue
        cut = end is None and next_s is None
        found.append((fault.fault, Span(start, stop, span_text(fault.kind, start, stop, cut=cut))))
    return found


def fault_marks(run: Run) -> list[tuple[str, Mark]]:
    """Return each fault that was over at once with its text."""
    return [
        (fault.fault, Mark(start, f"{fault.kind} at {units.duration(round(start))}", loud=False))
        for fault in injected(run.events)
        if (start := fault.started_elapsed_s) is not None
        and (end := fault.ended_elapsed_s) is not None
        and end - start < SHORTEST_SPAN_S
    ]


def span_text(kind: str, start_s: float, end_s: float, *, cut: bool = False) -> str:
    """Return what stands beside a fault: outage 10 s to 16 s, or to the end of the run."""
    until = "the end" if cut else units.duration(round(end_s))
    return f"{kind} {units.duration(round(start_s))} to {until}"


def _within(outage: Span, fault: Span) -> bool:
    return fault.start_s <= outage.start_s <= fault.end_s


def _was_down(run: Run, start_s: float, stop_s: float) -> bool:
    return any(start_s <= span.start_s < stop_s for span in _outages(run))


def _outages(run: Run) -> list[Span]:
    down: dict[str, float] = {}
    found = []
    for event in run.events:
        broker = str(event.fields.get("broker", ""))
        if event.name == "broker_down":
            down.setdefault(broker, event.elapsed_s)
        elif event.name == "broker_up" and broker in down:
            found.append(Span(down.pop(broker), event.elapsed_s, f"broker {broker} down".strip()))
    rest = [Span(start, run.duration_s, f"broker {name} down") for name, start in down.items()]
    return found + rest


def _gaps(events: Iterable[Event]) -> list[Span]:
    """Return the stretches without samples; the sampler notes one when it is over."""
    found = []
    for event in events:
        missed, interval_s = event.fields.get("missed_ticks"), event.fields.get("interval_s")
        if event.name != "gap" or not _is_figure(missed) or not _is_figure(interval_s):
            continue
        start = max(0.0, event.elapsed_s - float(missed) * float(interval_s))
        found.append(Span(start, event.elapsed_s, "not sampled"))
    return found


def _is_figure(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def told(event: Event) -> str:
    """Return what belongs to an event as one line of text."""
    return ", ".join(f"{name} {_plain(value)}" for name, value in event.fields.items())


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return " ".join(str(item) for item in value)
    return str(value)
