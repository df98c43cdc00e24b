"""The JSON schema of `tidemark.toml`, made from the tables that check it: for editors."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tidemark.record.options import REQUIRED, Option
from tidemark.services.file import LOAD, NAME, ROUTES, SERVICE
from tidemark.services.keys import SERVICE_KEYS

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The version that editors understand."""


def schema_of(load_options: Sequence[Option]) -> dict[str, Any]:
    """The schema.

    Args:
        load_options: What `[load]` may set beside its routes.
    """
    load = {option.name: _load_key(option) for option in load_options}
    load[ROUTES] = {
        "type": "array",
        "items": {"type": "object"},
        "description": "what is sent: a table for each route",
    }
    service = {key.name: _described(key.schema, key.option) for key in SERVICE_KEYS}
    required = [key.name for key in SERVICE_KEYS if key.option.default is REQUIRED]
    return {
        "$schema": DRAFT,
        "title": "tidemark.toml",
        "description": "What Tidemark starts, drives and watches.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            SERVICE: {
                "type": "object",
                "description": "the services, each by its name",
                "propertyNames": {"pattern": f"^{NAME}$"},
                "additionalProperties": _table(service, required),
            },
            LOAD: {"description": "what is sent, how often, for how long", **_table(load)},
        },
    }


def _table(keys: Mapping[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    """A table of these keys alone; those of several words may be written with dashes."""
    dashed = {name.replace("_", "-"): key for name, key in keys.items() if "_" in name}
    table = {"type": "object", "additionalProperties": False, "properties": {**keys, **dashed}}
    return {**table, "required": list(required)} if required else table


def _described(schema: Mapping[str, Any], option: Option) -> dict[str, Any]:
    described = {**schema, "description": option.help}
    default = option.default
    if default is not REQUIRED and default not in (None, "", (), {}, Path()):
        described["default"] = default
    return described


def _load_key(option: Option) -> dict[str, Any]:
    """What a default tells of the values of an option."""
    default = option.default
    if option.is_flag:
        return _described({"type": "boolean"}, option)
    if option.choices:
        return _described({"enum": list(option.choices)}, option)
    if isinstance(default, tuple):
        words = {"type": "array", "items": {"type": "string"}}
        return _described({"anyOf": [{"type": "string"}, words]}, option)
    if isinstance(default, int):
        return _described({"type": "integer"}, option)
    if isinstance(default, float):
        return _described({"type": ["number", "string"]}, option)
    return _described({"type": "string"}, option)
