"""Greenlets that are used again: to make one costs more than what a request otherwise takes."""

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import gevent
from gevent.pool import Group

LOOK_S = 0.01
Work = TypeVar("Work")


class Crew(Generic[Work]):
    """Does pieces of work, each as soon as may be, however many are under way.

    Args:
        do: what is done with each piece.
    """

    def __init__(self, do: Callable[[Work], None]) -> None:
        self._do = do
        self._all = Group()
        self._idle: list[Any] = []  # gevent does not say what its greenlets are
        self._under_way = 0
        self._run_soon = gevent.get_hub().loop.run_callback

    def start(self, work: Work) -> None:
        """Begin a piece of work, without waiting for it."""
        self._under_way += 1
        if self._idle:
            self._run_soon(self._idle.pop().switch, work)
        else:
            self._all.spawn(self._serve, work)

    def _serve(self, work: Work) -> None:
        own, hub = gevent.getcurrent(), gevent.get_hub()
        while True:
            try:
                self._do(work)
            finally:
                self._under_way -= 1
            self._idle.append(own)
            work = hub.switch()

    def end(self, within_s: float) -> None:
        """Wait until all that was begun is done, but not for longer, and go home."""
        deadline_s = time.monotonic() + within_s
        while self._under_way and time.monotonic() < deadline_s:
            gevent.sleep(LOOK_S)
        self._idle.clear()
        self._all.kill(block=False)
