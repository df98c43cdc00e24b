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
@click.option(
    "--openapi",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="propose the routes that an OpenAPI document describes",
)
def init(*, force: bool, schema: bool, openapi: Path | None) -> None:
    """Write a commented tidemark.toml, which says what your services are."""
    if schema:
        from tidemark.routes.schema import ROUTE_SCHEMA  # noqa: PLC0415 - slow, and for this alone
        from tidemark.run.configuration import LOAD_OPTIONS, SERVICE_OPTIONS  # noqa: PLC0415

        click.echo(json.dumps(schema_of(LOAD_OPTIONS, ROUTE_SCHEMA, SERVICE_OPTIONS), indent=2))
        return
    routes = "" if openapi is None else _routes_of(openapi)
    path = Path(FILE_NAME)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(EXAMPLE + routes)
    except FileExistsError as error:
        raise TidemarkError(f"{path} is there already: --force replaces it") from error
    except OSError as error:
        raise TidemarkError(f"{path}: cannot be written ({error.strerror})") from error
    click.echo(f"wrote {path}: put your command into it, then `tidemark run mine`")


def _routes_of(document: Path) -> str:
    """The routes of an OpenAPI document as they stand in the file; says what is left out."""
    from tidemark.routes.openapi import left_out, propose_routes  # noqa: PLC0415 - for this alone
    from tidemark.routes.toml import as_toml  # noqa: PLC0415 - the same

    routes = propose_routes(document)
    for operation in left_out(document):
        click.echo(f"left out {operation}")
    return f"\n# Proposed by {document.name}: look through them.\n{as_toml(routes)}"
