"""`tidemark compact`: the tables of runs as Parquet, a folder for each target."""

import time
from pathlib import Path

import click

from tidemark.analysis.run import runs_in
from tidemark.analysis.units import count, duration, several, size
from tidemark.commands.options import RUNS


@click.command()
@RUNS
@click.option("--replace", is_flag=True, help="remove the CSV files that were compacted")
@click.option("--anyway", is_flag=True, help="compact what is there of a run without an end")
def compact(*, directories: tuple[Path, ...], replace: bool, anyway: bool) -> None:
    """Turn the tables of runs into Parquet, so that many targets can be judged.

    Each target's rows stand in a file of their own, and are read without those of the others. The
    CSV files stay unless --replace is given: then they go, once all is written, and has been
    read back and compared.
    """
    from tidemark.fleet import compacting  # noqa: PLC0415 - so that help needs no pyarrow

    for path in (run for directory in directories for run in runs_in(directory)):
        begun = time.monotonic()
        for one in compacting.compact(path, replace=replace, anyway=anyway):
            held = one.partitions
            rows = f"{count(held.rows)} rows of {several(len(held.parts), 'target')}"
            sizes = f"{size(one.csv_bytes)} -> {size(one.parquet_bytes)}"
            spent = duration(time.monotonic() - begun)
            what = f"in {spent}" if one.is_new else "(compacted already)"
            click.echo(f"{path / held.table.file}: {rows}, {sizes} {what}")
            begun = time.monotonic()
        if replace:
            click.echo(f"{path}: the CSV files of these tables are removed")
