"""Looks after the target while the load goes on, and says when the run has to end."""

import re
from pathlib import Path

from tidemark.record.events import Emfile, RefusedByBroker, Stalled
from tidemark.record.layout import BROKER_LOG, ONLY_TARGET, TARGET_LOG
from tidemark.record.metadata import ABORTED, EXHAUSTED
from tidemark.record.stream import LineStream
from tidemark.run.children import Child
from tidemark.run.journal import Ending, Journal
from tidemark.run.options import RunOptions
from tidemark.run.requests_record import RequestRecord

AT_ONCE_S = 1.0
"""So soon after the target ran out of descriptors, silence says nothing yet."""
# strerror(EMFILE) and strerror(ENFILE) of glibc and musl, Go's and Java's words for them, and
# the bare symbol as Node prints it.
OUT_OF_DESCRIPTORS = re.compile(
    r"too many open files|no file descriptors available|\bEMFILE\b|\bENFILE\b", re.IGNORECASE
)
# What Apache Kafka says when `max.connections.per.ip` or the like keeps a client out.
REFUSED_BY_BROKER = re.compile(r"rejected connection from|too many connections", re.IGNORECASE)
MAX_LINE = 500


class LogWatch:
    """Waits for the first line of a log that holds a pattern, and says it once.

    Args:
        path: the log; it need not exist yet.
        pattern: what the line holds that is looked for.
    """

    def __init__(self, path: Path, pattern: re.Pattern[str]) -> None:
        self._lines = LineStream(path)
        self._pattern: re.Pattern[str] | None = pattern

    def first_match(self) -> str | None:
        """That line, when it has been added since the last look; None before and after."""
        # Once found, no more is read: dead targets repeat it for ever.
        for raw in self._lines.new_lines() if self._pattern else ():
            line = raw.decode(errors="replace")
            if self._pattern and self._pattern.search(line):
                self._pattern = None
                return line.strip()[:MAX_LINE]
        return None


class Watch:
    """Looks at the logs, at the answers and at the target itself.

    Args:
        journal: where events go.
        record: what has been answered.
        target: the target; None for somebody else's, whose log and end are not seen.
        options: how long silence and an exhausted target are borne.
    """

    def __init__(
        self, journal: Journal, record: RequestRecord, target: Child | None, options: RunOptions
    ) -> None:
        self._target_log = LogWatch(journal.directory.file(TARGET_LOG), OUT_OF_DESCRIPTORS)
        self._broker_log = LogWatch(journal.directory.file(BROKER_LOG), REFUSED_BY_BROKER)
        self._journal = journal
        self._record = record
        self._target = target
        self._options = options
        self._emfile_elapsed_s: float | None = None
        self._stalled = False

    def look(self) -> Ending | None:
        """Tell what is new; cheap enough for ten times a second.

        Returns:
            How the run has to end now, or None while it goes on.
        """
        self._look_into_logs()
        self._look_for_stall()
        if self._target is not None and self._target.returncode is not None:
            return Ending(ABORTED, f"the target ended by itself: {self._target.last_words()}")
        return self._end_by_exhaustion()

    def judged(self, ending: Ending) -> Ending:
        """A run that was stopped while the target lay dead has seen the exhaustion all the same."""
        since_emfile_s = self._since_emfile_s()
        if ending.outcome == EXHAUSTED or since_emfile_s is None or since_emfile_s <= AT_ONCE_S:
            return ending
        if self._record.silent_s() <= since_emfile_s / 2:
            return ending
        return Ending(EXHAUSTED, f"the target's descriptors are gone; {ending.reason}")

    def _look_into_logs(self) -> None:
        """A broker that keeps the target out is the broker's limit, not the target's."""
        if line := self._target_log.first_match():
            self._emfile_elapsed_s = self._journal.clock.now().elapsed_s
            answered = self._record.requests - self._record.failures
            self._journal.event(Emfile(line=line, requests=answered, target=ONLY_TARGET))
        if line := self._broker_log.first_match():
            self._journal.event(RefusedByBroker(line=line))

    def _look_for_stall(self) -> None:
        silent_s = self._record.silent_s()
        silent = silent_s >= self._options.request_timeout
        if silent and not self._stalled:
            self._journal.event(Stalled(silent_s=round(silent_s, 3)))
        self._stalled = silent

    def _end_by_exhaustion(self) -> Ending | None:
        since_emfile_s = self._since_emfile_s()
        plateau_s = self._options.plateau
        if since_emfile_s is None or since_emfile_s < plateau_s:
            return None
        if self._record.silent_s() < min(plateau_s, self._options.request_timeout):
            return None  # a worker that still has descriptors goes on answering
        return Ending(EXHAUSTED, "the target has stopped answering: its descriptors are gone")

    def _since_emfile_s(self) -> float | None:
        if self._emfile_elapsed_s is None:
            return None
        return self._journal.clock.now().elapsed_s - self._emfile_elapsed_s
