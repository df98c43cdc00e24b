"""`tidemark report`: rebuild what can be rebuilt from run directories."""

import json
import os
from pathlib import Path

import click

from tidemark.analysis.reports.files import (
    folder_of,
    write_comparison,
    write_comparison_of,
    write_report,
    write_run_report,
)
from tidemark.analysis.reports.terminal import make_console, print_comparison, print_run
from tidemark.analysis.run import runs_in
from tidemark.commands.fleet import fleet_options, read_workers, show_progress, tell_failed
from tidemark.commands.options import RUNS
from tidemark.fleet.judging import Asked
from tidemark.fleet.many import is_many, judge_many, judge_runs
from tidemark.record.errors import OptionError, TidemarkError
from tidemark.record.layout import VERDICT_JSON


@click.command()
@RUNS
@click.option("--json", "as_json", is_flag=True, help="print verdict.json instead of the table")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="folder for the comparison of several runs  [default: the folder they are in]",
)
@click.option(
    "--control",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="a run of the same load on a clean service; for a single run",
)
@click.option(
    "--target",
    metavar="ID",
    help="judge one target of a single run alone; its report goes to DIR/targets/ID",
)
@fleet_options
def report(
    *,
    directories: tuple[Path, ...],
    as_json: bool,
    out: Path | None,
    control: Path | None,
    target: str | None,
    jobs: int | None,
    scheduler: str | None,
) -> int:
    """(Re)build verdict.json, report.png and report.html of each run DIR.

    Of several runs, or of a folder that holds several, the comparison is built as well.
    """
    workers = read_workers(jobs, scheduler, target)
    runs = [run for directory in directories for run in runs_in(directory)]
    is_single = len(runs) == 1 and runs == list(directories)
    if target is not None and not is_single:
        raise OptionError("--target: is for a single run; name one run directory")
    console, written, failures = make_console(), runs, list[str]()
    if is_single:
        if target is None and is_many(runs[0], workers):
            shown = show_progress("targets")
            judged = judge_many(runs[0], workers, Asked(control=control), shown)
            write_report(judged.assessment, runs[0])
            assessment, failures = judged.assessment, judged.failures
        else:
            assessment = write_run_report(runs[0], control, target)
        written = [runs[0] if target is None else folder_of(runs[0], target)]
        if not as_json:
            print_run(console, assessment, written[0])
    else:
        folder = out or Path(os.path.commonpath([run.resolve().parent for run in runs]))
        folder.mkdir(parents=True, exist_ok=True)
        if workers.is_asked_for:
            assessed, failures = judge_runs(runs, workers, show_progress("runs"))
            write_comparison_of(assessed, folder)
            written = [one.run.path for one in assessed]
        else:
            assessed = write_comparison(runs, folder)
        if not as_json:
            print_comparison(console, assessed, folder)
    if as_json:
        for folder in written:
            click.echo(json.dumps(json.loads((folder / VERDICT_JSON).read_text()), indent=2))
    tell_failed(failures)
    return TidemarkError.exit_code if failures else 0
