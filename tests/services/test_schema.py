"""The JSON schema: generated from the tables, and true of files that are accepted."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tidemark.routes.schema import ROUTE_SCHEMA
from tidemark.run.configuration import LOAD_OPTIONS, SERVICE_OPTIONS
from tidemark.services.errors import ServiceError
from tidemark.services.example import EXAMPLE
from tidemark.services.file import read_configuration
from tidemark.services.keys import SERVICE_KEYS
from tidemark.services.schema import schema_of

REPOSITORY = Path(__file__).parents[2]
WRITTEN = REPOSITORY / "docs" / "tidemark.schema.json"
SCHEMA = schema_of(LOAD_OPTIONS, ROUTE_SCHEMA, SERVICE_OPTIONS)
TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
UNCOMMENTED = "\n".join(re.sub(r"^# (?=[a-z_]+ = |\[)", "", line) for line in EXAMPLE.splitlines())


def complaints(value: Any, schema: Mapping[str, Any], where: str = "") -> list[str]:
    """What a value has against a schema, for as much of JSON Schema as ours uses."""
    unknown = schema.keys() - {
        "$schema", "title", "description", "default", "type", "enum", "anyOf", "items", "minItems",
        "minLength", "pattern", "minimum", "maximum", "exclusiveMinimum", "properties",
        "additionalProperties", "propertyNames", "required",
    }  # fmt: skip
    assert not unknown
    found = []
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    allowed = tuple(kind for name in kinds for kind in TYPES[name])
    if allowed and (
        not isinstance(value, allowed) or (type(value) is bool and bool not in allowed)
    ):
        return [f"{where}: {value!r} is no {kinds}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    if "anyOf" in schema and all(complaints(value, one, where) for one in schema["anyOf"]):
        found.append(f"{where}: {value!r} is none of several")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{where}: {value!r} is not like {schema['pattern']}")
    if isinstance(value, str | list) and len(value) < schema.get(
        "minLength" if isinstance(value, str) else "minItems", 0
    ):
        found.append(f"{where} is too short")
    if isinstance(value, int | float):
        low = value < schema.get("minimum", value)
        low |= "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]
        if low or value > schema.get("maximum", value):
            found.append(f"{where}: {value!r} is out of bounds")
    if isinstance(value, list) and "items" in schema:
        found += [one for item in value for one in complaints(item, schema["items"], where)]
    if isinstance(value, dict):
        found += _complaints_of_table(value, schema, where)
    return found


def _complaints_of_table(value: dict[str, Any], schema: Mapping[str, Any], where: str) -> list[str]:
    found = [
        f"{where}.{name} is missing" for name in schema.get("required", ()) if name not in value
    ]
    for name, one in value.items():
        found += complaints(name, schema.get("propertyNames", {}), where)
        others = schema.get("additionalProperties", True)
        its = schema.get("properties", {}).get(name, others)
        if its is False:
            found.append(f"{where}.{name} is unknown")
        elif its is not True:
            found += complaints(one, its, f"{where}.{name}")
    return found


def test_the_file_is_what_is_generated() -> None:
    """`tidemark init --schema > docs/tidemark.schema.json` makes it so again."""
    assert json.loads(WRITTEN.read_text()) == SCHEMA


def test_every_key_is_in_it_with_what_it_means() -> None:
    service = SCHEMA["properties"]["service"]["additionalProperties"]
    load = SCHEMA["properties"]["load"]
    assert {key.name for key in SERVICE_KEYS} <= service["properties"].keys()
    assert {option.name for option in LOAD_OPTIONS} | {"routes"} <= load["properties"].keys()
    for table in (service, load):
        assert table["additionalProperties"] is False
        assert all(key["description"] for key in table["properties"].values())


def test_what_is_accepted_is_good_and_what_is_not_is_not(tmp_path: Path) -> None:
    good = (
        '[service.a]\ncommand = "x {port}"\nfds-limit = 3\n[load]\nrate = 1\nrun_time = "1m"',
        '[service.a]\ncommand = ["x"]\nenvironment = {A = 1}\nready_timeout = 0.5',
        '[service.a]\nurl = "http://127.0.0.1:8080"',
        '[service.a]\nurl = "http://a"\npid-file = "x.pid"\nbootstrap = "a:1"\nreference = true',
        '[service.a]\nurl = "http://a"\ntarget_pid = 3\nmetrics_url = "http://a/metrics"',
        '[service.a]\ncommand = "x"\ntarget_port = 3\nmetrics-url = "http://127.0.0.1:{port2}/m"',
        '[service.a]\nurl = "http://a"\nagent = "https://h:1"\nagent-token-file = "t"',
        '[service.a]\nurl = "http://a"\nagent = ["a=https://h:1", "b=https://i:1"]',
        '[load]\nworkload = "closed"\nfault = ["target-kill@3"]\nbootstrap = "a:1"',
    )
    bad = (
        "[service.a]\nready = '/'",
        "[service.a]\ncommand = []",
        "[service.a]\ncommand = 3",
        "[service.a]\ncommand = 'x'\nfds_limit = 0",
        "[service.a]\ncommand = 'x'\nready = 'x'",
        "[service.a]\ncommand = 'x'\nready_timeout = 0",
        "[service.a]\ncommand = 'x'\nunknown = 0",
        "[service.'a b']\ncommand = 'x'",
        "[service.a]",
        "[service.a]\nurl = ''",
        "[service.a]\npid_file = 'x.pid'",
        "[service.a]\nurl = 'http://a'\nready = '/'",
        "[service.a]\nurl = 'http://a'\nfds-limit = 3",
        "[service.a]\nurl = 'http://a'\nbrokers = 3",
        "[service.a]\nurl = 'http://a'\ntarget_port = 70000.5",
        "[service.a]\ncommand = 'x'\npid-file = 'x.pid'",
        "[service.a]\ncommand = 'x'\nno_target = true",
        "[service.a]\ncommand = 'x'\nagent = 'https://h:1'",
        "[service.a]\ncommand = 'x'\nagent_ca = 'x'",
        "[load]\nworkload = 'ajar'",
        "[load]\nfds_limit = 3",
        "other = 1",
    )
    path = tmp_path / "tidemark.toml"
    for text in good:
        path.write_text(text)
        read_configuration(path, LOAD_OPTIONS, SERVICE_OPTIONS)
        assert complaints(tomllib.loads(text), SCHEMA) == []
    for text in bad:
        path.write_text(text)
        with pytest.raises(ServiceError):
            read_configuration(path, LOAD_OPTIONS, SERVICE_OPTIONS)
        assert complaints(tomllib.loads(text), SCHEMA), text


def files() -> list[Path]:
    return sorted(REPOSITORY.glob("examples/**/tidemark.toml"))


@pytest.mark.parametrize("path", files(), ids=lambda path: path.parent.name)
def test_the_examples_are_good(path: Path) -> None:
    read_configuration(path, LOAD_OPTIONS, SERVICE_OPTIONS)
    assert complaints(tomllib.loads(path.read_text()), SCHEMA) == []


@pytest.mark.parametrize("text", [EXAMPLE, UNCOMMENTED])
def test_what_init_writes_is_good_also_without_its_comments(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tidemark.toml"
    path.write_text(text)
    read_configuration(path, LOAD_OPTIONS, SERVICE_OPTIONS)
    assert complaints(tomllib.loads(text), SCHEMA) == []


def test_what_init_writes_has_every_key_of_a_service() -> None:
    tables = tomllib.loads(UNCOMMENTED)
    assert {key.name for key in SERVICE_KEYS} <= tables["service"]["mine"].keys()
    assert tables["service"].keys() == {"mine", "other", "staging"}


def test_what_init_writes_names_every_key_of_one_that_runs_already() -> None:
    assert all(f"{option.name} = " in EXAMPLE for option in SERVICE_OPTIONS)
