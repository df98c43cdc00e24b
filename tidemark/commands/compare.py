"""`tidemark compare`: run every strategy in turn, explain them together."""

from __future__ import annotations

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
from tidemark.run.compare import Comparison, explain, run_all
from tidemark.run.folders import new_folder
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.progress import Progress
from tidemark.targets.strategies import STRATEGIES, resolve

DEFAULT_DURATION_S = 60


@click.command()
@click.option(
    "--strategies",
    default=",".join(STRATEGIES),
    metavar="NAME,...",
    help="which to compare, in this order  [default: all]",
)
@click.option(
    "--duration",
    type=click.IntRange(min=1, max=7 * 86_400),
    default=DEFAULT_DURATION_S,
    show_default=True,
    metavar="S",
    help="seconds of load on each strategy",
)
@click.option(
    "--users",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="users of the closed workload; the open one needs only one",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="an earlier comparison: say per strategy what got worse; exit 1 when something did",
)
@table_options(OPTIONS, leave_out=("strategy", "target_pid", "no_report"), from_environment=True)
def compare(
    strategies: str, duration: int, users: int, baseline: Path | None, **values: Any
) -> int:
    """Run every strategy in turn under the same load and explain them together."""
    chosen = dict.fromkeys(resolve(name.strip()) for name in strategies.split(",") if name.strip())
    if not chosen:
        raise click.UsageError("--strategies: name at least one")
    options = RunOptions.parse(values)
    folder = new_folder(options.results, options.run_name, "compare")
    console = make_console()
    progress = Progress(console)
    try:
        with _terminate_as_interrupt():
            run_all(Comparison(tuple(chosen), duration, users, options), folder, progress)
    finally:  # what was recorded is reported even when it is interrupted
        progress.close()
        assessed = explain([folder / name for name in chosen], folder, baseline)
        _print(console, assessed, folder, baseline)
    return 1 if any(one.regressed for one in assessed) else 0


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
    """SIGTERM ends a comparison as Ctrl-C does: in order, with a report."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
