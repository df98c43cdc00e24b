"""The lines of `events.jsonl`: how an event is written, and read again.

A line is an object: `time_s`, `elapsed_s`, `event`, and the fields of its type that are known.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from tidemark.record.clock import Instant
from tidemark.record.events import KINDS, LARGEST, Event, Recorded, Unknown
from tidemark.record.objects import parse_object


def encode(instant: Instant, event: Event) -> bytes:
    """One line of `events.jsonl`, without its newline."""
    times = {"time_s": round(instant.time_s, 6), "elapsed_s": round(instant.elapsed_s, 6)}
    record = {**times, "event": event.name, **event.details()}
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")


def decode(line: bytes) -> Recorded[Event]:
    """Read one line of `events.jsonl`.

    Raises:
        ValueError: It is no event, or a field of it is not what the event's type wants; the
            message says which.
    """
    given = parse_object(line) or {}
    time_s, elapsed_s, name = (given.pop(key, None) for key in ("time_s", "elapsed_s", "event"))
    if not (_is_time(time_s) and _is_time(elapsed_s) and isinstance(name, str)):
        raise ValueError("is not an event (an object with time_s, elapsed_s and event)")
    event = _typed(name, given) if name in KINDS else Unknown(name, given)
    return Recorded(float(time_s), float(elapsed_s), event)


def _is_time(value: Any) -> typing.TypeGuard[float]:
    return _fits(value, float) and 0 <= value <= LARGEST


def _typed(event: str, given: Mapping[str, Any]) -> Event:
    """The event of that name; fields that its type does not have are left out."""
    wanted = _types(event)
    for name, types in wanted.items():
        if not _fits(given.get(name), types):
            raise ValueError(f"is an event {event} whose {name} cannot be read")
    return KINDS[event](**{name: given.get(name) for name in wanted})


@cache
def _types(event: str) -> dict[str, Any]:
    """Field of the events of a name -> what it takes."""
    return typing.get_type_hints(KINDS[event])


def _fits(value: object, types: Any) -> bool:
    """Whether a value has one of these types; a bool is no number, an integer will do for float."""
    if isinstance(value, bool) or (isinstance(value, float) and abs(value) > LARGEST):
        return False
    return isinstance(value, types) or (isinstance(value, int) and isinstance(0.0, types))
