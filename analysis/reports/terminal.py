"""What a run and a comparison look like in a terminal."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidemark.analysis.units import amount, count, duration, milliseconds
from tidemark.analysis.verdict.assessment import Assessment, Kind, Severity
from tidemark.analysis.verdict.faults import FaultEffect, left_text
from tidemark.analysis.verdict.model import Messages, ResourceVerdict, Verdict
from tidemark.record.layout import REPORT_HTML, REPORT_PNG
from tidemark.record.metadata import COMPLETED
from tidemark.record.metrics import JUDGED, USED, Metric

VERDICT_STYLE = {"clean": "green", "leak": "bold red", "inconclusive": "yellow"}
SEVERITY_STYLE = {
    Severity.FAIL: "bold red",
    Severity.UNKNOWN: "yellow",
    Severity.DOUBT: "yellow",
    Severity.PASS: "green",
    Severity.NOTE: "",
}

_GRAVE = (Severity.FAIL, Severity.UNKNOWN, Severity.DOUBT)
WIDE = 152  # columns that the whole comparison needs in one table
WORDS = frozenset({"strategy", "fault", "resource", "verdict", "outcome"})
"""The columns of words, which stand at the left; figures stand at the right."""

Cells = dict[str, Callable[[Assessment], str | Text]]
"""Columns of the comparison: their headings, and what stands below them for a run."""


def make_console() -> Console:
    """A console on standard output; a log is as wide as its lines, whatever the terminal was."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, WIDE))


def _outcome(one: Assessment) -> str:
    dead = one.verdict.exhausted
    if dead is None:
        return one.run.outcome
    if dead.requests is None:
        return f"died after {duration(dead.elapsed_s)}"
    return f"died at request {count(dead.requests)}"


def _verdict(found: ResourceVerdict | Verdict) -> Text:
    return Text(found.verdict, VERDICT_STYLE[found.verdict])


def _per_request(metrics: Sequence[Metric]) -> Cells:
    return {
        f"{metric.heading}/req": partial(
            lambda metric, one: amount(metric, one.summary.per_request.get(metric.name)), metric
        )
        for metric in metrics
    }


LOAD: Cells = {
    "requests": lambda one: count(one.summary.requests),
    "failed": lambda one: count(one.summary.failures),
    "lost": lambda one: count(one.verdict.messages.lost),
    "p50": lambda one: milliseconds(one.summary.latency.p50_ms),
    "p99": lambda one: milliseconds(one.summary.latency.p99_ms),
    **_per_request(USED),
}
JUDGEMENT: Cells = {**_per_request(JUDGED), "verdict": lambda one: _verdict(one.verdict)}


def print_comparison(console: Console, assessed: Sequence[Assessment], folder: Path) -> None:
    """Print a row per run, why the ones that are not clean are not, and where the files are."""
    wide = console.width >= WIDE
    for cells in [LOAD | JUDGEMENT | {"outcome": _outcome}] if wide else [LOAD, JUDGEMENT]:
        table = _table("strategy", *cells)
        for one in assessed:
            table.add_row(one.run.strategy, *(cell(one) for cell in cells.values()))
        console.print()
        console.print(table)
    console.print()
    faults = [fault for one in assessed for fault in one.summary.faults]
    if faults:
        console.print(_fault_table(assessed))
        _print_failed_faults(console, faults)
        console.print()
    reasons = [line for one in assessed for line in _reasons(one, with_outcome=not wide)]
    for line in reasons:
        console.print(Text(line))
    if reasons:
        console.print()
    _print_paths(console, folder)
    for one in assessed:
        console.print(Text(f"  run       {_shown(one.run.path)}"), soft_wrap=True)


def _reasons(one: Assessment, *, with_outcome: bool) -> Iterator[str]:
    """Say why a compared run is not simply clean: its end, its verdict, the messages it lost."""
    name = one.run.strategy
    if with_outcome and _outcome(one) != COMPLETED:
        yield f"{name}: {_outcome(one)}"
    if one.verdict.verdict != "clean":
        yield f"{name}: {one.reason}"
    yield from (f"{name}: {found.reason}" for found in one.findings if found.kind is Kind.LOSS)


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in WORDS else "right", no_wrap=True)
    return table


FAULT_CELLS: dict[str, Callable[[FaultEffect, Messages], str]] = {
    "failed": lambda fault, _: count(fault.failures),
    "recovered\nafter": lambda fault, _: fault.recovery_text,
    "fds\nleft": lambda fault, _: left_text(fault.fds_left),
    "conns\nleft": lambda fault, _: left_text(fault.connections_left),
    "lost\nin run": lambda _, messages: count(messages.lost),
    "duplicated\nin run": lambda _, messages: count(messages.duplicated),
}
"""Together with the longest name of a strategy within 80 columns."""


def _add_fault(table: Table, name: str, fault: FaultEffect, messages: Messages) -> None:
    table.add_row(name, *(cell(fault, messages) for cell in FAULT_CELLS.values()))


def _fault_table(assessed: Sequence[Assessment]) -> Table:
    """Below each fault a row per strategy, so that what can be compared stands together."""
    table = _table("fault", *FAULT_CELLS)
    happened = [(one, fault) for one in assessed for fault in one.summary.faults]
    for name in dict.fromkeys(fault.fault for _, fault in happened):
        table.add_row(Text(name, "bold"))
        for one, fault in happened:
            if fault.fault == name:
                _add_fault(table, f"  {one.run.strategy}", fault, one.verdict.messages)
    return table


def _print_failed_faults(console: Console, faults: Sequence[FaultEffect]) -> None:
    """Say why each fault that failed did; runs of one comparison often share the reason."""
    failed = [fault for fault in faults if fault.failed_because is not None]
    for line in dict.fromkeys(f"{fault.fault} failed: {fault.failed_because}" for fault in failed):
        console.print(Text(line))


def print_run(console: Console, assessment: Assessment) -> None:
    """Print what one run amounts to, a row per resource and per fault, and where the files are."""
    verdict, faults = assessment.verdict, assessment.summary.faults
    table = _table("resource", "per request", "per hour", "first", "last", "limit", "verdict")
    for found in verdict.resources.values():
        growth = [amount(found.metric, value) for value in (found.per_request, found.per_hour)]
        levels = [amount(found.metric, at, 4) for at in (found.baseline, found.last, found.limit)]
        table.add_row(found.metric.title, *growth, *levels, _verdict(found))
    for one in USED:
        table.add_row(one.title, amount(one, assessment.summary.per_request.get(one.name)))
    console.print()
    console.print(Text(f"{verdict.run}: {assessment.result}", SEVERITY_STYLE[assessment.gravest]))
    for finding in assessment.deciding:
        console.print(Text(f"  {finding.reason}"))
    console.print()
    console.print(table)
    if faults:
        happened = _table("fault", *FAULT_CELLS)
        for fault in faults:
            _add_fault(happened, fault.fault, fault, verdict.messages)
        console.print()
        console.print(happened)
        _print_failed_faults(console, faults)
    console.print()
    _print_paths(console, assessment.run.path)


def print_check(console: Console, assessment: Assessment) -> None:
    """Print the result and why in one line, and a line for whatever else speaks for or against."""
    said = None if assessment.result == "clean" else assessment.leading
    first = Text(assessment.result, SEVERITY_STYLE[assessment.gravest])
    console.print(first.append(f": {assessment.because}", ""), soft_wrap=True)
    for finding in assessment.findings:
        asked = finding.kind in {Kind.THRESHOLD, Kind.REGRESSION}
        if finding is not said and (asked or finding.severity in _GRAVE):
            line = Text(f"  {finding.severity.value:<12}", SEVERITY_STYLE[finding.severity])
            console.print(line.append(finding.reason, ""), soft_wrap=True)


def _print_paths(console: Console, folder: Path) -> None:
    for label, name in (("picture", REPORT_PNG), ("report", REPORT_HTML)):
        console.print(Text(f"  {label:<9} {_shown(folder / name)}"), soft_wrap=True)


def _shown(path: Path) -> str:
    """The path as the user would type it: relative where that is shorter."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def print_changes(console: Console, assessed: Sequence[Assessment], baseline: Path) -> None:
    """Print what changed in each run since the baseline."""
    console.print()
    console.print(Text(f"compared with {_shown(baseline)}"), soft_wrap=True)
    if not any(one.changes for one in assessed):
        console.print("  it holds none of these strategies")
    for one in assessed:
        for finding in one.findings:
            if finding.kind is Kind.REGRESSION:
                line = Text(f"  {one.run.strategy:<22} ")
                line.append(finding.reason, SEVERITY_STYLE[finding.severity])
                console.print(line, soft_wrap=True)
