"""A verdict as GitHub-flavoured Markdown, as it fits the summary of a CI job."""

import re
from collections.abc import Iterable, Mapping, Sequence

from tidemark.analysis.units import amount, count, duration
from tidemark.analysis.verdict.baseline import ResourceChange
from tidemark.analysis.verdict.finding import TITLES, main_reason, reason
from tidemark.analysis.verdict.model import Interval, ResourceVerdict, Verdict
from tidemark.analysis.verdict.thresholds import apply_thresholds

WORDS = {"leak": "LEAK", "clean": "clean", "inconclusive": "cannot tell"}
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


def render_markdown(
    verdicts: Verdict | Sequence[Verdict],
    title: str = "Tidemark",
    *,
    thresholds: Mapping[str, float] | None = None,
    changes: Iterable[ResourceChange] = (),
) -> str:
    """Return one verdict, or several beside each other, as Markdown.

    Args:
        verdicts: One verdict or several.
        title: The heading.
        thresholds: Growth per request that is allowed, by resource.
        changes: What changed since a baseline.

    Returns:
        A heading, the reason, and a table of the resources, for each verdict; for several, a
        table of the verdicts before them; what is above its threshold, and what changed since the
        baseline, after them. It ends in a newline.
    """
    each = [verdicts] if isinstance(verdicts, Verdict) else list(verdicts)
    parts = [f"## {escape(title)}"]
    if len(each) != 1:
        parts.append(_table(("Run", "Verdict", "Reason"), [_overview(one) for one in each], 3))
    parts += [_section(one) for one in each]
    if thresholds:
        parts += [_allowed(one, thresholds) for one in each]
    rows = [(escape(change.reason), change.change) for change in changes]
    if rows:
        parts.append("### Since the baseline\n\n" + _table(("Resource", "Change"), rows, 2))
    return "\n\n".join(parts) + "\n"


def _allowed(verdict: Verdict, thresholds: Mapping[str, float]) -> str:
    lines = [f"### Allowed growth: {escape(verdict.run)}", ""]
    found = {one.resource: one for one in apply_thresholds(verdict, thresholds)}
    for name, allowed in thresholds.items():
        violation = found.get(name)
        limit = f"{TITLES[name]}: at most {amount(name, allowed, 3)} a request: kept"
        lines.append(f"- {escape(violation.reason)}" if violation else f"- {limit}")
    return "\n".join(lines)


def escape(text: str) -> str:
    """Return text as Markdown shows it literally, also within a cell of a table: one line."""
    text = " ".join(str(text).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", text)


def _section(verdict: Verdict) -> str:
    lines = [f"### {escape(verdict.run)}: {WORDS[verdict.verdict]}", escape(main_reason(verdict))]
    lines += [f"> {escape(warning)}" for warning in verdict.warnings]
    rows = [_row(found) for found in verdict.resources.values()]
    lines.append(_table(HEADER, rows, NUMBERS_FROM))
    lines.append("\n".join(_reason(found) for found in verdict.resources.values()))
    return "\n\n".join(line for line in lines if line)


def _overview(verdict: Verdict) -> tuple[str, ...]:
    return escape(verdict.run), WORDS[verdict.verdict], escape(main_reason(verdict))


def _reason(found: ResourceVerdict) -> str:
    return f"- {escape(reason(found))}"


def _row(found: ResourceVerdict) -> tuple[str, ...]:
    name = found.resource
    word = WORDS[found.verdict]
    return (
        TITLES.get(name, name),
        f"**{word}**" if found.verdict == "leak" else word,
        amount(name, found.per_request, 3) + _between(name, found.per_request_interval),
        amount(name, found.per_hour, 3),
        amount(name, found.baseline, 4),
        amount(name, found.last, 4),
        amount(name, found.limit, 4),
        count(found.requests_to_limit),
        duration(found.exhaustion_elapsed_s),
    )


def _between(resource: str, interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f" ({amount(resource, interval.low, 3)} to {amount(resource, interval.high, 3)})"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int) -> str:
    rules = ["---" if place < numbers_from else "---:" for place in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rules, *rows))
