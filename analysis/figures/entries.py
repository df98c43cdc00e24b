"""Several runs beside each other: what each is called, how it is drawn, and what they show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tidemark.analysis import units
from tidemark.analysis.figures import events, style
from tidemark.analysis.figures.events import Mark, Span
from tidemark.analysis.figures.style import Look
from tidemark.analysis.run import LONGEST_NAME, Run, of_target
from tidemark.analysis.verdict import headline as headline_of_one
from tidemark.analysis.verdict.assessment import Assessment, Severity
from tidemark.analysis.verdict.model import Verdict
from tidemark.analysis.verdict.summary import Summary
from tidemark.analysis.verdict.target_result import foremost

LONGEST_LABEL = 22
GRAVE = (Severity.FAIL, Severity.UNKNOWN)


@dataclass(frozen=True)
class Entry:
    """One run of a comparison.

    Attributes:
        assessment: What there is to say of it.
        look: How it is drawn.
        name: What it is called in the picture.
        place: Its number in the comparison, from 0.
        of: How many there are.
        worst: Of a run that watched several targets what it recorded of the worst of them,
            which is drawn and named for it.
    """

    assessment: Assessment
    look: Look
    name: str
    place: int
    of: int
    worst: Run | None = None

    @property
    def run(self) -> Run:
        """The run, or its worst target."""
        return self.assessment.run if self.worst is None else self.worst

    @property
    def verdict(self) -> Verdict:
        """What was found on it."""
        if self.worst is None:
            return self.assessment.verdict
        return foremost(self.assessment.targets, self.worst.target).found

    @property
    def row(self) -> Summary:
        """Its row in the table."""
        if self.worst is None:
            return self.assessment.summary
        return foremost(self.assessment.targets, self.worst.target).summary

    @property
    def is_grave(self) -> bool:
        """Whether it failed or cannot be told."""
        return self.assessment.gravest in GRAVE

    @property
    def label(self) -> str:
        """Its name, cut in the middle where it is too long to stand beside a line."""
        if len(self.name) <= LONGEST_LABEL:
            return self.name
        half = (LONGEST_LABEL - 1) // 2
        return f"{self.name[:half]}…{self.name[-half:]}"

    @property
    def last_fds(self) -> float:
        """Descriptors at the end, of the process that holds most; 0 where unknown."""
        found = self.verdict.resources.get("fds")
        return (found.last if found else None) or 0.0

    @property
    def times_ms(self) -> tuple[float, float] | None:
        """Median and 99th percentile of its response times; None unless both are known."""
        p50, p99 = self.row.latency.p50_ms, self.row.latency.p99_ms
        return None if p50 is None or p99 is None else (p50, p99)

    @property
    def times(self) -> tuple[str, str]:
        """The same as they are shown."""
        return self.row.latency.p50, self.row.latency.p99


def entries(assessed: Sequence[Assessment]) -> list[Entry]:
    """Return the runs with their looks; runs of one strategy are told apart by their directory."""
    strategies = [one.run.strategy for one in assessed]
    names = [
        one.run.strategy
        if strategies.count(one.run.strategy) == 1
        else units.shortened(one.run.name, LONGEST_NAME)
        for one in assessed
    ]
    looks, found = style.looks(len(assessed)), []
    for place, (one, look, name) in enumerate(zip(assessed, looks, names, strict=True)):
        lead = foremost(one.targets, one.leading.target) if one.targets else None
        worst = None if lead is None else of_target(one.run, lead.id)
        called = name if worst is None else f"{name}, {worst.target}"
        found.append(Entry(one, look, called, place, len(assessed), worst))
    return found


def common_faults(runs: Sequence[Run]) -> tuple[list[Mark], list[Span]]:
    """Return the faults of several runs as moments and stretches, each named once.

    Each run's clock begins with its own start, and targets do not take equally long to come up:
    a stretch is what all runs that had the fault have in common; a moment is the median. A fault
    whose stretches have nothing in common is shaded where each was.
    """
    lasting: dict[str, list[Span]] = {}
    moments: dict[str, list[float]] = {}
    for run in runs:
        for fault, span in events.fault_spans(run):
            lasting.setdefault(fault, []).append(span)
        for fault, mark in events.fault_marks(run):
            moments.setdefault(fault, []).append(mark.elapsed_s)
    spans = [span for fault, each in lasting.items() for span in _common(fault, each)]
    marks = [
        events.fault_mark(fault.partition("@")[0], float(np.median(each)))
        for fault, each in moments.items()
    ]
    return marks, sorted(spans, key=lambda span: span.start_s)


def _common(fault: str, spans: Sequence[Span]) -> list[Span]:
    start, end = max(span.start_s for span in spans), min(span.end_s for span in spans)
    if end <= start:
        return list(spans)
    alike = len({span.text for span in spans}) == 1
    text = spans[0].text if alike else events.span_text(fault.partition("@")[0], start, end)
    return [Span(start, end, text)]


def headline(shown: Sequence[Entry]) -> str:
    """Return the finding of a comparison: what leaks worst, beside what holds least."""
    leaking = [entry for entry in shown if entry.verdict.verdict == "leak"]
    sound = [entry for entry in shown if not entry.is_grave and entry.last_fds]
    if not leaking:
        unsound: dict[str, list[str]] = {}
        for entry in shown:
            if entry.is_grave:
                unsound.setdefault(entry.assessment.result, []).append(entry.name)
        told = [f"{result}: {', '.join(names)}" for result, names in unsound.items()]
        whole = f"No leak in {units.several(len(shown), 'run')}"
        return "; ".join(["No leak seen", *told]) if told else whole
    worst = max(leaking, key=_severity)
    text = f"{worst.name}: {headline_of_one.statement(worst.run, worst.verdict)}"
    if sound:
        least = min(sound, key=lambda entry: entry.last_fds)
        best = next((entry for entry in sound if entry.run.is_reference), least)
        text += f"; {best.name} stays at {units.count(best.last_fds)}"
    return text


def _severity(entry: Entry) -> tuple[bool, float]:
    return entry.verdict.exhausted is not None, entry.row.per_request.get("fds") or 0.0
