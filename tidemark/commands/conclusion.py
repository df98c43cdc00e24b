"""How a command that shows or records a run ends: with the verdict, and what to do next."""

import os
import shlex
from pathlib import Path

import click
from rich.console import Console

from tidemark.analysis.reports.terminal import make_console, print_check
from tidemark.analysis.units import size
from tidemark.live.judging import Judged, judge_so_far
from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import SAMPLES

NICENESS = 10
MOST_BYTES = 100_000_000
"""Of samples: more are not judged on the host where they were recorded, beside the service."""


def conclude(console: Console, judged: Judged | None, why_not: str, path: Path) -> None:
    """Say the verdict, and the next command.

    Args:
        console: Where to.
        judged: What was found; None for nothing, ...
        why_not: ... which is why.
        path: The run directory.
    """
    if judged is None:
        click.echo(f"no verdict yet: {why_not}")
    else:
        if not judged.is_final:
            click.echo("the run goes on; so far:")
        print_check(console, judged.assessment)
    is_under_way = judged is not None and not judged.is_final
    click.echo(f"next: tidemark {'watch' if is_under_way else 'report'} {shown(path)}")


def shown(path: Path) -> str:
    """A path as it is given to the next command."""
    near = os.path.relpath(path)
    return shlex.quote(str(path) if near.startswith("..") else near)


def conclude_recording(path: Path) -> None:
    """Judge what was recorded, let others go first meanwhile, and say the verdict.

    Args:
        path: The run directory; its recording has ended.
    """
    os.nice(NICENESS)
    judged, why_not = None, ""
    try:
        if (held := (path / SAMPLES.file).stat().st_size) > MOST_BYTES:
            why_not = f"{size(held)} of samples are left for where there is memory to judge them"
        else:
            judged = judge_so_far(path)
    except UnusableRunError as error:
        why_not = str(error).removeprefix(f"{path}: ")
    except KeyboardInterrupt:
        why_not = "interrupted while it was being judged"
    conclude(make_console(), judged, why_not, path)
