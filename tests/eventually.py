"""Waiting for what comes true on its own, without keeping a core busy meanwhile."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

PAUSE_S = 0.02
Found = TypeVar("Found")


def eventually(
    holds: Callable[[], Found], what: str = "the condition", timeout_s: float = 60.0
) -> Found:
    """Poll until `holds` gives something true, and return that; fail when time is up."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not (found := holds()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {timeout_s:g} s: the last was {found!r}")
        pause.wait(PAUSE_S)
    return found


def eventually_equal(
    seen: Callable[[], object], expected: object, what: str, timeout_s: float = 60.0
) -> None:
    """Poll until `seen` gives what is expected; what it gave last stands in the failure."""
    last = None

    def is_it() -> bool:
        nonlocal last
        last = seen()
        return last == expected

    try:
        eventually(is_it, what, timeout_s)
    except pytest.fail.Exception:
        pytest.fail(f"{what}: not {expected!r} within {timeout_s:g} s, the last was {last!r}")
