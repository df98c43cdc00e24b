"""Shows how a run is getting on, from its run directory alone."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tidemark.record.layout import KERNEL_PID, REQUESTS, SAMPLES, Table
from tidemark.record.stream import RowStream

LINE_EVERY_S = 5.0


class LastTick:
    """The rows of the last tick of a table that is still being written.

    Args:
        folder: the run directory.
        table: which of its tables.
    """

    def __init__(self, folder: Path, table: Table) -> None:
        self._stream = RowStream(folder, table)
        self._rows: list[dict[str, str]] = []

    def rows(self) -> list[dict[str, str]]:
        """Those rows, once what was added has been read; empty before the first."""
        for row in self._stream.new_rows():
            if self._rows and row["elapsed_s"] != self._rows[-1]["elapsed_s"]:
                self._rows = []
            self._rows.append(row)
        return self._rows


class RunView:
    """A run that is under way, as far as its files tell.

    Args:
        strategy: what is running.
        path: its run directory.
        duration_s: seconds of load that it was asked for.
    """

    def __init__(self, strategy: str, path: Path, duration_s: float) -> None:
        self.path = path
        self._strategy = strategy
        self._duration_s = duration_s
        self._began_s = time.monotonic()
        self._requests = LastTick(path, REQUESTS)
        self._samples = LastTick(path, SAMPLES)

    def line(self) -> str:
        """One line: elapsed, requests, descriptors against the limit."""
        elapsed_s = time.monotonic() - self._began_s
        parts = [f"{self._strategy:<22}", f"{elapsed_s:5.0f} s of about {self._duration_s:.0f} s"]
        requests = self._requests.rows()
        if requests:
            row = requests[-1]
            parts.append(f"{int(row['requests']):,} requests, {int(row['failures']):,} failed")
        fullest = self._fullest_process()
        if fullest:
            parts.append(f"descriptors {fullest[0]:,} of {fullest[1]:,}")
        return "   ".join(parts) if fullest or requests else f"{parts[0]}   starting"

    def _fullest_process(self) -> tuple[int, int] | None:
        """Descriptors and limit of the process that is nearest to its limit."""
        held = [
            (int(row["fds"]), int(row["fds_limit"]))
            for row in self._samples.rows()
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
