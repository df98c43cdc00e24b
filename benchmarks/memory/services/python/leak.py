"""The leak that can be switched on: sessions that nobody ends."""

import itertools
import os
import random

LEAK_BYTES = int(os.environ.get("LEAK_BYTES", "0"))
LEAK_EVERY = int(os.environ.get("LEAK_EVERY", "1"))

SESSIONS: dict[int, bytes] = {}
_posts = itertools.count(1)  # its next() is atomic, and so is a dictionary's assignment


def remember() -> None:
    """Keep LEAK_BYTES random bytes for ever, on every LEAK_EVERY-th call of this process."""
    if not LEAK_BYTES:
        return
    post = next(_posts)
    if post % LEAK_EVERY == 0:
        SESSIONS[post] = random.randbytes(LEAK_BYTES)
