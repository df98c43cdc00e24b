"""The companion of the run that the tab shows: there while somebody looks."""

import time
from threading import Event, Thread

from tidemark.run.companion import Address, Companion
from tidemark.tab.relay import UnansweredError, ask_live, ask_metrics

IDLE_S = 120.0
"""So long after the last time that somebody asked, the companion is kept."""
_LOOK_EVERY_S = 5.0
_UP_WITHIN_S = 1.0


class Shown:
    """The run that is shown, if any: the last one that was begun."""

    def __init__(self) -> None:
        self._companion: Companion | None = None
        self._asked_s = 0.0
        self._is_started = False
        self._is_over = Event()
        self._thread: Thread | None = None

    def begin(self, companion: Companion) -> None:
        """Another run is shown from now on."""
        self.leave()
        self._companion = companion

    def leave(self) -> None:
        """End the companion, if it was started for who looked at the page."""
        if self._companion and self._is_started:
            self._is_started = False
            self._companion.stop()

    def ask(self, since: str) -> bytes:
        """What is new of it, as JSON; an object with `why` alone where there is nothing to show.

        Raises:
            UnansweredError: The companion does not answer.
        """
        if self._companion is None:
            return b'{"why":"no run yet: start one"}'
        address = self._looked_at(self._companion)
        return ask_live(address, since) if address else b'{"why":"the run is being read"}'

    def metrics(self) -> bytes:
        """What a Prometheus server reads of it; empty where there is nothing to show.

        Raises:
            UnansweredError: The companion does not answer.
        """
        address = self._looked_at(self._companion) if self._companion else None
        return ask_metrics(address) if address else b""

    def _looked_at(self, companion: Companion) -> Address | None:
        """Where the companion is, which is started if it is not there; None: nowhere yet."""
        self._asked_s = time.monotonic()
        if not companion.is_running:
            self._start(companion)
        address = companion.address(_UP_WITHIN_S)
        if address is None and companion.is_given_up:
            raise UnansweredError("what shows the run ended too often; the run is not concerned")
        return address

    def _start(self, companion: Companion) -> None:
        companion.start()
        self._is_started = True
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._end_when_idle, name="idle", daemon=True)
            self._thread.start()

    def _end_when_idle(self) -> None:
        while self._is_started and not self._is_over.wait(_LOOK_EVERY_S):
            if time.monotonic() - self._asked_s > IDLE_S:
                self.leave()
