"""JSON objects as the files of a run hold them: bounded, and fit to be shown."""

import json
from typing import Any

LARGEST_IN_JSON = 2.0**63
"""The same of what is not calculated with: sizes of a host, which may be "unlimited"."""
LONGEST_TEXT = 2000
"""Characters of a text in JSON that are kept: a command line may fill pages."""
DEEPEST = 20
"""No object of a run is nested more deeply."""


def parse_object(data: bytes) -> dict[str, Any] | None:
    """The JSON object in `data`, its texts made fit to be shown.

    Returns:
        None if it is anything else: NaN, infinity, figures too large to be true and nesting that
        nobody writes included.
    """
    try:
        value = _shown(json.loads(data, parse_constant=_no_constant))
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    return value if isinstance(value, dict) else None


def shown_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text of a run as it may be printed and drawn.

    Cut where it goes on for ever; without control characters, which would steer a terminal or
    break a line, and without halves of characters, which cannot be written.
    """
    if len(text) > longest:
        text = f"{text[: longest - 3]}..."
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def _shown(value: Any, depth: int = 0) -> Any:
    if depth > DEEPEST:
        raise ValueError("is nested too deeply")
    if isinstance(value, str):
        return shown_text(value)
    if isinstance(value, list):
        return [_shown(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {shown_text(key): _shown(one, depth + 1) for key, one in value.items()}
    if isinstance(value, int | float) and not abs(value) <= LARGEST_IN_JSON:
        raise ValueError("is too large to be true")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
