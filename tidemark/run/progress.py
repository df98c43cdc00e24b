"""Shows how a run is getting on, from its run directory alone."""

import time
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tidemark.analysis.units import several, shortened
from tidemark.record.layout import KERNEL_PID, REQUESTS, SAMPLES
from tidemark.record.stream import RowStream

LINE_EVERY_S = 5.0
NAME_COLUMNS = 22


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
        path: its run directory.
        name: what is running.
        duration_s: seconds of load that it was asked for.
    """

    def __init__(self, path: Path, name: str, duration_s: float) -> None:
        self.path = path
        self.name = name
        self.duration_s = duration_s
        self._began_s = time.monotonic()
        self._start_took_s = 0.0
        self._has_load = False
        self._requests: Tick = (RowStream(path, REQUESTS), [])
        self._samples: Tick = (RowStream(path, SAMPLES), [])

    def line(self, width: int | None = None, *, over: bool = False) -> str:
        """One line: elapsed, requests, descriptors against the limit.

        Args:
            width: columns that it may take; None for as many as it needs.
            over: the run has ended.
        """
        requested = _brought_up_to_date(self._requests)
        if requested and not self._has_load:
            self._has_load = True
            self._start_took_s = time.monotonic() - self._began_s
        told = [self._elapsed(over=over)]
        for row in requested:
            requests = several(int(row["requests"]), "request")
            told.append(f"{requests}, {int(row['failures']):,} failed")
        if fullest := self._fullest_process():
            told.append(f"descriptors {fullest[0]:,} of {fullest[1]:,}")
        if not told[1:] and not over:
            told = ["starting"]
        name = shortened(self.name, NAME_COLUMNS)
        line = "   ".join([f"{name:<{NAME_COLUMNS}}", *told])
        if width is None or len(line) <= width:
            return line
        brief = [part.strip().replace("descriptors", "fds") for part in reversed(told)]
        return shortened(", ".join([name, *brief]), width)  # what is cut matters least

    def _elapsed(self, *, over: bool) -> str:
        """How far the run is; it lasts longer than its load, by the start and the end of it."""
        elapsed_s = time.monotonic() - self._began_s
        if over:
            return f"{elapsed_s:5.0f} s"
        lasts_s = self._start_took_s + self.duration_s
        late = elapsed_s > lasts_s
        rest = "finishing" if late else f"of about {lasts_s:.0f} s"
        return f"{elapsed_s:5.0f} s{',' if late else ''} {rest}"

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
            self._live = Live(self._text(view), console=self._console, transient=True)
            self._live.start()
        else:
            self._print(view)

    def show(self, view: RunView) -> None:
        """Bring the display up to date."""
        if self._live:
            self._live.update(self._text(view))
        elif time.monotonic() - self._said_s >= LINE_EVERY_S:
            self._said_s = time.monotonic()
            self._print(view)

    def end(self, view: RunView) -> None:
        """The run is over; its last line stays."""
        self.close()
        self._print(view, over=True)

    def close(self) -> None:
        """Give the terminal back."""
        if self._live:
            self._live.stop()
            self._live = None

    def _text(self, view: RunView, *, over: bool = False) -> Text:
        """Its line: on a terminal one that does not wrap, which a live line must not."""
        width = self._console.width - 1 if self._console.is_terminal else None
        return Text(view.line(width, over=over))

    def _print(self, view: RunView, *, over: bool = False) -> None:
        self._console.print(self._text(view, over=over), soft_wrap=True)
