"""Routes as tidemark.toml: read back they are what was written, and the schema knows their keys."""

import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tidemark.routes.openapi import propose_routes
from tidemark.routes.reading import _KEYS, _OF_SUCCESS
from tidemark.routes.schema import ROUTE_SCHEMA
from tidemark.routes.toml import as_toml

PETSTORE = Path(__file__).with_name("petstore.yaml")
TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), min_size=1, max_size=3))
def test_what_is_written_is_read_again(routes: list[dict[str, Any]]) -> None:
    assert tomllib.loads(as_toml(routes))["load"]["routes"] == routes


def test_what_is_proposed_is_legible() -> None:
    text = as_toml(propose_routes(PETSTORE))
    assert tomllib.loads(text)["load"]["routes"] == propose_routes(PETSTORE)
    assert """body = '{"name": "Rex", "tag": null}'\n""" in text
    assert as_toml([]) == ""


def test_the_schema_has_every_key() -> None:
    properties = ROUTE_SCHEMA["properties"]
    assert tuple(properties) == _KEYS
    assert tuple(properties["success"]["properties"]) == _OF_SUCCESS
