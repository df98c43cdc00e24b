"""Routes written as tables of tidemark.toml, for Python reads TOML and does not write it."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_UNESCAPED_BY_JSON = {"\x7f": "\\u007f"}


def as_toml(routes: Iterable[Mapping[str, Any]]) -> str:
    """`[[load.routes]]` for each route.

    Args:
        routes: As `propose_routes` gives them: of texts, figures, lists and tables.
    """
    tables = (
        "\n".join(["[[load.routes]]", *(f"{_key(name)} = {_value(one)}" for name, one in each)])
        for each in (route.items() for route in routes)
    )
    return "".join(f"{table}\n\n" for table in tables).removesuffix("\n")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(str(k))} = {_value(v)}' for k, v in value.items())}}}"
    return repr(value)


def _text(text: str) -> str:
    """A text, without escapes where it can do without: JSON in it stays legible."""
    if '"' in text and "'" not in text and "\\" not in text and text.isprintable():
        return f"'{text}'"
    escaped = json.dumps(text, ensure_ascii=False)
    for character, instead in _UNESCAPED_BY_JSON.items():
        escaped = escaped.replace(character, instead)
    return escaped
