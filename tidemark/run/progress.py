"""Shows how a run is getting on, from its run directory alone."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tidemark.record.layout import KERNEL_PID, REQUESTS_CSV, SAMPLES_CSV

TAIL_BYTES = 16_384
LINE_EVERY_S = 5.0


@dataclass
class RunView:
    """A run that is under way, as far as its files tell.

    Attributes:
        strategy: what is running.
        path: its run directory.
        duration_s: seconds of load that it was asked for.
    """

    strategy: str
    path: Path
    duration_s: float
    began_s: float = field(default_factory=time.monotonic)

    def line(self) -> str:
        """One line: elapsed, requests, descriptors against the limit."""
        elapsed_s = time.monotonic() - self.began_s
        parts = [f"{self.strategy:<22}", f"{elapsed_s:5.0f} s of about {self.duration_s:.0f} s"]
        requests = _last_rows(self.path / REQUESTS_CSV)
        if requests:
            row = requests[-1]
            parts.append(f"{int(row['requests']):,} requests, {int(row['failures']):,} failed")
        fullest = self._fullest_process()
        if fullest:
            parts.append(f"descriptors {fullest[0]:,} of {fullest[1]:,}")
        return "   ".join(parts) if fullest or requests else f"{parts[0]}   starting"

    def _fullest_process(self) -> tuple[int, int] | None:
        """Descriptors and limit of the process that is nearest to its limit."""
        rows = _last_rows(self.path / SAMPLES_CSV)
        held = [
            (int(row["fds"]), int(row["fds_limit"]))
            for row in rows
            if row["fds"] and row["fds_limit"] and row["pid"] != str(KERNEL_PID)
        ]
        return max(held, key=lambda pair: pair[0] / pair[1]) if held else None


class Progress:
    """A live line on a terminal, a plain line every few seconds elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._said_s = 0.0

    def begin(self, view: RunView) -> None:
        """A run begins."""
        self._said_s = time.monotonic()
        if self._console.is_terminal:
            self._live = Live(Text(view.line()), console=self._console, transient=True)
            self._live.start()
        else:
            self._print(view.line())

    def show(self, view: RunView) -> None:
        """Bring the display up to date."""
        if self._live:
            self._live.update(Text(view.line()))
        elif time.monotonic() - self._said_s >= LINE_EVERY_S:
            self._said_s = time.monotonic()
            self._print(view.line())

    def end(self, view: RunView) -> None:
        """The run is over; its last line stays."""
        self.close()
        self._print(view.line())

    def close(self) -> None:
        """Give the terminal back."""
        if self._live:
            self._live.stop()
            self._live = None

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)


def _last_rows(path: Path) -> list[dict[str, str]]:
    """The complete rows of the last tick of a CSV file that is still being written."""
    try:
        with path.open("rb") as file:
            header = file.readline().decode()
            size = file.seek(0, 2)
            file.seek(max(len(header), size - TAIL_BYTES))
            tail = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    lines = tail[: tail.rfind("\n") + 1].splitlines()
    columns = header.strip().split(",")
    rows = [dict(zip(columns, r, strict=True)) for r in csv.reader(lines) if len(r) == len(columns)]
    return [row for row in rows if row["elapsed_s"] == rows[-1]["elapsed_s"]]
