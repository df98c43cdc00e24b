"""Ticks that do not drift, and a wait that a signal ends."""

import contextlib
import os
import select
import signal
import time


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

    def advance(self, now_s: float) -> int:
        """Go on to the first tick that is not over yet; returns how many were missed.

        A tick is missed when the next one is already due before it could begin.
        """
        self._number += 1
        late = int((now_s - self.due_s) // self.interval_s)
        missed = max(late, 0)
        self._number += missed
        return missed


class StopSignal:
    """SIGINT and SIGTERM ask for an orderly end while this is entered (main thread only)."""

    def __init__(self) -> None:
        self._requested = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._former: dict[signal.Signals, object] = {}

    def _request(self, *_: object) -> None:
        self._requested = True
        with contextlib.suppress(BlockingIOError):  # the pipe is full of requests already
            os.write(self._writer, b"x")

    def wait_until(self, due_s: float) -> bool:
        """Wait until `time.monotonic()` is `due_s`; True if the end was asked for first."""
        while not self._requested:
            left_s = due_s - time.monotonic()
            if left_s <= 0:
                return False
            select.select([self._reader], [], [], left_s)
        return True

    def __enter__(self) -> "StopSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self._reader)
        os.close(self._writer)
