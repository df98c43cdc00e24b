"""`tidemark compare`: run every strategy in turn, explain them together."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tidemark.analysis.reports.terminal import make_console, print_changes, print_comparison
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.commands.options import table_options
from tidemark.record.options import (
    Option,
    check_flags_of_environment,
    integer,
    read_all,
)
from tidemark.run.compare import Comparison, HurriedError, exit_code, explain, run_all
from tidemark.run.folders import new_folder
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.progress import Progress
from tidemark.targets.strategies import STRATEGIES, resolve


def _strategies(given: Any) -> tuple[str, ...]:
    names = given if isinstance(given, tuple) else str(given).split(",")
    chosen = tuple(dict.fromkeys(resolve(name.strip()) for name in names if name.strip()))
    if not chosen:
        raise ValueError("name at least one")
    return chosen


OWN_OPTIONS = (
    Option("strategies", _strategies, tuple(STRATEGIES), "which to compare, in order", "NAME,..."),
    Option("duration", integer(1, 7 * 86_400), 60, "seconds of load on each strategy", "S"),
    Option("users", integer(1), 1, "users of the closed workload; the open one needs only one"),
)

NOT_OURS = ("strategy", "target_pid", "no_target", "no_report")
"""Options of a run that a comparison sets itself."""


@click.command()
@table_options(OWN_OPTIONS)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="an earlier comparison: say per strategy what got worse; exit 1 when something did",
)
@click.option(
    "--baseline-anyway", is_flag=True, help="compare with it even if it was not the same test"
)
@table_options(OPTIONS, leave_out=NOT_OURS, from_environment=True)
def compare(baseline: Path | None, *, baseline_anyway: bool, **values: Any) -> int:
    """Run every strategy in turn under the same load and explain them together.

    Exit 0 done, 1 something got worse or died by itself, 3 a run was no test, 2 unusable input.
    """
    check_flags_of_environment(OPTIONS)
    comparison = Comparison(**read_all(OWN_OPTIONS, values), options=RunOptions.parse(values))
    options = comparison.options
    options.check_lasting("--duration", comparison.duration)
    folder = new_folder(options.results, options.run_name, "compare", shared=options.share_files)
    console = make_console()
    progress = Progress(console)
    paths = [folder / name for name in comparison.strategies]

    def tell() -> list[Assessment]:
        progress.close()
        assessed = explain(paths, folder, baseline, baseline_anyway=baseline_anyway)
        _print(console, assessed, folder, baseline)
        return assessed

    with _terminate_as_interrupt():
        try:
            run_all(comparison, folder, progress)
        except HurriedError:
            progress.close()
            raise
        except BaseException:  # what was recorded until then is reported all the same
            tell()
            raise
        assessed = tell()
    return exit_code(assessed, paths)


def _print(
    console: Console, assessed: list[Assessment], folder: Path, baseline: Path | None
) -> None:
    if not assessed:
        console.print(f"nothing was recorded; logs are in {folder}", soft_wrap=True)
        return
    print_comparison(console, assessed, folder)
    if baseline is not None:
        print_changes(console, assessed, baseline)


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP end a comparison as Ctrl-C does: in order, with a report."""
    signals = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in signals}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # nohup
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
