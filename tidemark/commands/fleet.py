"""What commands that judge many targets have in common: who judges, how far it is, what failed."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from tidemark.analysis.units import count
from tidemark.fleet.many import Progress
from tidemark.fleet.workers import Workers
from tidemark.record.errors import OptionError

MOST_TOLD = 20
"""So many failures are told one by one."""


def fleet_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say who judges."""
    for option in (
        click.option(
            "--scheduler",
            metavar="tcp://HOST:PORT",
            help="judge on the workers of this Dask cluster instead",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(1, 1024),
            metavar="N",
            help="judge in so many processes  [default: of a compacted run of many targets one a "
            "core, else 1]",
        ),
    ):
        function = option(function)
    return function


def read_workers(jobs: int | None, scheduler: str | None, target: str | None) -> Workers:
    """Who judges.

    Raises:
        OptionError: One target is asked for, which is judged here.
        FleetError: Both are given.
    """
    workers = Workers(jobs, scheduler)
    if target is not None and workers.is_asked_for:
        raise OptionError("--target: one target is judged here; leave out --jobs and --scheduler")
    return workers


def show_progress(what: str) -> Progress | None:
    """Say how far it is, in one line that is written anew; None where nobody would see it."""
    if not sys.stderr.isatty():
        return None

    def told(done: int, of: int) -> None:
        click.echo(f"\r{count(done)} of {count(of)} {what} judged", err=True, nl=done == of)

    return told


def tell_failed(failures: Sequence[str]) -> None:
    """Name what could not be judged, on standard error."""
    for line in failures[:MOST_TOLD]:
        click.echo(f"tidemark: {line}", err=True)
    if len(failures) > MOST_TOLD:
        click.echo(f"tidemark: and {count(len(failures) - MOST_TOLD)} more", err=True)
