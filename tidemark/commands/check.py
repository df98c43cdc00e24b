"""`tidemark check`: the gate for a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from tidemark.analysis.reports.junit import write_junit
from tidemark.analysis.reports.markdown import render_markdown
from tidemark.analysis.run import load_run
from tidemark.analysis.units import amount
from tidemark.analysis.verdict.baseline import ResourceChange, compare_verdicts
from tidemark.analysis.verdict.judge import judge
from tidemark.analysis.verdict.model import Verdict
from tidemark.analysis.verdict.thresholds import apply_thresholds, parse_thresholds
from tidemark.record.errors import TidemarkError

CLEAN, LEAK, CANNOT_TELL = 0, 1, 3
EXIT_CODES = {"clean": CLEAN, "leak": LEAK, "inconclusive": CANNOT_TELL}
FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("directory", metavar="DIR", type=FOLDER)
@click.option(
    "--control", type=FOLDER, metavar="DIR", help="a run of the same load on a clean service"
)
@click.option(
    "--baseline", type=FOLDER, metavar="DIR", help="an earlier run: fail when growth got worse"
)
@click.option(
    "--max-per-request",
    "thresholds",
    multiple=True,
    metavar="RESOURCE=N",
    help="growth per request that is allowed, in place of the verdict on that resource: "
    "fds=0.01; repeatable (fds, connections, threads, rss_bytes)",
)
@click.option("--junit", type=FOLDER, metavar="FILE", help="write the result as JUnit XML")
@click.option("--markdown", type=FOLDER, metavar="FILE", help="write the result as Markdown")
def check(
    *,
    directory: Path,
    control: Path | None,
    baseline: Path | None,
    thresholds: tuple[str, ...],
    junit: Path | None,
    markdown: Path | None,
) -> int:
    """Say whether the run in DIR leaks; exit 0 clean, 1 leak, 3 cannot tell, 2 unusable input."""
    allowed = parse_thresholds(thresholds)
    verdict = judge(load_run(directory), load_run(control) if control else None)
    click.echo(f"{verdict.verdict}: {verdict.reason}")
    code = _judged_with_thresholds(verdict, allowed) if allowed else EXIT_CODES[verdict.verdict]
    changes = _changes(verdict, baseline) if baseline else []
    if any(change.change == "worse" for change in changes):
        code = LEAK
    if junit:
        write_junit(verdict, junit, thresholds=allowed, changes=changes)
    if markdown:
        _write(markdown, render_markdown(verdict, thresholds=allowed, changes=changes))
    return code


def _judged_with_thresholds(verdict: Verdict, allowed: Mapping[str, float]) -> int:
    """The exit code when thresholds stand in place of the verdict on their resources.

    A run that died of a resource fails whatever growth is allowed.
    """
    code = LEAK if verdict.exhausted else CLEAN
    for name, resource in verdict.resources.items():
        if name not in allowed and (resource.verdict == "leak" or resource.limit is not None):
            code = _worst(code, EXIT_CODES[resource.verdict])
    violations = {violation.resource: violation for violation in apply_thresholds(verdict, allowed)}
    for name, growth in allowed.items():
        violation = violations.get(name)
        if violation:
            click.echo(f"not allowed: {violation.reason}")
            code = _worst(code, LEAK if violation.certain else CANNOT_TELL)
        else:
            click.echo(f"allowed: {name} grows by at most {amount(name, growth, 3)} a request")
    return code


def _changes(current: Verdict, baseline: Path) -> list[ResourceChange]:
    changes = list(compare_verdicts(current, judge(load_run(baseline))).values())
    for change in changes:
        click.echo(f"{change.change}: {change.reason}")
    return changes


def _worst(*codes: int) -> int:
    """A leak outweighs not being able to tell, which outweighs clean."""
    return next(code for code in (LEAK, CANNOT_TELL, CLEAN) if code in codes)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TidemarkError(f"--markdown: {path} cannot be written ({error.strerror})") from error
