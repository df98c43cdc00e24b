"""What a run and a comparison look like in a terminal."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidemark.analysis.units import amount, count, duration, milliseconds
from tidemark.analysis.verdict.assessment import Assessment, Kind, Severity
from tidemark.analysis.verdict.faults import FaultEffect, left_text
from tidemark.analysis.verdict.model import Messages, ResourceVerdict
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


def make_console() -> Console:
    """A console on standard output; a log is as wide as its lines, whatever the terminal was."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, WIDE))


@dataclass(frozen=True)
class Column:
    """One column of the comparison."""

    heading: str
    cell: Callable[[Assessment], str | Text]
    justify: Literal["left", "right"] = "right"


def _outcome(one: Assessment) -> str:
    dead = one.verdict.exhausted
    if dead is None:
        return one.run.outcome
    if dead.requests is None:
        return f"died after {duration(dead.elapsed_s)}"
    return f"died at request {count(dead.requests)}"


LOAD_COLUMNS = (
    Column("requests", lambda one: count(one.summary.requests)),
    Column("failed", lambda one: count(one.summary.failures)),
    Column("lost", lambda one: count(one.verdict.messages.lost)),
    Column("p50", lambda one: milliseconds(one.summary.latency.p50_ms)),
    Column("p99", lambda one: milliseconds(one.summary.latency.p99_ms)),
)


def _per_request_column(metric: Metric) -> Column:
    heading = f"{metric.heading}/req"
    return Column(heading, lambda one: amount(metric, one.summary.per_request.get(metric.name)))


GROWTH_COLUMNS = tuple(map(_per_request_column, JUDGED))
USE_COLUMNS = tuple(map(_per_request_column, USED))
VERDICT = Column(
    "verdict", lambda one: Text(one.verdict.verdict, VERDICT_STYLE[one.verdict.verdict]), "left"
)
OUTCOME = Column("outcome", _outcome, "left")


def print_comparison(console: Console, assessed: Sequence[Assessment], folder: Path) -> None:
    """Print a row per run, why the ones that are not clean are not, and where the files are."""
    console.print()
    if console.width >= WIDE:
        columns = (*LOAD_COLUMNS, *USE_COLUMNS, *GROWTH_COLUMNS, VERDICT, OUTCOME)
        console.print(_table(assessed, columns))
    else:
        console.print(_table(assessed, (*LOAD_COLUMNS, *USE_COLUMNS)))
        console.print()
        console.print(_table(assessed, (*GROWTH_COLUMNS, VERDICT)))
    console.print()
    faults = [fault for one in assessed for fault in one.summary.faults]
    if faults:
        console.print(_fault_table(assessed))
        _print_failed_faults(console, faults)
        console.print()
    for one in assessed:
        if console.width < WIDE and _outcome(one) != COMPLETED:
            console.print(Text(f"{one.run.strategy}: {_outcome(one)}"))
        if one.verdict.verdict != "clean":
            console.print(Text(f"{one.run.strategy}: {one.reason}"))
        for finding in one.findings:
            if finding.kind is Kind.LOSS:
                console.print(Text(f"{one.run.strategy}: {finding.reason}"))
    console.print()
    _print_paths(console, folder)
    for one in assessed:
        console.print(Text(f"  run       {_shown(one.run.path)}"), soft_wrap=True)


def _table(assessed: Sequence[Assessment], columns: Sequence[Column]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("strategy", no_wrap=True)
    for column in columns:
        table.add_column(column.heading, justify=column.justify, no_wrap=True)
    for one in assessed:
        table.add_row(one.run.strategy, *(column.cell(one) for column in columns))
    return table


@dataclass(frozen=True)
class FaultColumn:
    """One column of the table of faults."""

    heading: str
    cell: Callable[[FaultEffect, Messages], str]


FAULT_COLUMNS = (
    FaultColumn("failed", lambda fault, _: count(fault.failures)),
    FaultColumn("recovered\nafter", lambda fault, _: fault.recovery_text),
    FaultColumn("fds\nleft", lambda fault, _: left_text(fault.fds_left)),
    FaultColumn("conns\nleft", lambda fault, _: left_text(fault.connections_left)),
    FaultColumn("lost\nin run", lambda _, messages: count(messages.lost)),
    FaultColumn("duplicated\nin run", lambda _, messages: count(messages.duplicated)),
)
"""Together with the longest name of a strategy within 80 columns."""


def _new_fault_table(heading: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(heading, no_wrap=True)
    for column in FAULT_COLUMNS:
        table.add_column(column.heading, justify="right", no_wrap=True)
    return table


def _fault_cells(fault: FaultEffect, messages: Messages) -> list[str]:
    return [column.cell(fault, messages) for column in FAULT_COLUMNS]


def _fault_table(assessed: Sequence[Assessment]) -> Table:
    """Below each fault a row per strategy, so that what can be compared stands together."""
    table = _new_fault_table("fault")
    happened = [(one, fault) for one in assessed for fault in one.summary.faults]
    for name in dict.fromkeys(fault.fault for _, fault in happened):
        table.add_row(Text(name, "bold"))
        for one, fault in happened:
            if fault.fault == name:
                cells = _fault_cells(fault, one.verdict.messages)
                table.add_row(f"  {one.run.strategy}", *cells)
    return table


def _print_failed_faults(console: Console, faults: Sequence[FaultEffect]) -> None:
    """Say why each fault that failed did; runs of one comparison often share the reason."""
    failed = [fault for fault in faults if fault.failed_because is not None]
    for line in dict.fromkeys(f"{fault.fault} failed: {fault.failed_because}" for fault in failed):
        console.print(Text(line))


def print_run(console: Console, assessment: Assessment) -> None:
    """Print what one run amounts to, a row per resource and per fault, and where the files are."""
    verdict, faults = assessment.verdict, assessment.summary.faults
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("resource", no_wrap=True)
    for heading in ("per request", "per hour", "first", "last", "limit"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for resource in verdict.resources.values():
        table.add_row(*_resource_row(resource))
    for one in USED:
        table.add_row(one.title, amount(one, assessment.summary.per_request.get(one.name)))
    console.print()
    console.print(Text(f"{verdict.run}: {assessment.result}", SEVERITY_STYLE[assessment.gravest]))
    for finding in assessment.deciding:
        console.print(Text(f"  {finding.reason}"))
    console.print()
    console.print(table)
    if faults:
        happened = _new_fault_table("fault")
        for fault in faults:
            happened.add_row(fault.fault, *_fault_cells(fault, verdict.messages))
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


def _resource_row(resource: ResourceVerdict) -> list[str | Text]:
    metric = resource.metric
    return [
        metric.title,
        amount(metric, resource.per_request),
        amount(metric, resource.per_hour),
        amount(metric, resource.baseline, 4),
        amount(metric, resource.last, 4),
        amount(metric, resource.limit, 4),
        Text(resource.verdict, VERDICT_STYLE[resource.verdict]),
    ]


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
