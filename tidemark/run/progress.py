"""Shows how a run is getting on, from its run directory alone."""

import time
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tidemark.record.layout import KERNEL_PID, REQUESTS, SAMPLES
from tidemark.record.stream import RowStream

LINE_EVERY_S = 5.0


Tick = tuple[RowStream, list[dict[str, str]]]
"""A table that is still being written, and the rows of its last tick."""


def _brought_up_to_date(tick: Tick) -> list[dict[str, str]]:
    """Those rows, once what was added has been read; empty before the first."""
    stream, rows = tick
    for row in stream.new_rows():
        if rows and row["elapsed_s"] != rows[-1]["elapsed_s"]:
            rows.clear()
        rows.append(row)
    return rows


class RunView:
    """A run that is under way, as far as its files tell.

    Args:
        path: its run directory, which has the name of what is running.
        duration_s: seconds of load that it was asked for.
    """

    def __init__(self, path: Path, duration_s: float) -> None:
        self.path = path
        self._duration_s = duration_s
        self._began_s = time.monotonic()
        self._requests: Tick = (RowStream(path, REQUESTS), [])
        self._samples: Tick = (RowStream(path, SAMPLES), [])

    def line(self) -> str:
        """One line: elapsed, requests, descriptors against the limit."""
        elapsed_s = time.monotonic() - self._began_s
        name, *told = (
            f"{self.path.name:<22}",
            f"{elapsed_s:5.0f} s of about {self._duration_s:.0f} s",
        )
        for row in _brought_up_to_date(self._requests):
            told.append(f"{int(row['requests']):,} requests, {int(row['failures']):,} failed")
        if fullest := self._fullest_process():
            told.append(f"descriptors {fullest[0]:,} of {fullest[1]:,}")
        return "   ".join([name, *(told if told[1:] else ["starting"])])

    def _fullest_process(self) -> tuple[int, int] | None:
        """Descriptors and limit of the process that is nearest to its limit."""
        held = [
            (int(row["fds"]), int(row["fds_limit"]))
            for row in _brought_up_to_date(self._samples)
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
