"""`tidemark check`: the gate for a pipeline."""

from pathlib import Path

import click

from tidemark.analysis.reports import junit, markdown, terminal
from tidemark.analysis.verdict.assessment import assess_directory
from tidemark.analysis.verdict.thresholds import parse_thresholds
from tidemark.record.directory import write_file
from tidemark.record.metrics import RESOURCES

FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("directory", metavar="DIR", type=FOLDER, help="the run to judge")
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
    f"fds=0.01; repeatable ({', '.join(RESOURCES)})",
)
@click.option("--junit", "junit_file", type=FOLDER, metavar="FILE", help="write it as JUnit XML")
@click.option("--markdown", "markdown_file", type=FOLDER, metavar="FILE", help="... as Markdown")
def check(
    *,
    directory: Path,
    control: Path | None,
    baseline: Path | None,
    thresholds: tuple[str, ...],
    junit_file: Path | None,
    markdown_file: Path | None,
) -> int:
    """Say whether the run in DIR leaks; exit 0 clean, 1 leak, 3 cannot tell, 2 unusable input."""
    allowed = parse_thresholds(thresholds)
    assessment = assess_directory(directory, control=control, thresholds=allowed, baseline=baseline)
    terminal.print_check(terminal.make_console(), assessment)
    if junit_file:
        write_file(junit_file, junit.render(assessment))
    if markdown_file:
        write_file(markdown_file, markdown.render(assessment).encode())
    return assessment.exit_code
