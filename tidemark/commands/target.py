"""`tidemark target`: serve one target in the foreground."""

from __future__ import annotations

import click

from tidemark.commands.broker import FORWARDED
from tidemark.targets.serve import main


@click.command(context_settings=FORWARDED, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def target(arguments: tuple[str, ...]) -> None:
    """Serve one target STRATEGY (--help for its options)."""
    main(list(arguments), program="tidemark target")
