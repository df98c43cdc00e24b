"""Whether the load generator keeps up with what it was asked for."""

from collections.abc import Callable

from tidemark.record.events import GeneratorSaturated

LATE_P99_MS = 50.0
"""A 99th percentile of lateness that is no matter of chance any more.

A generator that keeps up, on a machine that it shares, has 1 to 20 ms (benchmarks/README.md). One
that is asked for 5 % more than it can send falls 50 ms further behind with every second.
"""
TICKS_IN_A_ROW = 3
"""A pause falls into one tick, or where two of them meet; after that it is none."""


class Saturation:
    """Tells of each sign that the generator does not keep up, the first time that it shows.

    Args:
        tell: takes the event.
    """

    def __init__(self, tell: Callable[[GeneratorSaturated], None]) -> None:
        self._tell = tell
        self._late_ticks = 0
        self._told: set[str] = set()

    def tick(self, late_p99_ms: float | None) -> None:
        """A tick is over; its 99th percentile of lateness, None if no request left."""
        is_late = late_p99_ms is not None and late_p99_ms > LATE_P99_MS
        self._late_ticks = self._late_ticks + 1 if is_late else 0
        if late_p99_ms is not None and self._late_ticks >= TICKS_IN_A_ROW:
            self._once("ticks", GeneratorSaturated(lateness_s=round(late_p99_ms / 1000, 3)))

    def used(self, cpu_percent: float) -> None:
        """Locust warns that its process uses so much of a processor."""
        self._once("processor", GeneratorSaturated(cpu_percent=round(cpu_percent, 1)))

    def _once(self, sign: str, event: GeneratorSaturated) -> None:
        if sign not in self._told:
            self._told.add(sign)
            self._tell(event)
