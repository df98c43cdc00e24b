"""Ticks that do not drift, and a wait that a signal ends."""

import contextlib
import math
import os
import select
import signal
import time
from collections.abc import Iterator

_ROUNDING = 1e-6
"""Of an interval: what the sum of many of them may be off by."""


class Ticker:
    """Due times at whole multiples of the interval after the first.

    Args:
        interval_s: Seconds between ticks.
        first_s: When the first is due, on the clock that `advance` is given.
    """

    def __init__(self, interval_s: float, first_s: float) -> None:
        self.interval_s = interval_s
        self._first_s = first_s
        self._number = 0

    @property
    def due_s(self) -> float:
        """When the coming tick is due."""
        return self._first_s + self._number * self.interval_s

    def advance(self) -> None:
        """Go on to the next tick."""
        self._number += 1

    def skip(self, now_s: float) -> int:
        """Go on to the first tick that is not over yet; returns how many were missed.

        A tick is missed when the next one is already due before it could begin. Asked when a
        tick is about to begin: whoever was stopped while it waited takes one, not two.
        """
        late = math.floor((now_s - self.due_s) / self.interval_s + _ROUNDING)
        missed = max(late, 0)
        self._number += missed
        return missed


class Hurried(Exception):  # noqa: N818 (it is no error)
    """The end was asked for again, while it was being prepared."""


class StopSignal:
    """SIGINT, SIGTERM and SIGHUP ask for an orderly end while this is entered (main thread only).

    A second one asks for it at once. A hangup that is ignored (`nohup`) stays ignored.
    """

    def __init__(self) -> None:
        self._requests = 0
        self._may_break = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._former: dict[signal.Signals, object] = {}

    def _request(self, *_: object) -> None:
        self._requests += 1
        with contextlib.suppress(BlockingIOError):  # the pipe is full of requests already
            os.write(self._writer, b"x")
        self._break_off()

    def _break_off(self) -> None:
        if self._may_break and self._requests > 1:
            self._may_break = False
            raise Hurried

    @contextlib.contextmanager
    def breaking_off(self) -> Iterator[None]:
        """What is done meanwhile is broken off with `Hurried` by a second request."""
        self._may_break = True
        try:
            self._break_off()
            yield
        finally:
            self._may_break = False

    def wait_until(self, due_s: float) -> bool:
        """Wait until `time.monotonic()` is `due_s`; True if the end was asked for first."""
        while not self._requests:
            left_s = due_s - time.monotonic()
            if left_s <= 0:
                return False
            select.select([self._reader], [], [], left_s)
        return True

    def __enter__(self) -> "StopSignal":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                self._former[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self._reader)
        os.close(self._writer)
