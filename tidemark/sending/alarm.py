"""Wakes a greenlet at the moment that it asked for."""

import ctypes
import os
import time
from ctypes import Structure, byref, c_long
from types import TracebackType
from typing import Self

import gevent

_READ = 1
_ABSOLUTE = 1  # TFD_TIMER_ABSTIME
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC  # TFD_NONBLOCK and TFD_CLOEXEC are the same numbers


class _TimeSpec(Structure):
    _fields_ = (("seconds", c_long), ("nanoseconds", c_long))


class _TimerSpec(Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


_libc = ctypes.CDLL(None, use_errno=True)


class Alarm:
    """A timer of the kernel (timerfd_create(2)), exact to some ten microseconds.

    A timer of gevent's waits in epoll_wait(2), whose milliseconds are whole ones: what is due in
    0.1 ms is woken after 1. To wait for a descriptor there is no shorter unit to be rounded to.
    Where the kernel has no such timers, gevent's have to do.
    """

    def __init__(self) -> None:
        self._spec = _TimerSpec()
        self._descriptor: int | None = None  # until it is needed: not every user waits for one

    def wait_until(self, due_s: float) -> None:
        """Let others run until a moment of `time.monotonic()`, seconds, unless it has gone by."""
        wait_s = due_s - time.monotonic()
        if wait_s <= 0:
            return
        if self._descriptor is None and not self._open():
            gevent.sleep(wait_s)
            return
        value = self._spec.value
        value.seconds = int(due_s)
        value.nanoseconds = int((due_s - value.seconds) * 1e9)
        # That it is set anew also takes back that it has gone off before.
        _libc.timerfd_settime(self._descriptor, _ABSOLUTE, byref(self._spec), None)
        gevent.get_hub().wait(self._watcher)

    def _open(self) -> bool:
        """Have the kernel make the timer; false where it knows none."""
        create = getattr(_libc, "timerfd_create", None)
        if create is None:
            return False
        descriptor = create(time.CLOCK_MONOTONIC, _FLAGS)
        if descriptor < 0:
            error = ctypes.get_errno()
            raise OSError(error, f"timerfd_create: {os.strerror(error)}")
        self._descriptor = descriptor
        self._watcher = gevent.get_hub().loop.io(descriptor, _READ)
        return True

    def close(self) -> None:
        """Give the timer back; closing twice is fine."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._watcher.close()
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
