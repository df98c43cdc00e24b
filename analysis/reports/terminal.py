"""What a run and a comparison look like in a terminal."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tidemark.analysis.reports.target_rows import target_table
from tidemark.analysis.units import amount, count, duration
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.baseline import ResourceChange
from tidemark.analysis.verdict.faults import FaultEffect, left_text
from tidemark.analysis.verdict.findings import ON_THE_RUN, Finding, Kind, Severity
from tidemark.analysis.verdict.model import Messages, ResourceVerdict
from tidemark.analysis.verdict.next_step import next_step
from tidemark.analysis.verdict.route_words import route_cell, told_apart
from tidemark.record.layout import REPORT_HTML, REPORT_PNG
from tidemark.record.metadata import COMPLETED
from tidemark.record.metrics import JUDGED, USED, Metric, metric

VERDICT_STYLE = {"clean": "green", "leak": "bold red", "inconclusive": "yellow"}
ROUTE_STYLE = {"leaks": "bold red", "excluded": "green", "cannot tell": "yellow"}
CHANGE_STYLE = {"worse": "bold red", "cannot tell": "yellow"}
SEVERITY_STYLE = {
    Severity.FAIL: "bold red",
    Severity.UNKNOWN: "yellow",
    Severity.DOUBT: "yellow",
    Severity.PASS: "green",
    Severity.NOTE: "",
}

_GRAVE = (Severity.FAIL, Severity.UNKNOWN, Severity.DOUBT)
_ENDLESS = 10_000  # columns
WIDE = 152  # columns that the whole comparison needs in one table
WORDS = frozenset(
    {"strategy", "fault", "resource", "route", "target", "verdict", "outcome", "per", "change"}
)
"""The columns of words, which stand at the left; figures stand at the right."""

Cells = dict[str, Callable[[Assessment], str | Text]]
"""Columns of the comparison: their headings, and what stands below them for a run."""


def make_console() -> Console:
    """A console on standard output; a log is as wide as its lines, whatever the terminal was."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, WIDE))


def outcome(one: Assessment) -> str:
    """How a run ended, in words."""
    dead = one.verdict.exhausted
    if dead is None:
        return one.run.outcome
    if dead.requests is None:
        return f"died after {duration(dead.elapsed_s)}"
    return f"died at request {count(dead.requests)}"


def _verdict(found: ResourceVerdict) -> Text:
    return Text(found.verdict, VERDICT_STYLE[found.verdict])


def _result(one: Assessment) -> Text:
    """The verdict, or what there is in its place."""
    if one.leading.kind in {Kind.NOT_A_TEST, Kind.DIED}:
        return Text(one.result, SEVERITY_STYLE[one.gravest])
    return Text(one.verdict.verdict, VERDICT_STYLE[one.verdict.verdict])


def _per_request(metrics: Sequence[Metric]) -> Cells:
    return {
        f"{each.heading}/req": partial(
            lambda metric, one: amount(metric, one.summary.per_request.get(metric.name)), each
        )
        for each in metrics
    }


LOAD: Cells = {
    "requests": lambda one: count(one.summary.requests),
    "failed": lambda one: count(one.summary.failures),
    "lost": lambda one: count(one.verdict.messages.lost),
    "p50": lambda one: one.summary.latency.p50,
    "p99": lambda one: one.summary.latency.p99,
    **_per_request(USED),
}
JUDGEMENT: Cells = {**_per_request(JUDGED), "verdict": _result}


def print_comparison(console: Console, assessed: Sequence[Assessment], folder: Path) -> None:
    """Print a row per run, why the ones that are not clean are not, and where the files are."""
    wide = console.width >= WIDE
    for cells in [LOAD | JUDGEMENT | {"outcome": outcome}] if wide else [LOAD, JUDGEMENT]:
        table = _table("strategy", *cells)
        for one in assessed:
            table.add_row(one.run.strategy, *(cell(one) for cell in cells.values()))
        console.print()
        _print_table(console, table)
    console.print()
    faults = [fault for one in assessed for fault in one.summary.faults]
    if faults:
        _print_table(console, _fault_table(assessed))
        _print_failed_faults(console, faults)
        console.print()
    reasons = [line for one in assessed for line in _reasons(one, with_outcome=not wide)]
    for line in reasons:
        _print_line(console, "", line, indent=2)
    if reasons:
        console.print()
    _print_paths(console, folder)
    for one in assessed:
        console.print(Text(f"  run       {_shown(one.run.path)}"), soft_wrap=True)


def _reasons(one: Assessment, *, with_outcome: bool) -> Iterator[str]:
    """Say why a compared run is not simply clean: its end, its verdict, the messages it lost."""
    name = one.run.strategy
    if with_outcome and outcome(one) != COMPLETED:
        yield f"{name}: {outcome(one)}"
    told = [
        found for found in one.findings if found.kind in ON_THE_RUN and found is not one.leading
    ]
    if one.verdict.verdict != "clean" or one.leading.kind in ON_THE_RUN:
        yield f"{name}: {one.reason}"
    told += [found for found in one.findings if found.kind is Kind.LOSS]
    yield from (f"{name}: {found.reason}" for found in told)
    yield from (f"{name}: {warning}" for warning in one.verdict.warnings)


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in WORDS else "right", no_wrap=True)
    return table


def _print_table(console: Console, table: Table) -> None:
    """Print a table; where the terminal is too narrow for it, each row as a list of its cells.

    A figure that is cut is a wrong figure.
    """
    needed = Measurement.get(console, console.options.update(width=_ENDLESS), table).maximum
    if needed <= console.width:
        console.print(table)
        return
    headings = [" ".join(str(column.header).split()) for column in table.columns]
    widest = max(map(len, headings))
    for row in zip(*(column.cells for column in table.columns), strict=True):
        console.print(row[0])
        for heading, cell in zip(headings[1:], row[1:], strict=True):
            if str(cell):
                console.print(Text(f"  {heading:<{widest}} ").append_text(_text(cell)))


def _text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))


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


def print_run(console: Console, assessment: Assessment, folder: Path | None = None) -> None:
    """Print what one run amounts to, a row per resource and per fault, and where the files are.

    Of a run that watched several targets, a row for each of them stands in place of the resources.

    Args:
        console: Where to.
        assessment: What there is to say of it.
        folder: Where the files are; None for the run directory.
    """
    verdict = assessment.verdict
    if assessment.targets:
        _print_several(console, assessment)
        return
    table = _table("resource", "per request", "per hour", "first", "last", "limit", "verdict")
    for found in verdict.resources.values():
        growth = [amount(found.metric, value) for value in (found.per_request, found.per_hour)]
        levels = [amount(found.metric, at, 4) for at in (found.baseline, found.last, found.limit)]
        table.add_row(found.metric.title, *growth, *levels, _verdict(found))
    for one in USED:
        table.add_row(one.title, amount(one, assessment.summary.per_request.get(one.name)))
    _print_claim(console, assessment)
    console.print()
    _print_table(console, table)
    _print_routes(console, assessment)
    _print_faults(console, assessment)
    console.print()
    _print_next(console, assessment)
    _print_paths(console, folder or assessment.run.path)


def _print_claim(console: Console, assessment: Assessment) -> None:
    """Print what a run amounts to, a line for each thing that it rests on, and what to know."""
    run, target = assessment.verdict.run, assessment.run.target
    name = run if target is None else f"{run}, {target}"
    console.print()
    console.print(Text(f"{name}: {assessment.claim}", SEVERITY_STYLE[assessment.gravest]))
    for finding in assessment.telling:
        decides = finding.severity is assessment.gravest or finding.kind in ON_THE_RUN
        if decides or finding.severity is Severity.DOUBT:
            _print_line(console, "  ", finding.reason)
    _print_warnings(console, assessment)


def _print_next(console: Console, assessment: Assessment) -> None:
    _print_line(console, f"  {'next':<9} ", next_step(assessment).line)


def _print_faults(console: Console, assessment: Assessment) -> None:
    faults = assessment.summary.faults
    if not faults:
        return
    happened = _table("fault", *FAULT_CELLS)
    for fault in faults:
        _add_fault(happened, fault.fault, fault, assessment.verdict.messages)
    console.print()
    _print_table(console, happened)
    _print_failed_faults(console, faults)


def _print_several(console: Console, assessment: Assessment) -> None:
    """Print what a run amounts to, a row for each of its targets, and where the files are."""
    _print_claim(console, assessment)
    _print_targets(console, assessment)
    _print_faults(console, assessment)
    console.print()
    _print_next(console, assessment)
    _print_paths(console, assessment.run.path)


def _print_targets(console: Console, assessment: Assessment) -> None:
    """Print a row per target, the worst first, where there are several."""
    if not assessment.targets:
        return
    told = target_table(assessment.targets)
    table = _table(*told.headings)
    for one, (name, verdict, *figures) in zip(told.rows, told.cells, strict=True):
        table.add_row(Text(name), Text(verdict, SEVERITY_STYLE[one.severity]), *figures)
    console.print()
    _print_table(console, table)
    for line in filter(None, (told.more, told.note)):
        console.print(Text(line))


def _print_routes(console: Console, assessment: Assessment) -> None:
    """Print a row per route, where a resource leaks and there are several of them."""
    leaking = told_apart(assessment.verdict)
    if not leaking:
        return
    table = _table("route", *(f"{found.metric.heading}/req" for found in leaking))
    for name in leaking[0].routes:
        table.add_row(Text(name), *(_route(found, name) for found in leaking))
    console.print()
    _print_table(console, table)


def _route(found: ResourceVerdict, name: str) -> Text:
    verdict = found.routes[name].verdict
    return Text(route_cell(found, name), ROUTE_STYLE[verdict])


def print_check(console: Console, assessment: Assessment) -> None:
    """Print the result and why, and a line for whatever else speaks for or against."""
    said = None if assessment.result == "clean" else assessment.leading
    style = SEVERITY_STYLE[assessment.gravest]
    _print_line(console, f"{assessment.claim}: ", assessment.because, style, indent=2)
    for finding in assessment.telling:
        if finding is not said and _is_told(finding):
            style = SEVERITY_STYLE[finding.severity]
            _print_line(console, f"  {finding.severity.value:<12}", finding.reason, style)
    _print_warnings(console, assessment)
    if assessment.exit_code:  # what passes a gate needs to be told of none
        _print_line(console, f"  {'next':<12}", next_step(assessment).line)
    _print_targets(console, assessment)
    if assessment.changes:
        console.print()
        _print_table(console, _change_table({"": assessment.changes}))


def _is_told(finding: Finding) -> bool:
    """Whether a gate says it: what was asked for, and whatever speaks against."""
    return finding.kind in {Kind.THRESHOLD, Kind.REGRESSION} or finding.severity in _GRAVE


def _print_warnings(console: Console, assessment: Assessment) -> None:
    for warning in assessment.verdict.warnings:
        _print_line(console, f"  {'warning':<12}", warning, "yellow")


def _print_line(
    console: Console, label: str, text: str, style: str = "", *, indent: int | None = None
) -> None:
    """Print a label and a text: in a log as one line, in a terminal within its width.

    Args:
        console: Where to.
        label: What stands at the beginning.
        text: What is said.
        style: That of the label.
        indent: How far the lines after the first are moved in; None for as far as the text.
    """
    line = Text.assemble((label, style), text)
    if not console.is_terminal:
        console.print(line, soft_wrap=True)
        return
    indent = len(label) if indent is None else indent
    lines = line.wrap(console, max(console.width - indent, 1))
    for number, part in enumerate(lines):
        part.rstrip()
        console.print(Text(" " * indent * (number > 0)).append_text(part))


def _print_paths(console: Console, folder: Path) -> None:
    for label, name in (("picture", REPORT_PNG), ("report", REPORT_HTML)):
        console.print(Text(f"  {label:<9} {_shown(folder / name)}"), soft_wrap=True)


def _shown(path: Path) -> str:
    """The path as the user would type it: relative where that is shorter."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def _change_table(changes: Mapping[str, Sequence[ResourceChange]]) -> Table:
    """A row per run and resource: its growth before and now.

    Args:
        changes: Name of a run -> what changed in it; a single run needs no name.
    """
    named = [] if list(changes) == [""] else ["strategy"]
    table = _table(*named, "resource", "before", "now", "per", "change")
    for name, each in changes.items():
        for change in each:
            one = metric(change.resource)
            growth = [amount(one, value, 3) for value in (change.baseline, change.current)]
            per = "request" if change.per_request else "hour"
            style = CHANGE_STYLE.get(change.change, "")
            last = Text(change.change, style)
            table.add_row(*([name] if named else []), one.title, *growth, per, last)
    return table


def print_changes(console: Console, assessed: Sequence[Assessment], baseline: Path) -> None:
    """Print what changed in each run since the baseline, and what cannot be compared with it."""
    console.print()
    console.print(Text(f"compared with {_shown(baseline)}"), soft_wrap=True)
    changes = {one.run.strategy: one.changes for one in assessed if one.changes}
    if not changes:
        console.print("  it holds none of these strategies")
        return
    _print_table(console, _change_table(changes))
    for one in assessed:
        for finding in one.findings:
            if finding.kind is Kind.UNLIKE or (
                finding.kind is Kind.REGRESSION and finding.severity is Severity.FAIL
            ):
                style = SEVERITY_STYLE[finding.severity]
                _print_line(console, f"  {one.run.strategy}: ", finding.reason, style, indent=4)
