"""An example of what a schema of an OpenAPI document describes, as small as it may be."""

import math
from collections.abc import Mapping
from typing import Any

from tidemark.routes.document import Document

_DEEPEST = 8
_MOST_ITEMS = 100
_MOST_CHARACTERS = 10_000
_BY_FORMAT = {
    "uuid": "{uuid}",
    "date-time": "{now}",
    "date": "2024-02-29",
    "time": "12:00:00Z",
    "email": "user{seq}@example.com",
    "uri": "http://example.com/{seq}",
    "url": "http://example.com/{seq}",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "dGlkZW1hcms=",
    "password": "{random:12}",
}
_GIVEN = ("example", "const", "default")


def example_of(document: Document, schema: Any, depth: int = 0) -> Any:
    """A value of a schema: the one it gives as example, or one made of what it requires.

    Args:
        document: Where its references lead.
        schema: The schema.
        depth: How many others it stands in.
    """
    found = _whole(document, schema)
    for name in _GIVEN:
        if name in found:
            return found[name]
    for name in ("examples", "enum"):
        if isinstance(found.get(name), list) and found[name]:
            return found[name][0]
    kind = _kind(found)
    if depth > _DEEPEST:
        return {} if kind == "object" else None
    if kind == "object":
        return _object(document, found, depth)
    if kind == "array":
        least = _figure(found, "minItems", 1)
        items = range(max(1, min(int(least), _MOST_ITEMS)))
        return [example_of(document, found.get("items", {}), depth + 1) for _ in items]
    return _scalar(kind, found)


def _whole(document: Document, schema: Any, depth: int = 0) -> Mapping[str, Any]:
    """A schema with what it is composed of: all of `allOf`, the first of the others."""
    found = dict(document.table(schema)) if depth <= _DEEPEST else {}
    parts = [*_list(found.pop("allOf", [])), *_list(found.pop("oneOf", []))[:1],
             *_list(found.pop("anyOf", []))[:1]]  # fmt: skip
    for part in parts:
        other = _whole(document, part, depth + 1)
        properties = {**_dict(other, "properties"), **_dict(found, "properties")}
        required = [*_list(other.get("required")), *_list(found.get("required"))]
        found = {**other, **found}
        if properties:
            found |= {"properties": properties, "required": required}
    return found


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = [one for one in _list(schema.get("type")) if one != "null"] or [schema.get("type")]
    if isinstance(kinds[0], str):
        return kinds[0]
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _object(document: Document, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """What has to be there; where nothing has to, all of it, though no deeper than need be."""
    properties = {
        name: one
        for name, one in _dict(schema, "properties").items()
        if not document.table(one).get("readOnly")
    }
    names = [name for name in _list(schema.get("required")) if name in properties] or [
        name
        for name, one in properties.items()
        if not depth or _kind(_whole(document, one)) not in {"object", "array"}
    ]
    return {
        str(name): example_of(document, properties[name], depth + 1)
        for name in dict.fromkeys(names)
    }


def _scalar(kind: str, schema: Mapping[str, Any]) -> Any:
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _text(schema) if kind == "string" else _number(schema, is_whole=kind == "integer")


def _text(schema: Mapping[str, Any]) -> str:
    if known := _BY_FORMAT.get(str(schema.get("format"))):
        return known
    least, most = _figure(schema, "minLength", 0), _figure(schema, "maxLength", math.inf)
    size = int(min(max(8, least), most, _MOST_CHARACTERS))
    return f"{{random:{size}}}" if size > 0 else ""


def _number(schema: Mapping[str, Any], *, is_whole: bool) -> int | float:
    step = _figure(schema, "multipleOf", 1)
    least, most = _figure(schema, "minimum", -math.inf), _figure(schema, "maximum", math.inf)
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    # Of 3.1 they are bounds of their own, before they said what the others are.
    least = least + step if above is True else max(least, _above(above) + step)
    most = most - step if below is True else min(most, -_above(_negative(below)) - step)
    value = min(max(1.0, least), most)
    value = math.ceil(value / step) * step if step > 0 else value
    return int(value) if is_whole or value == int(value) else value


def _above(bound: Any) -> float:
    is_bound = isinstance(bound, int | float) and not isinstance(bound, bool)
    return float(bound) if is_bound else -math.inf


def _negative(bound: Any) -> Any:
    return -bound if isinstance(bound, int | float) and not isinstance(bound, bool) else None


def _figure(schema: Mapping[str, Any], name: str, default: float) -> float:
    found = schema.get(name)
    is_figure = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_figure and math.isfinite(float(found)) else default  # type: ignore[arg-type]


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _dict(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = schema.get(name)
    return found if isinstance(found, dict) else {}
