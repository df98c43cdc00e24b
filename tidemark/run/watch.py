"""Looks at answers and logs while the load goes on, and says when the run has to end."""

import re
from collections.abc import Callable
from pathlib import Path

from tidemark.record.events import Emfile, RefusedByBroker, Stalled
from tidemark.record.layout import BROKER_LOG, ONLY_TARGET, TARGET_LOG
from tidemark.record.metadata import ABORTED, COMPLETED, EXHAUSTED
from tidemark.record.stream import LineStream
from tidemark.run.full import FullWatch
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
MAX_REASON = 200
FAILURES_ENOUGH = 10
PATIENCE_S = 2.0
"""A service that has just been started may refuse its first requests."""
# What most likely is wrong when nothing but this is heard of a service.
HINTS = (
    (re.compile(r"connection ?refused", re.IGNORECASE), "does the service listen on that port?"),
    (re.compile(r"HTTP 40[45]"), "is the path right?"),
    (re.compile(r"HTTP 30[12378]"), "redirects are not followed: name the path that they lead to"),
    (re.compile(r"HTTP (401|403|407)"), "does it want credentials?"),
    (re.compile(r"HTTP 5\d\d"), "what does the service's own log say?"),
    (
        re.compile(r"gaierror|name resolution|getaddrinfo", re.IGNORECASE),
        "is its name right?",
    ),
)


class LogWatch:
    """Waits for the first line of a log that holds a pattern, and says it once.

    Args:
        path: the log; it need not exist yet.
        pattern: what the line holds that is looked for.
    """

    def __init__(self, path: Path, pattern: re.Pattern[str]) -> None:
        self._lines = LineStream(path)
        self._pattern: re.Pattern[str] | None = pattern

    def skip(self) -> None:
        """Leave out what is there already."""
        self._lines.skip()

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
    """Looks at the logs and at the answers.

    Args:
        journal: where events go.
        record: what has been answered.
        options: how long silence and an exhausted target are borne.
        load_s: seconds since the load began.
        redacted: takes secrets out of what is quoted of the target's log.
    """

    def __init__(
        self,
        journal: Journal,
        record: RequestRecord,
        options: RunOptions,
        load_s: Callable[[], float],
        redacted: Callable[[str], str] = str,
    ) -> None:
        self._redacted = redacted
        self._full = FullWatch(journal.directory.path)
        self._target_log = LogWatch(journal.directory.file(TARGET_LOG), OUT_OF_DESCRIPTORS)
        self._broker_log = LogWatch(journal.directory.file(BROKER_LOG), REFUSED_BY_BROKER)
        if journal.past:  # what they say of it was told then
            for one in (self._full, self._target_log, self._broker_log):
                one.skip()
        self._journal = journal
        self._record = record
        self._options = options
        self._load_s = load_s
        self._emfile_elapsed_s: float | None = None
        self._stalled = False

    def look(self) -> Ending | None:
        """Tell what is new; cheap enough for ten times a second.

        Returns:
            How the run has to end now, or None while it goes on.
        """
        self._look_into_logs()
        self._look_for_stall()
        return self._end_by_exhaustion() or self._end_without_test()

    def judged(self, ending: Ending) -> Ending:
        """What an ending amounts to.

        A run that was stopped while the target lay dead has seen the exhaustion all the same; one
        that came to its end without an answer has tested nothing.
        """
        if ending.outcome == COMPLETED and not self._record.answered:
            return Ending(COMPLETED, f"{ending.reason}; {self._nothing()}", cannot_tell=True)
        since_emfile_s = self._since_emfile_s()
        if ending.outcome == EXHAUSTED or since_emfile_s is None or since_emfile_s <= AT_ONCE_S:
            return ending
        if self._record.silent_s() <= since_emfile_s / 2:
            return ending
        return Ending(EXHAUSTED, f"the target's descriptors are gone; {ending.reason}")

    def _look_into_logs(self) -> None:
        """A broker that keeps the target out is the broker's limit, not the target's."""
        if line := self._target_log.first_match():
            self._ran_out(self._redacted(line), ONLY_TARGET)
        failures = self._record.failures
        if self._emfile_elapsed_s is None and (sight := self._full.first_sight(failures)):
            self._ran_out(sight.line, sight.target)  # its log does not say so
        if line := self._broker_log.first_match():
            self._journal.event(RefusedByBroker(line=line))

    def _ran_out(self, line: str, target: str) -> None:
        if self._emfile_elapsed_s is None:
            self._emfile_elapsed_s = self._journal.clock.now().elapsed_s
            answered = self._record.requests - self._record.failures
            self._journal.event(Emfile(line=line, requests=answered, target=target))

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

    def _end_without_test(self) -> Ending | None:
        """A service that answers nothing, from the first seconds on, is not tested by going on."""
        record = self._record
        if record.answered or self._options.keep_going or self._is_explained():
            return None
        failed = record.failures >= FAILURES_ENOUGH and self._load_s() >= PATIENCE_S
        if not failed and record.silent_s() < 2 * self._options.request_timeout:
            return None
        told = f"{self._nothing()} (--keep-going goes on all the same)"
        return Ending(ABORTED, told, cannot_tell=True)

    def _is_explained(self) -> bool:
        """Whether something that the run itself does keeps the service from answering."""
        begun = any(fault.start_s <= self._load_s() for fault in self._options.fault)
        return begun or self._emfile_elapsed_s is not None

    def _nothing(self) -> str:
        """In one sentence, that no request succeeded, and most likely why."""
        record, reason = self._record, self._record.main_reason
        if reason is None:
            return f"none of {max(record.sent, record.requests):,} requests was answered"
        hint = next((f"; {hint}" for pattern, hint in HINTS if pattern.search(reason)), "")
        told = " ".join(reason.split())[:MAX_REASON]
        return f"{record.failures:,} of {record.requests:,} requests failed: {told}{hint}"

    def _since_emfile_s(self) -> float | None:
        if self._emfile_elapsed_s is None:
            return None
        return self._journal.clock.now().elapsed_s - self._emfile_elapsed_s
