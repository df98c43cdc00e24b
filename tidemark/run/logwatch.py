"""Finds in a growing log the line that says what the matter is."""

from __future__ import annotations

import re
from pathlib import Path

from tidemark.record.stream import LineStream

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
        self._pattern = pattern
        self._found = False

    def first_match(self) -> str | None:
        """That line, when it has been added since the last look; None before and after."""
        if self._found:
            return None  # dead targets repeat it for ever, and nobody needs to read that
        for raw in self._lines.new_lines():
            line = raw.decode(errors="replace")
            if self._pattern.search(line):
                self._found = True
                return line.strip()[:MAX_LINE]
        return None
