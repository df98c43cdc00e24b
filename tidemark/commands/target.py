"""`tidemark target`: serve one target in the foreground."""

from __future__ import annotations

from typing import Any

import click

from tidemark.commands.options import table_options
from tidemark.record.options import read_all
from tidemark.targets.serve import OPTIONS, serve


@click.command()
@table_options(OPTIONS)
def target(**values: Any) -> None:
    """Serve one of the built-in targets in the foreground."""
    serve(read_all(OPTIONS, values))
