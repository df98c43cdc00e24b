"""What is shown of a run under way, by a companion, where anything needs one."""

from threading import Event, Thread

from tidemark.run.companion import Companion
from tidemark.run.terminal import LentTerminal

LOOK_EVERY_S = 0.2


class Showing:
    """A run that is shown from `begin` to `end`: in a panel on a terminal, or by heartbeats.

    Args:
        companion: Who judges and draws; it is started if there is anything to show.
    """

    def __init__(self, companion: Companion) -> None:
        self._companion = companion
        self._terminal: LentTerminal | None = None
        self._is_over = Event()
        self._has_begun = False

    def begin(self, *, heartbeat_s: float, lasts_s: float | None, has_panel: bool) -> None:
        """The load begins.

        Args:
            heartbeat_s: Seconds between two lines that say how it is getting on; 0 for none.
            lasts_s: How long the load lasts, seconds; None where no end is planned.
            has_panel: Whether the panel is wanted, if there is a terminal for it.
        """
        self._terminal = terminal = LentTerminal.lend() if has_panel else None
        is_due = bool(heartbeat_s) and (not lasts_s or lasts_s > heartbeat_s)
        if terminal:
            is_due &= not terminal.has_errors  # where it would stand below the panel
            self._companion.ask_for(terminal=terminal)
        if is_due:
            self._companion.ask_for(heartbeat_s=heartbeat_s)
        self._has_begun = is_due or terminal is not None
        if self._has_begun:
            self._companion.start()
        if terminal:
            Thread(target=self._guard, daemon=True).start()

    def end(self) -> None:
        """Nothing more is shown; safe to call again."""
        self._is_over.set()
        if self._has_begun:
            self._companion.stop()
        self._take_back()

    def _guard(self) -> None:
        """Take the terminal back when nobody will draw on it any more."""
        while not self._is_over.wait(LOOK_EVERY_S):
            if self._companion.is_given_up:
                self._take_back()
                return

    def _take_back(self) -> None:
        terminal, self._terminal = self._terminal, None
        if terminal:
            terminal.take_back()
