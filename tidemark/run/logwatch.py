"""Finds in a growing log the line that says what the matter is."""

from __future__ import annotations

import re
from pathlib import Path

# strerror(EMFILE) and strerror(ENFILE) of glibc and musl, Go's and Java's words for them, and
# the bare symbol as Node prints it.
OUT_OF_DESCRIPTORS = re.compile(
    r"too many open files|no file descriptors available|\bEMFILE\b|\bENFILE\b", re.IGNORECASE
)
# What Apache Kafka says when `max.connections.per.ip` or the like keeps a client out.
REFUSED_BY_BROKER = re.compile(r"rejected connection from|too many connections", re.IGNORECASE)
MAX_LINE = 500


class LogWatch:
    """Reads what was added to a log since the last look.

    Args:
        path: the log; it need not exist yet.
        pattern: what the line holds that is looked for.
    """

    def __init__(self, path: Path, pattern: re.Pattern[str]) -> None:
        self._path = path
        self._pattern = pattern
        self._offset = 0
        self._torn = b""

    def first_match(self) -> str | None:
        """The first new complete line that holds the pattern, or None."""
        for line in self._new_lines():
            if self._pattern.search(line):
                return line.strip()[:MAX_LINE]
        return None

    def _new_lines(self) -> list[str]:
        try:
            with self._path.open("rb") as log:
                log.seek(self._offset)
                added = log.read()
        except FileNotFoundError:
            return []
        self._offset += len(added)
        *lines, self._torn = (self._torn + added).split(b"\n")
        return [line.decode(errors="replace") for line in lines]
