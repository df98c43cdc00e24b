"""`tidemark sample`: watch a process without driving it."""

from __future__ import annotations

import click

from tidemark.commands.broker import FORWARDED
from tidemark.sampler.cli import main


@click.command(context_settings=FORWARDED, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sample(arguments: tuple[str, ...]) -> int:
    """Watch a process without driving it (--help for its options)."""
    return main(list(arguments), program="tidemark sample")
