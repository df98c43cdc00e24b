"""What is shown of a run under way, by a companion, where anything needs one."""

from pathlib import Path
from threading import Event, Thread

from tidemark.run.companion import Companion
from tidemark.run.terminal import LentTerminal

LOOK_EVERY_S = 0.2


class Showing:
    """A run that is shown from `begin` to `end`: in a panel on a terminal, or by heartbeats.

    Attributes:
        companion: Who judges and draws; None where nothing is shown.
    """

    def __init__(self) -> None:
        self.companion: Companion | None = None
        self._terminal: LentTerminal | None = None
        self._is_over = Event()

    def begin(
        self, path: Path, *, heartbeat_s: float, lasts_s: float | None, has_panel: bool
    ) -> None:
        """The load begins.

        Args:
            path: The run directory.
            heartbeat_s: Seconds between two lines that say how it is getting on; 0 for none.
            lasts_s: How long the load lasts, seconds; None where no end is planned.
            has_panel: Whether the panel is wanted, if there is a terminal for it.
        """
        self._terminal = LentTerminal.lend() if has_panel else None
        is_seen = self._terminal is not None and self._terminal.has_errors
        is_due = heartbeat_s and (not lasts_s or lasts_s > heartbeat_s)
        if not self._terminal and not is_due:
            return
        self._is_over.clear()
        self.companion = Companion(
            path,
            heartbeat_s=heartbeat_s if is_due and not is_seen else None,
            terminal=self._terminal,
        )
        self.companion.start()
        if self._terminal:
            Thread(target=self._guard, args=(self.companion,), daemon=True).start()

    def end(self) -> None:
        """Nothing more is shown; safe to call again."""
        self._is_over.set()
        companion, self.companion = self.companion, None
        if companion:
            companion.stop()
        self._take_back()

    def _guard(self, companion: Companion) -> None:
        """Take the terminal back when nobody will draw on it any more."""
        while not self._is_over.wait(LOOK_EVERY_S):
            if companion.is_given_up:
                self._take_back()
                return

    def _take_back(self) -> None:
        terminal, self._terminal = self._terminal, None
        if terminal:
            terminal.take_back()
