"""The verdict on a run so far: judged anew now and then, by the analysis that judges at its end."""

import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition, Thread, get_native_id

from tidemark.analysis.run import Run, load_run
from tidemark.analysis.verdict.assessment import Assessment, assess
from tidemark.live.demand import ALWAYS, Demand
from tidemark.record.errors import UnusableRunError

UNDER_WAY = "under way"
"""The outcome of a run that has none yet: nothing that the analysis knows, so that it is neither
taken for one that was cut off nor for one that came to its end."""

LEAST_PAUSE_S = 3.0
"""Seconds between two judgements of a run, at least."""
PAUSE_PER_COST = 25.0
"""And at least so many times what the last one took: about 4 % of a core."""
_LOOK_EVERY_S = 1.0
"""So often it is looked whether a judgement is wanted."""
_NICENESS = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement.

    Attributes:
        assessment: What was found.
        until_s: How much of the run it is on, seconds since its beginning.
        is_final: Whether the run had ended.
    """

    assessment: Assessment
    until_s: float
    is_final: bool


def judge_so_far(path: Path) -> Judged:
    """Judge a run that may be under way.

    Raises:
        UnusableRunError: There is nothing to judge yet, or something is wrong with it.
    """
    run = load_run(path)
    is_final = run.metadata.ended_at is not None
    return Judged(assess(run if is_final else _under_way(run)), run.duration_s, is_final)


def _under_way(run: Run) -> Run:
    return replace(run, metadata=replace(run.metadata, outcome=UNDER_WAY))


class Judge:
    """Judges a run again and again in a thread of its own, at growing intervals.

    Args:
        path: The run directory.
        has_ended: Whether the run has; it is judged a last time then.
        demand: How often it is wanted.

    Attributes:
        judged: The last judgement; None before the first.
        why_not: Why there is none, or none that is newer.
        error: What ended it, a bug; whoever waits for a judgement is to raise it.
    """

    def __init__(self, path: Path, has_ended: Callable[[], bool], demand: Demand = ALWAYS) -> None:
        self.judged: Judged | None = None
        self.why_not = "it is being judged for the first time"
        self.error: BaseException | None = None
        self._path = path
        self._has_ended = has_ended
        self._demand = demand
        self._changed = Condition()
        self._is_over = False
        self._pause_s = 0.0
        self._judged_s = -math.inf
        self._thread = Thread(target=self._run, name="judge", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it; a judgement under way is not waited for."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def hurry(self) -> None:
        """Judge at once: the run has ended."""
        with self._changed:
            self._changed.notify_all()

    @property
    def is_done(self) -> bool:
        """Whether there will be no other judgement."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            _step_back()
            while self._await_turn() and not self._judge():
                pass
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits for it
            self.error = error

    def _await_turn(self) -> bool:
        """Wait until a judgement is due; whether there is going to be another one."""
        with self._changed:
            while not self._is_over and not self._is_due:
                self._changed.wait(_LOOK_EVERY_S)
            return not self._is_over

    @property
    def _is_due(self) -> bool:
        pause_s = self._demand.pause_s(self._pause_s)
        is_time = time.monotonic() - self._judged_s >= pause_s or self._has_ended()
        return math.isfinite(pause_s) and is_time

    def _judge(self) -> bool:
        """Judge once; whether it was the last time."""
        has_ended, begun_s = self._has_ended(), time.thread_time()
        try:
            self.judged = judge_so_far(self._path)
        except UnusableRunError as error:
            self.why_not = str(error).removeprefix(f"{self._path}: ")
            return has_ended
        finally:
            cost_s = time.thread_time() - begun_s
            self._pause_s = max(LEAST_PAUSE_S, PAUSE_PER_COST * cost_s)
            self._judged_s = time.monotonic()
        self.why_not = ""
        return self.judged.is_final


def _step_back() -> None:
    """Let others go first: on Linux the priority of this thread alone is lowered."""
    thread = get_native_id()
    if sys.platform == "linux" and os.getpriority(os.PRIO_PROCESS, thread) < _NICENESS:
        os.setpriority(os.PRIO_PROCESS, thread, _NICENESS)
