"""A run that is watched: followed and judged, until it has ended."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from tidemark.live.demand import ALWAYS, Demand
from tidemark.live.facts import Facts, gather
from tidemark.live.follower import Follower
from tidemark.live.judging import Judge

LOOK_EVERY_S = 1.0


class Watched:
    """A run and what is known of it at any moment.

    Args:
        path: The run directory.
        demand: How often the verdict so far is wanted; whoever shows it says so to it.

    Raises:
        UnusableRunError: It is no run directory.
    """

    def __init__(self, path: Path, demand: Demand = ALWAYS) -> None:
        self.run = Follower(path)
        self.demand = demand
        self.judge = Judge(path, lambda: self.run.has_ended, demand)
        self._stopped = Event()
        self._error: BaseException | None = None

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Follow it in the background for as long as the context lasts."""
        thread = Thread(target=self._follow, name="follower", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self.judge.stop()
            thread.join()

    def facts(self) -> Facts:
        """What there is to say now.

        Raises:
            BaseException: What ended the following or the judging, a bug.
        """
        for error in (self._error, self.judge.error):
            if error is not None:
                raise error
        with self.run.lock:
            return gather(self.run, self.judge)

    @property
    def is_over(self) -> bool:
        """Whether the run has ended and its last verdict is there."""
        return self.run.has_ended and self.judge.is_done and self._has_begun

    _has_begun = False

    def _follow(self) -> None:
        try:
            while self.run.look() and not self._stopped.is_set():
                pass  # what is there at first, before anything is judged
            self.judge.start()
            self._has_begun = True
            while not self._stopped.wait(self._pause_s()):
                while self.run.look() and not self._stopped.is_set():
                    pass
                if self.run.has_ended:
                    self.judge.hurry()
        except BaseException as error:  # noqa: BLE001 - raised by whoever asks for facts
            self._error = error

    def _pause_s(self) -> float:
        """To the next whole second: what is sampled at one is seen soon after."""
        return LOOK_EVERY_S - time.time() % LOOK_EVERY_S
