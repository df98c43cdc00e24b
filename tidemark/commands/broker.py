"""`tidemark broker`: run the embedded broker in the foreground."""

from __future__ import annotations

import click

from tidemark.targets.brokers.command import main

FORWARDED = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@click.command(context_settings=FORWARDED, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def broker(arguments: tuple[str, ...]) -> int:
    """Run the embedded broker and print its address (--help for its options)."""
    return main(list(arguments), program="tidemark broker")
