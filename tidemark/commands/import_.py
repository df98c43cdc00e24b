"""`tidemark import`: make run directories of what somebody else has recorded."""

from typing import Any

import click

from tidemark.commands.options import table_options
from tidemark.importing.options import OPTIONS, Options
from tidemark.record.options import read_all


class Importers(click.Group):
    """A group whose help lists its commands first, so that it ends as that of every command."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Called by click."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)


@click.group("import", cls=Importers)
def import_() -> None:
    """Make a run directory of what somebody else has recorded."""


@import_.command()
@table_options(OPTIONS)
def prometheus(**values: Any) -> None:
    """Make a run directory of what a Prometheus server holds.

    Then judge and draw it: tidemark report DIR, tidemark check DIR.
    """
    # numpy is loaded when something is imported, not for help.
    from tidemark.importing.prometheus import import_run  # noqa: PLC0415

    options = Options(**read_all(OPTIONS, values))
    imported = import_run(options)
    for remark in imported.remarks:
        click.echo(f"tidemark: {remark}", err=True)
    click.echo(_told(imported.recording, imported.counter))
    click.echo(f"report: tidemark report {options.out}")


def _told(recording: Any, counter: str | None) -> str:
    from tidemark.importing.moments import shown_moment  # noqa: PLC0415

    several = "" if len(recording.instances) == 1 else "s"
    requests = (
        f"{recording.answered:,} requests by {counter}"
        if counter is not None
        else "requests unknown: growth is per hour, unless --requests names a counter"
    )
    return (
        f"{recording.rows:,} samples of {len(recording.instances)} instance{several}, "
        f"{shown_moment(recording.begin_s)} to {shown_moment(recording.end_s)}, one in "
        f"{recording.interval_s:g} s; {requests}"
    )
