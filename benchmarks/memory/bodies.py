"""What is POSTed: JSON arrays of 1 to 20 objects, 0.2 to 4 KB, a function of the seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache

TEMPLATES = 300
MOST_ELEMENTS = 20
LEAST_BYTES, MOST_BYTES = 200, 4000
IDS = 100_000
"""Ids are drawn from so many: caches that are bounded fill, and go on to evict."""
_BARE_BYTES = 90
_WORDS = ("red", "cold", "new", "urgent", "north", "batch", "retry", "mobile", "eu", "trial")


def bodies(seed: int) -> Iterator[tuple[bytes, int]]:
    """Yield bodies without end, each with the number of its elements."""
    rng = random.Random(f"bodies-{seed}")
    while True:
        template, count = rng.choice(_templates(seed))
        ids = [rng.randrange(IDS) for _ in range(count)]
        yield template % tuple(number for number in ids for _ in range(2)), count


@cache
def _templates(seed: int) -> tuple[tuple[bytes, int], ...]:
    """Bodies in which each id is left open twice: as a number, and in the name."""
    rng = random.Random(f"templates-{seed}")
    return tuple(_template(rng) for _ in range(TEMPLATES))


def _template(rng: random.Random) -> tuple[bytes, int]:
    count = rng.randint(1, MOST_ELEMENTS)
    size = rng.randint(max(LEAST_BYTES, _BARE_BYTES * count), MOST_BYTES)
    room = max(0, size // count - _BARE_BYTES)
    return f"[{', '.join(_element(rng, room) for _ in range(count))}]".encode(), count


def _element(rng: random.Random, room_bytes: int) -> str:
    tags = rng.sample(_WORDS, rng.randint(0, 3))
    name = rng.randbytes(room_bytes // 2).hex()
    value = round(rng.uniform(-1000, 1000), 3)
    return f'{{"id": %d, "name": "item %d {name}", "value": {value}, "tags": {json.dumps(tags)}}}'
