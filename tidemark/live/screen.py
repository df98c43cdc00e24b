"""The panel of a run on a terminal to which another process writes as well: its lines go above."""

import contextlib
import math
import os
import select
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tidemark.live import panel
from tidemark.live.watching import Watched

DRAW_EVERY_S = 0.5
LOOK_EVERY_S = 0.1
MOST_BYTES = 65_536
_USUAL_SIZE = (80, 24)
"""Of a terminal that does not say how large it is."""


class Screen:
    """Draws a run, in a thread of its own, until it is told to end or nobody writes any more.

    Args:
        watched: The run.
        terminal: Descriptor of the terminal; it is closed with the process.
        lines: Descriptor that hands out what the other process writes.
        on_desertion: What is done when that has gone, and the terminal was left clean.
    """

    def __init__(
        self, watched: Watched, terminal: int, lines: int, on_desertion: Callable[[], object]
    ) -> None:
        self._on_desertion = on_desertion
        self._is_deserted = False
        self._error: BaseException | None = None
        self._watched = watched
        self._terminal = terminal
        self._lines = lines
        self._torn = b""
        self._is_stopped = Event()

    @contextlib.contextmanager
    def drawn(self) -> Iterator[None]:
        """Draw it for as long as the context lasts; nothing of the panel is left then."""
        thread = Thread(target=self._run, name="screen", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_stopped.set()
            thread.join()

    def expect_well(self) -> None:
        """Raise what has ended the drawing.

        Raises:
            BaseException: A bug.
        """
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            with os.fdopen(self._terminal, "w") as file:
                self._draw_until_stopped(Console(file=file))
        except OSError:  # the terminal was closed: what is written now nobody would see
            self._discard()
        except BaseException as error:  # noqa: BLE001 - raised by who looks after this
            self._error = error
        if self._is_deserted:
            self._on_desertion()

    def _draw_until_stopped(self, console: Console) -> None:
        console.size = self._size()
        with Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live:
            drawn_s = -math.inf
            while not (self._is_stopped.is_set() or self._is_deserted):
                self._pass_on(console, LOOK_EVERY_S)
                if time.monotonic() - drawn_s >= DRAW_EVERY_S:
                    drawn_s = time.monotonic()
                    self._draw(live)
            while self._pass_on(console, 0):
                pass
        if self._torn:
            console.print(Text.from_ansi(self._torn.decode(errors="replace")), soft_wrap=True)

    def _draw(self, live: Live) -> None:
        live.console.size = width, height = self._size()
        facts = self._watched.facts()
        with self._watched.run.lock:
            live.update(panel.panel(facts, self._watched.run, width, height), refresh=True)

    def _size(self) -> tuple[int, int]:
        columns, lines = os.get_terminal_size(self._terminal)
        return columns or _USUAL_SIZE[0], lines or _USUAL_SIZE[1]

    def _pass_on(self, console: Console, wait_s: float) -> bool:
        """Show what was written, whole lines of it, above the panel; whether there was any."""
        found = self._read(wait_s)
        *whole, self._torn = (self._torn + found).split(b"\n")
        if whole:
            text = b"\n".join(whole).decode(errors="replace")
            console.print(Text.from_ansi(text), soft_wrap=True)
        return bool(found)

    def _read(self, wait_s: float) -> bytes:
        ready, _, _ = select.select([self._lines], [], [], wait_s)
        if not ready:
            return b""
        found = os.read(self._lines, MOST_BYTES)
        self._is_deserted = not found
        return found

    def _discard(self) -> None:
        """Let whoever writes go on."""
        while not (self._is_stopped.is_set() or self._is_deserted):
            self._read(LOOK_EVERY_S)
