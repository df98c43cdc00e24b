"""`tidemark check`: the gate for a pipeline."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.run import load_run
from analysis.verdict import judge

EXIT_CODES = {"clean": 0, "leak": 1, "inconclusive": 3}


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def check(directory: Path) -> int:
    """Say whether the run in DIR leaks; exit 0 clean, 1 leak, 3 cannot tell, 2 unusable input."""
    verdict = judge(load_run(directory))
    click.echo(f"{verdict.verdict}: {verdict.reason}")
    return EXIT_CODES[verdict.verdict]
