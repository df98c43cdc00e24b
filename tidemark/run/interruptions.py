"""What SIGINT, SIGTERM and SIGHUP do: the first ends the run in order, a further one at once."""

import signal
from collections.abc import Callable

import gevent

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruptions:
    """Takes the signals over for a process whose main greenlet this is made in.

    Python raises KeyboardInterrupt in whichever greenlet is at work, the one that completes the
    run directory included. Here the main greenlet alone hears of it.

    Args:
        first: is called at the first signal, before the main greenlet is interrupted.
        further: is called at each further one.
    """

    def __init__(self, first: Callable[[], None], further: Callable[[], None]) -> None:
        self._main = gevent.getcurrent()
        self._first, self._further = first, further
        self._has_come = False

    def install(self) -> None:
        """Take the signals over, all but those that were to be ignored (nohup, a shell's `&`).

        Locust takes SIGTERM for itself later on, and ends in order at it.
        """
        for signum in ENDING_SIGNALS:
            if signal.getsignal(signum) != signal.SIG_IGN:
                signal.signal(signum, self._come)

    def is_ending(self) -> None:
        """The process is ending already: any signal is a further one, SIGTERM too."""
        self._has_come = True
        self.install()

    def ignore(self) -> None:
        """Everything is done: a signal would only cut the interpreter's own end short."""
        for signum in ENDING_SIGNALS:
            signal.signal(signum, signal.SIG_IGN)

    def _come(self, *_: object) -> None:
        if self._has_come:
            self._further()
            return
        self._has_come = True
        self._first()
        gevent.kill(self._main, KeyboardInterrupt)
