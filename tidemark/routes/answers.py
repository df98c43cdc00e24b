"""What an answer means: whether the request succeeded, and how many messages were accepted."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MISSING = object()
LARGEST_ANSWER = 1_000_000
"""Bytes of an answer that is looked into; what says so little does not take more."""
_STEP = re.compile(r"\.?([^.\[\]]+)|\[([0-9]{1,9})\]")
_COUNT = re.compile(r"[0-9]{1,18}")

JsonPath = tuple[str | int, ...]
OK = (range(200, 300),)


def parse_path(text: str) -> JsonPath:
    """Read a path of keys and indexes, `data.items[0].id`; a `$` may stand before it.

    Raises:
        ValueError: it is none.
    """
    rest = text.removeprefix("$")
    steps: list[str | int] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if not found or (at == 0 and rest.startswith(".") and rest == text):
            raise ValueError(
                f"must be keys and indexes like data.items[0].id, not {text[:60]!r}; "
                "filters and wildcards are not known"
            )
        steps.append(found[1] if found[1] is not None else int(found[2]))
        at = found.end()
    if not text:
        raise ValueError("must be a path like data.items[0].id, not empty")
    return tuple(steps)


def show_path(path: JsonPath) -> str:
    """A path as messages have it, `data.items[0].id`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "$"


def find(document: Any, path: JsonPath) -> Any:
    """What stands in a document at a path; `MISSING` where nothing does."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(document, list) or step >= len(document):
                return MISSING
            document = document[step]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            return MISSING
    return document


@dataclass(frozen=True, slots=True)
class Success:
    """When a request has succeeded.

    Attributes:
        statuses: which HTTP statuses say so.
        path: what has to stand in the JSON of the answer; None where nobody looks.
        equals: what has to stand there; `MISSING` where anything does.
    """

    statuses: Sequence[range] = OK
    path: JsonPath | None = None
    equals: Any = MISSING

    def failure(self, status: int, content: bytes) -> str | None:
        """What is wrong with an answer, in words that are few over all answers; None if nothing."""
        if not any(status in statuses for statuses in self.statuses):
            return f"HTTP {status}"
        if self.path is None:
            return None
        document = _load(content)
        if document is MISSING:
            return "the answer is not JSON"
        found = find(document, self.path)
        if found is MISSING:
            return f"the answer has no {show_path(self.path)}"
        if self.equals is MISSING or _is_same(found, self.equals):
            return None
        return f"{show_path(self.path)} of the answer is not {json.dumps(self.equals)[:60]}"


ANY_2XX = Success()


def accepted_count(content: bytes, path: JsonPath | None = None) -> int | None:
    """The number of messages that a service says it took; None when it says something else.

    Args:
        content: its answer.
        path: where the number stands; where nobody said, a bare number is one, or what stands under
            `accepted` in a JSON object.
    """
    if path is None:
        text = content[:32].decode(errors="replace").strip()
        if len(content) <= 32 and _COUNT.fullmatch(text):
            return int(text)
        path = ("accepted",)
    found = find(_load(content), path)
    is_count = isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 10**18
    return found if is_count else None


def _load(content: bytes) -> Any:
    if len(content) > LARGEST_ANSWER:
        return MISSING
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return MISSING


def _is_same(found: Any, wanted: Any) -> bool:
    """Whether two values of JSON are equal; true is not 1 there."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)
