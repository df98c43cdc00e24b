"""The JSON schema of `tidemark.toml`, made from the tables that check it: for editors."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tidemark.record.options import REQUIRED, Option
from tidemark.services.consistency import COMMAND, OF_RUNNING, OF_STARTED, URL
from tidemark.services.file import LOAD, NAME, ROUTES, SERVICE
from tidemark.services.keys import SERVICE_KEYS

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The version that editors understand."""


def schema_of(
    load_options: Sequence[Option],
    route: Mapping[str, Any],
    service_options: Sequence[Option] = (),
) -> dict[str, Any]:
    """The schema.

    Args:
        load_options: What `[load]` may set beside its routes.
        route: The schema of one of its routes.
        service_options: What a service may set of the options of a run.
    """
    load = {option.name: _load_key(option) for option in load_options}
    load[ROUTES] = {
        "type": "array",
        "items": route,
        "description": "what is sent: a table for each route",
    }
    service = {key.name: _described(key.schema, key.option) for key in SERVICE_KEYS}
    service |= {option.name: _load_key(option) for option in service_options}
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
                "additionalProperties": {**_table(service), "anyOf": _kinds_of_service()},
            },
            LOAD: {"description": "what is sent, how often, for how long", **_table(load)},
        },
    }


def _table(keys: Mapping[str, Any]) -> dict[str, Any]:
    """A table of these keys alone; those of several words may be written with dashes."""
    return {"type": "object", "additionalProperties": False, "properties": _also_dashed(keys)}


def _also_dashed(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {**keys, **{name.replace("_", "-"): key for name, key in keys.items() if "_" in name}}


def _kinds_of_service() -> list[dict[str, Any]]:
    """One that is started, and one that runs already; neither has all keys."""
    return [
        {"required": [COMMAND], "properties": _also_dashed(dict.fromkeys(OF_RUNNING, False))},
        {
            "required": [URL],
            "properties": {
                URL: {"minLength": 1},
                **_also_dashed(dict.fromkeys((COMMAND, *OF_STARTED), False)),
            },
        },
    ]


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
