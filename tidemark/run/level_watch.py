"""Looks at the samples as they come, and ends the run at a level that was named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tidemark.record.event_lines import decode
from tidemark.record.events import LevelReached, LimitsRead
from tidemark.record.layout import EVENTS_JSONL, KERNEL_PID, ONLY_TARGET, SAMPLES
from tidemark.record.metadata import ABORTED, COMPLETED
from tidemark.record.metrics import Metric
from tidemark.record.stream import LineStream, RowStream
from tidemark.run.bounds import Bound
from tidemark.run.journal import Ending, Journal

TICKS_ENOUGH = 3
"""After so many ticks of a target its limits have been read, if they can be."""
_ENDLESS = 2**62
"""What a kernel says where there is no limit."""


@dataclass(slots=True)
class _Tick:
    """What the processes of a target hold together.

    Attributes:
        at: the time of the tick, as it was written.
        sums: by metric.
        count: how many ticks there were.
    """

    at: str = ""
    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0


class LevelWatch:
    """Watches the levels at which a run is to end, those of other hosts among them.

    Args:
        journal: of the run; its folder is where samples come.
        bounds: the levels.
    """

    def __init__(self, journal: Journal, bounds: Sequence[Bound]) -> None:
        self._journal = journal
        self._bounds = bounds
        self._rows = RowStream(journal.directory.path, SAMPLES)
        self._events = LineStream(journal.directory.file(EVENTS_JSONL))
        self._limits: dict[tuple[str, str], float] = {}
        self._ticks: dict[str, _Tick] = {}

    def look(self) -> Ending | None:
        """How the run has to end, or None while it goes on."""
        if not self._bounds:
            return None
        rows = self._rows.new_rows()
        self._read_limits()  # which are written before the first row of their process
        for row in rows:
            if row["pid"] == str(KERNEL_PID):
                continue
            tick = self._count(row)
            for bound in self._bounds:
                if ending := self._held_against(bound, row, tick):
                    return ending
        return None

    def _read_limits(self) -> None:
        """The lowest that any process of a target has."""
        for line in self._events.new_lines():
            if f'"{LimitsRead.NAME}"'.encode() not in line:
                continue
            try:
                event = decode(line).event
            except ValueError:
                continue
            target = getattr(event, "target", None) or ONLY_TARGET
            for name, limit in event.details().items():
                if name.endswith("_limit") and isinstance(limit, int) and 0 < limit <= _ENDLESS:
                    key = target, name
                    self._limits[key] = min(limit, self._limits.get(key, limit))

    def _count(self, row: Mapping[str, str]) -> _Tick:
        tick = self._ticks.setdefault(row["target"], _Tick())
        if row["elapsed_s"] != tick.at:
            tick.at, tick.sums, tick.count = row["elapsed_s"], {}, tick.count + 1
        for metric in {bound.metric.name: bound.metric for bound in self._bounds}.values():
            if (held := _held(row, metric)) is not None:
                tick.sums[metric.name] = tick.sums.get(metric.name, 0.0) + held
        return tick

    def _held_against(self, bound: Bound, row: Mapping[str, str], tick: _Tick) -> Ending | None:
        """How the run has to end by the newest row."""
        metric = bound.metric
        level: float | None = tick.sums.get(metric.name)
        is_of_process = bound.is_share and metric.has_own_limit
        limit = None
        if is_of_process:
            level, limit = _held(row, metric), _number(row[metric.limit.column or ""])  # type: ignore[union-attr]
        elif bound.is_share:
            limit = self._limits.get((row["target"], f"{metric.name}_limit"))
        if bound.is_share and limit is None:
            return self._unknown(bound, row["target"]) if tick.count > TICKS_ENOUGH else None
        if level is None or level < bound.level * (limit if bound.is_share and limit else 1.0):
            return None
        return self._reached(bound, row, level, limit, is_of_process=is_of_process)

    def _reached(
        self,
        bound: Bound,
        row: Mapping[str, str],
        level: float,
        limit: float | None,
        *,
        is_of_process: bool,
    ) -> Ending:
        event = LevelReached(
            asked=bound.text,
            resource=bound.metric.name,
            level=round(level),
            limit=None if limit is None else round(limit),
            pid=int(row["pid"]) if is_of_process else None,
            process=row["process"] if is_of_process else None,
            target=row["target"],
        )
        self._journal.event(event)
        who = "" if row["target"] == ONLY_TARGET else f"{row['target']}: "
        whose = f" of {event.process} ({event.pid})" if is_of_process else ""
        of = "" if limit is None else f" of {_told(bound.metric, limit)}"
        told = f"{who}{bound.metric.phrase}{whose}: {_told(bound.metric, level)}{of}"
        return Ending(COMPLETED, f"stopped at {bound}: {told}", is_stopped=True)

    def _unknown(self, bound: Bound, target: str) -> Ending:
        """A bound that guards nothing is found out at once, and not after three days."""
        who = "" if target == ONLY_TARGET else f" of {target}"
        reason = (
            f"--stop-at {bound}: no limit of {bound.metric.phrase}{who} is known: name an amount"
        )
        return Ending(ABORTED, reason, cannot_tell=True)


def _held(row: Mapping[str, str], metric: Metric) -> float | None:
    """What a process holds; None where it could not be read."""
    found = [_number(row[column]) for column in metric.columns]
    known = [one for one in found if one is not None]
    return sum(known) if known else None


def _number(text: str) -> float | None:
    return float(text) if text else None


def _told(metric: Metric, level: float) -> str:
    return f"{level / 2**20:,.0f} MiB" if metric.unit == "bytes" else f"{level:,.0f}"
