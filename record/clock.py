"""The two times that every row and event of a run carries."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks.

    Attributes:
        time_s: Unix time, seconds. Jumps when somebody sets the clock.
        elapsed_s: Seconds since the run began, monotonic.
    """

    time_s: float
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class RunClock:
    """The clock of one run, shared by all its processes on one host.

    `CLOCK_MONOTONIC` counts from boot for every process of a host alike, so handing
    `started_monotonic_s` to another process hands it the clock.

    Attributes:
        started_monotonic_s: `time.monotonic()` when the run began, seconds.
    """

    started_monotonic_s: float

    @classmethod
    def start(cls) -> "RunClock":
        """Begin a run now."""
        return cls(time.monotonic())

    def now(self) -> Instant:
        """The present moment on both clocks."""
        return Instant(time.time(), time.monotonic() - self.started_monotonic_s)
