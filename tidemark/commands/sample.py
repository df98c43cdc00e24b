"""`tidemark sample`: watch a process without driving it."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tidemark.commands.options import table_command
from tidemark.record.errors import DiskFullError
from tidemark.sampler.options import OPTIONS
from tidemark.sampler.session import watch


def watch_and_judge(values: Mapping[str, Any]) -> None:
    """Record as `watch` does; then say what was found, unless somebody else began the run."""
    try:
        watch(values)
    except DiskFullError:  # what was recorded before is whole
        _conclude(values)
        raise
    _conclude(values)


def _conclude(values: Mapping[str, Any]) -> None:
    if values["join"]:
        return
    path: Path = values["out"]
    try:
        from tidemark.commands.conclusion import conclude_recording  # noqa: PLC0415 (slow to load)
    except ModuleNotFoundError as error:  # on a host where nothing but the sampler is wanted
        click.echo(f"not judged here, for {error.name} is missing; next: tidemark report {path}")
        return
    except KeyboardInterrupt:
        return
    with contextlib.suppress(OSError):  # the terminal was closed, which has ended the recording
        conclude_recording(path)


sample = table_command(
    watch_and_judge, OPTIONS, "Watch a process and everything below it, without driving it."
)
