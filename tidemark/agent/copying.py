"""Rows and events of another host's recording, as they stand in a run here."""

import csv
import io
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace

from tidemark.agent.clocks import ClockEstimate
from tidemark.record.clock import Instant, RunClock
from tidemark.record.event_lines import decode
from tidemark.record.events import (
    ClockSet,
    Event,
    LimitsRead,
    PermissionDenied,
    RuntimeSeen,
    SamplerStarted,
    Unknown,
)
from tidemark.record.layout import Table

_STANDING = (LimitsRead, PermissionDenied, RuntimeSeen, SamplerStarted)
"""Events that say what holds from then on: those before a run began belong to it too."""
_LEFT_OUT = (ClockSet, Unknown)
"""Rows are put on the run's time by the clock that nobody sets."""

Row = Mapping[str, str]


class RunTime:
    """Turns `elapsed_s` of another host's recording into moments of a run here.

    Args:
        clock: The run's clock.
        estimate: How far the clocks are apart.
        began_monotonic_s: Where `elapsed_s` there counts from, on the clock there.
    """

    def __init__(self, clock: RunClock, estimate: ClockEstimate, began_monotonic_s: float) -> None:
        self._clock = clock
        self._estimate = estimate
        self._began_s = began_monotonic_s

    def instant(self, elapsed_s: float) -> Instant:
        """The moment here; before the run began its `elapsed_s` is negative."""
        held = self._estimate.held
        ahead_s = 0.0 if held is None else held.ahead_s
        here_s = self._began_s + elapsed_s - ahead_s
        to_unix_s = time.time() - time.monotonic()
        return Instant(here_s + to_unix_s, here_s - self._clock.started_monotonic_s)


class RowCopier:
    """Turns lines of a table there into rows here; what was before the run is left out.

    Args:
        table: The table.
        run_time: Turns its times.
        name: Gives the id here of a target there.
        reached: When the last row was that somebody has copied before; None if nobody has.

    Attributes:
        reached: When the last row is that was copied.
    """

    def __init__(
        self,
        table: Table,
        run_time: RunTime,
        name: Callable[[str], str],
        reached: Instant | None = None,
    ) -> None:
        self._table = table
        self._run_time = run_time
        self._name = name
        self.reached = reached or Instant(0.0, 0.0)
        self._tick: tuple[str, Instant] | None = None

    def rows(self, lines: bytes) -> Iterator[Row]:
        """The rows; a line that is none, such as the header, is left out."""
        columns = self._table.columns
        for fields_ in csv.reader(io.StringIO(lines.decode("utf-8", "replace"))):
            row = dict(zip(columns, fields_, strict=False))
            instant = self._instant(row.get("elapsed_s", ""))
            if len(fields_) == len(columns) and instant and instant.elapsed_s >= 0:
                times = {"time_s": f"{instant.time_s:.6f}", "elapsed_s": f"{instant.elapsed_s:.6f}"}
                yield {**row, **times, "target": self._name(row["target"])}

    def _instant(self, text: str) -> Instant | None:
        """Of a tick all rows have the same, and a later one is never earlier here."""
        if self._tick is None or text != self._tick[0]:
            try:
                found = self._run_time.instant(float(text))
            except ValueError:
                return None
            if found.elapsed_s >= 0:  # else it was before the run
                found = self.reached = max(found, self.reached, key=lambda one: one.elapsed_s)
            self._tick = text, found
        return self._tick[1]


def copied_event(
    line: bytes, run_time: RunTime, name: Callable[[str], str]
) -> tuple[Instant, Event] | None:
    """An event there as one of a run here; None where it is none of this run's.

    Args:
        line: A line of events.jsonl.
        run_time: Turns its times.
        name: Gives the id here of a target there; of an event that names none, "" is asked for.
    """
    try:
        told = decode(line)
    except ValueError:
        return None
    instant, event = run_time.instant(told.elapsed_s), told.event
    if isinstance(event, _LEFT_OUT) or (instant.elapsed_s < 0 and not isinstance(event, _STANDING)):
        return None
    if instant.elapsed_s < 0:
        instant = Instant(instant.time_s - instant.elapsed_s, 0.0)
    if "target" in {field.name for field in fields(event)}:  # type: ignore[arg-type]
        target = getattr(event, "target", None) or ""
        event = replace(event, target=name(target))  # type: ignore[type-var]
    return instant, event
