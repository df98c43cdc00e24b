"""`tidemark sample`: watch a process without driving it."""

from __future__ import annotations

from typing import Any

import click

from tidemark.commands.options import table_options
from tidemark.record.options import read_all
from tidemark.sampler.options import OPTIONS
from tidemark.sampler.session import watch


@click.command()
@table_options(OPTIONS)
def sample(**values: Any) -> None:
    """Watch a process and everything below it, without driving it."""
    watch(read_all(OPTIONS, values))
