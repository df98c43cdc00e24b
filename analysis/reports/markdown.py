"""Assessments as GitHub-flavoured Markdown, as it fits the summary of a CI job."""

import re
from collections.abc import Sequence

from tidemark.analysis.reports.target_rows import target_table
from tidemark.analysis.units import amount, count, duration
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.baseline import ResourceChange
from tidemark.analysis.verdict.findings import Finding, Severity
from tidemark.analysis.verdict.model import ResourceVerdict
from tidemark.analysis.verdict.next_step import NextStep, next_step
from tidemark.analysis.verdict.route_words import route_cell, told_apart
from tidemark.analysis.verdict.target_result import TargetResult
from tidemark.record.metrics import metric

SPECIAL = re.compile(r"([\\`*_\[\]|~#])")
HEADER = (
    "Resource",
    "Verdict",
    "Growth a request (90 %)",
    "An hour",
    "Start",
    "End",
    "Limit",
    "Requests left",
    "Limit reached at",
)
NUMBERS_FROM = 2


def render(assessments: Assessment | Sequence[Assessment], title: str = "Tidemark") -> str:
    """Return one assessment, or several beside each other, as Markdown.

    Args:
        assessments: One or several.
        title: The heading.

    Returns:
        A heading; for several a table of them; then for each what it amounts to, why, a table
        of the resources and all findings. It ends in a newline.
    """
    each = [assessments] if isinstance(assessments, Assessment) else list(assessments)
    parts = [f"## {escape(title)}"]
    if len(each) != 1:
        rows = [(escape(one.verdict.run), _result(one), escape(one.because)) for one in each]
        parts.append(_table(("Run", "Result", "Reason"), rows, 3))
    parts += [_section(one) for one in each]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Return text as Markdown shows it literally, also within a cell of a table: one line."""
    text = " ".join(str(text).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", text)


def _result(assessment: Assessment) -> str:
    failed = assessment.gravest is Severity.FAIL
    return assessment.result.upper() if failed else escape(assessment.claim)


def _section(assessment: Assessment) -> str:
    verdict = assessment.verdict
    target = assessment.run.target
    name = verdict.run if target is None else f"{verdict.run}, {target}"
    lines = [f"### {escape(name)}: {_result(assessment)}"]
    lines.append(escape(assessment.because))
    lines.append(_next(next_step(assessment)))
    lines += [f"> {escape(warning)}" for warning in verdict.warnings]
    lines.append(_table(HEADER, [_row(one) for one in verdict.resources.values()], NUMBERS_FROM))
    if assessment.targets:
        lines += _targets(assessment.targets)
    if leaking := told_apart(verdict):
        header = ("Route", *(f"{found.metric.title} a request (90 %)" for found in leaking))
        routes = [
            (escape(name), *(_route(found, name) for found in leaking))
            for name in leaking[0].routes
        ]
        lines.append(_table(header, routes, 1))
    if assessment.changes:
        rows = [_change(change) for change in assessment.changes]
        lines.append(_table(("Resource", "Before", "Now", "Per", "Change"), rows, len(rows[0])))
    lines.append("\n".join(_bullet(finding) for finding in assessment.findings))
    return "\n\n".join(line for line in lines if line)


def _next(step: NextStep) -> str:
    """What to do next; a command stands as one types it."""
    command = "" if step.command is None else f": `{step.command.replace('`', chr(39))}`"
    return f"**Next:** {escape(step.text)}{command}"


def _targets(results: Sequence[TargetResult]) -> list[str]:
    """A table of the targets, the worst first, and a line on those that are not in it."""
    told = target_table(results)
    rows = [
        (escape(name), result.upper() if one.severity is Severity.FAIL else escape(result), *rest)
        for one, (name, result, *rest) in zip(told.rows, told.cells, strict=True)
    ]
    header = [heading.capitalize() for heading in told.headings]
    below = [line.capitalize() + "." for line in (told.more, told.note) if line]
    return [_table(header, rows, NUMBERS_FROM), escape(" ".join(below))]


def _route(found: ResourceVerdict, name: str) -> str:
    said = route_cell(found, name)
    return f"**{said}**" if found.routes[name].verdict == "leaks" else said


def _change(change: ResourceChange) -> tuple[str, ...]:
    one = metric(change.resource)
    before, now = (amount(one, value, 3) for value in (change.baseline, change.current))
    worse = change.change == "worse"
    per = "request" if change.per_request else "hour"
    return one.title, before, now, per, "**WORSE**" if worse else change.change


def _bullet(finding: Finding) -> str:
    return f"- **{finding.kind.value}**, {escape(finding.statement)}"


def _row(found: ResourceVerdict) -> tuple[str, ...]:
    one, word = found.metric, headline.WORDS[found.verdict]
    span = headline.span(one, found.per_request_interval)
    return (
        one.title,
        f"**{word.upper()}**" if found.verdict == "leak" else word,
        amount(one, found.per_request, 3) + (f" ({span})" if span else ""),
        amount(one, found.per_hour, 3),
        amount(one, found.baseline, 4),
        amount(one, found.last, 4),
        amount(one, found.limit, 4),
        count(found.requests_to_limit),
        duration(found.exhaustion_elapsed_s),
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int) -> str:
    rules = ["---" if place < numbers_from else "---:" for place in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rules, *rows))
