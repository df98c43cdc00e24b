"""Routes and headers as plain values, for those who send them in another process."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from tidemark.routes.answers import MISSING, Success
from tidemark.routes.bodies import Bodies
from tidemark.routes.headers import Header
from tidemark.routes.route import Route
from tidemark.routes.template import Placeholder, Template

_KINDS = {kind.__name__: kind for kind in (Bodies, Header, Placeholder, Route, Success, Template)}
_KIND, _VALUE = "kind", "value"


def to_plain(value: Any) -> Any:
    """What is None, numbers, texts, bytes, lists, and tables with texts as keys alone.

    Args:
        value: such a value, a route, a header, or a tuple, a list or a mapping of such.
    """
    if value is MISSING:
        return {_KIND: "missing"}
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {_KIND: kind, _VALUE: [to_plain(one) for one in value]}
    if isinstance(value, range):
        return {_KIND: "range", _VALUE: [value.start, value.stop, value.step]}
    if isinstance(value, Mapping):
        return {_KIND: "mapping", _VALUE: [to_plain(pair) for pair in value.items()]}
    name = type(value).__name__
    if _KINDS.get(name) is type(value):
        return {_KIND: name, _VALUE: [to_plain(getattr(value, one.name)) for one in fields(value)]}
    return value


def from_plain(value: Any) -> Any:
    """The value that `to_plain` has made this of."""
    if not isinstance(value, dict):
        return value
    kind, inside = value[_KIND], [from_plain(one) for one in value.get(_VALUE, ())]
    return _MADE[kind](inside) if kind in _MADE else _KINDS[kind](*inside)


_MADE: Mapping[str, Callable[[list[Any]], Any]] = {
    "missing": lambda _: MISSING,
    "tuple": tuple,
    "list": list,
    "range": lambda ends: range(*ends),
    "mapping": dict,
}
