"""`tidemark check`: the gate for a pipeline."""

from pathlib import Path

import click

from tidemark.analysis.reports import junit, markdown, terminal
from tidemark.analysis.run import runs_in
from tidemark.analysis.units import several
from tidemark.analysis.verdict.assessment import assess_directory
from tidemark.analysis.verdict.thresholds import parse_thresholds
from tidemark.commands.fleet import fleet_options, read_workers, show_progress, tell_failed
from tidemark.fleet.judging import Asked
from tidemark.fleet.many import is_many, judge_many
from tidemark.record.directory import write_file
from tidemark.record.errors import TidemarkError, UnusableRunError
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
    "--baseline-anyway", is_flag=True, help="compare with it even if it was not the same test"
)
@click.option(
    "--max-per-request",
    "thresholds",
    multiple=True,
    metavar="RESOURCE[@ROUTE]=N",
    help="growth per request that is allowed, in place of the verdict on that resource: "
    "fds=0.01, or that of one route: 'fds@POST /ingest=0.01'; of each target; repeatable "
    f"({', '.join(RESOURCES)})",
)
@click.option("--target", metavar="ID", help="judge one target of the run alone")
@click.option("--junit", "junit_file", type=FOLDER, metavar="FILE", help="write it as JUnit XML")
@click.option("--markdown", "markdown_file", type=FOLDER, metavar="FILE", help="... as Markdown")
@fleet_options
def check(
    *,
    directory: Path,
    control: Path | None,
    baseline: Path | None,
    baseline_anyway: bool,
    thresholds: tuple[str, ...],
    target: str | None,
    junit_file: Path | None,
    markdown_file: Path | None,
    jobs: int | None,
    scheduler: str | None,
) -> int:
    """Say whether the run in DIR leaks; exit 0 clean, 1 leak, 3 cannot tell, 2 unusable input."""
    allowed = parse_thresholds(thresholds)
    for option, folder in (("", directory), ("--control=", control), ("--baseline=", baseline)):
        _expect_one_run(folder, option)
    workers, failures = read_workers(jobs, scheduler, target), list[str]()
    if target is None and is_many(directory, workers):
        asked = Asked(allowed, control, baseline, baseline_anyway)
        judged = judge_many(directory, workers, asked, show_progress("targets"))
        assessment, failures = judged.assessment, judged.failures
    else:
        assessment = assess_directory(
            directory,
            target=target,
            control=control,
            thresholds=allowed,
            baseline=baseline,
            baseline_anyway=baseline_anyway,
        )
    terminal.print_check(terminal.make_console(), assessment)
    if junit_file:
        write_file(junit_file, junit.render(assessment))
    if markdown_file:
        write_file(markdown_file, markdown.render(assessment).encode())
    tell_failed(failures)
    return TidemarkError.exit_code if failures else assessment.exit_code


def _expect_one_run(folder: Path | None, option: str) -> None:
    """Name the runs of a folder that holds several.

    Raises:
        UnusableRunError: It does.
    """
    held = [] if folder is None else runs_in(folder)
    if folder is not None and held != [folder]:
        names = ", ".join(run.name for run in held)
        what = f"holds {several(len(held), 'run')}, and is none itself: {names}"
        raise UnusableRunError(folder, what, f"name one of them, as in {option}{held[0]}")
