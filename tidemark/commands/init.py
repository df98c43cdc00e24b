"""`tidemark init`: write a commented tidemark.toml."""

import json
from pathlib import Path

import click

from tidemark.record.errors import TidemarkError
from tidemark.services.example import EXAMPLE
from tidemark.services.file import FILE_NAME
from tidemark.services.schema import schema_of


@click.command()
@click.option("--force", is_flag=True, help="replace one that is there")
@click.option("--schema", is_flag=True, help="print the JSON schema of the file instead")
def init(*, force: bool, schema: bool) -> None:
    """Write a commented tidemark.toml, which says what your services are."""
    if schema:
        from tidemark.run.configuration import LOAD_OPTIONS  # noqa: PLC0415 - slow, and for this alone

        click.echo(json.dumps(schema_of(LOAD_OPTIONS), indent=2))
        return
    path = Path(FILE_NAME)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(EXAMPLE)
    except FileExistsError as error:
        raise TidemarkError(f"{path} is there already: --force replaces it") from error
    except OSError as error:
        raise TidemarkError(f"{path}: cannot be written ({error.strerror})") from error
    click.echo(f"wrote {path}: put your command into it, then `tidemark run mine`")
