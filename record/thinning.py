"""A table of a run that is thinned as it ages, by its own writer, a little at each tick.

The thinned table grows beside the old one and takes its place at once: whoever is killed leaves
one of the two, whole. Every value stays as it was measured; ticks are left out, not averaged.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from tidemark.record.appender import CsvAppender
from tidemark.record.errors import DiskFullError
from tidemark.record.files import explained, open_appending, write_all
from tidemark.record.retention import Retention

STEP_BYTES = 1 << 18
"""So much is looked through at a tick: some milliseconds."""
_COPIED_AT_ONCE = 8
"""What was thinned before is only copied, so many times faster."""
_TARGET_COLUMN = 2


class Thinner:
    """Thins a table while it is written.

    Args:
        appender: Writes the table; nobody else does.
        retention: What is to be kept.
    """

    def __init__(self, appender: CsvAppender, retention: Retention) -> None:
        self._appender = appender
        self._retention = retention
        self._has_targets = appender.columns[_TARGET_COLUMN] == "target"
        self._settled = 0
        self._due_s = retention.tiers[0].age_s
        self._round: _Round | None = None
        self._beside.unlink(missing_ok=True)  # of a writer that was killed

    @property
    def _beside(self) -> Path:
        path = self._appender.path
        return path.with_name(f".{path.name}.thinned")

    def step(self, now_s: float) -> bool:
        """Go on with it; call it after each tick.

        Args:
            now_s: `elapsed_s` of that tick.

        Returns:
            Whether the file is another one now.
        """
        if now_s < self._due_s:
            return False
        try:
            return self._go_on(now_s)
        except DiskFullError:  # there is no room for both; later there may be
            self._drop()
            return False

    def _go_on(self, now_s: float) -> bool:
        if self._round is None:
            cuts, path = self._retention.cuts(now_s), self._appender.path
            self._round = _Round(path, self._beside, cuts, has_targets=self._has_targets)
            self._round.begin(self._settled)
        if not self._round.step():
            return False
        done, self._round = self._round, None
        done.close()
        self._due_s = now_s + self._retention.period_s(now_s)
        if not done.left_out:
            done.written.close()
            self._beside.unlink()
            return False
        self._settled = done.settled
        self._appender.go_on_with(self._beside, done.written)
        return True

    def _drop(self) -> None:
        if self._round:
            self._round.close()
            self._round.written.close()
            self._round = None
        with contextlib.suppress(OSError):
            self._beside.unlink(missing_ok=True)
        self._due_s += self._retention.period_s(self._due_s)

    def close(self) -> None:
        """Leave what was begun."""
        self._drop()


class _Tick:
    """The ticks of a target that share a place, of which the one that tells most is kept."""

    def __init__(self) -> None:
        self.place: tuple[float, float] = (0.0, 0.0)
        self.text = b""
        self._lines: list[bytes] = []
        self._best: list[bytes] = []
        self._best_told = -1

    def add(self, line: bytes) -> None:
        """One more row of the present tick."""
        self._lines.append(line)

    def begin(self, text: bytes) -> None:
        """Another tick of the same place, or of the next one."""
        told = sum(sum(map(bool, line.rstrip().split(b","))) for line in self._lines)
        if told > self._best_told:
            self._best, self._best_told = self._lines, told
        self.text, self._lines = text, []

    def take(self) -> list[bytes]:
        """The rows that are kept of this place; call `begin` before."""
        best, self._best, self._best_told = self._best, [], -1
        return best


class _Round:
    """One pass through a table.

    Args:
        path: The table.
        beside: Where the thinned one is written.
        cuts: See `Retention.cuts`.
        has_targets: Whether rows belong to a target, each of which has ticks of its own.

    Attributes:
        written: The thinned table, open for appending.
        settled: How much of that is as thin as it gets, bytes.
        left_out: How many rows were.
    """

    def __init__(
        self,
        path: Path,
        beside: Path,
        cuts: tuple[tuple[float, float], ...],
        *,
        has_targets: bool,
    ) -> None:
        self.left_out = self.settled = self._to_copy = 0
        self._cuts = cuts
        self._has_targets = has_targets
        self._ticks: dict[bytes, _Tick] = {}
        self._is_settling = True
        self._rest = b""
        self._beside = beside
        with explained(path):
            self._source = path.open("rb")
            beside.unlink(missing_ok=True)
            self.written: io.FileIO = open_appending(beside)

    def begin(self, settled: int) -> None:
        """Write the header.

        Args:
            settled: How much of the table is as thin as it gets, bytes: it is only copied.
        """
        header = self._source.readline()
        self._write([header])
        self.settled = max(settled, len(header))
        self._to_copy = self.settled - len(header)

    def close(self) -> None:
        """Close the old table."""
        self._source.close()

    def step(self) -> bool:
        """Look through some of it; whether that was the end."""
        if self._to_copy:
            part = self._source.read(min(self._to_copy, _COPIED_AT_ONCE * STEP_BYTES))
            self._to_copy -= len(part)
            self._write([part])
            return False
        part = self._source.read(STEP_BYTES)
        data = self._rest + part
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        self._write(list(self._kept(data[:end])))
        if len(part) == STEP_BYTES:
            return False
        self._write(list(self._last()))
        return True

    def _write(self, parts: list[bytes]) -> None:
        with explained(self._beside):
            write_all(self.written, b"".join(parts))

    def _kept(self, lines: bytes) -> Iterator[bytes]:
        for line in lines.splitlines(keepends=True):
            _, text, rest = line.split(b",", 2)
            target = rest.split(b",", 1)[0] if self._has_targets else b""
            tick = self._ticks.get(target)
            if tick is None:
                tick = self._ticks[target] = _Tick()
            if text != tick.text:
                place = self._place(float(text))
                tick.begin(text)
                if place != tick.place:
                    yield from self._taken(tick)
                    tick.place = place
            tick.add(line)
            self.left_out += 1

    def _taken(self, tick: _Tick) -> list[bytes]:
        """The rows that are kept of a place that is complete."""
        kept = tick.take()
        self.left_out -= len(kept)
        self._is_settling &= not kept or tick.place[0] == self._cuts[-1][1]
        self.settled += sum(map(len, kept)) if self._is_settling else 0
        return kept

    def _place(self, elapsed_s: float) -> tuple[float, float]:
        """What shares a place is thinned to one tick; a young tick has one of its own."""
        for before_s, spacing_s in reversed(self._cuts):
            if elapsed_s < before_s:
                return spacing_s, elapsed_s // spacing_s
        return 0.0, elapsed_s

    def _last(self) -> Iterator[bytes]:
        for tick in self._ticks.values():
            tick.begin(b"")
            yield from self._taken(tick)
