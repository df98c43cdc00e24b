"""`tidemark broker`: run the embedded broker in the foreground."""

from __future__ import annotations

from typing import Any

import click

from tidemark.commands.options import table_options
from tidemark.record.options import read_all
from tidemark.targets.brokers.command import OPTIONS, run_brokers


@click.command()
@table_options(OPTIONS)
def broker(**values: Any) -> int:
    """Run the embedded broker in the foreground and print its address."""
    return run_brokers(read_all(OPTIONS, values))
