"""Tells from the samples that a service has run out of descriptors, where its log does not."""

from dataclasses import dataclass
from pathlib import Path

from tidemark.record.layout import SAMPLES
from tidemark.record.stream import RowStream

NEARLY = 2
"""A process without room for a connection may still have so many: it was just closing one."""
TICKS_ENOUGH = 2
FAILURES_ENOUGH = 3


@dataclass(frozen=True, slots=True)
class Sight:
    """A process that has run out of descriptors.

    Attributes:
        line: What shows it.
        target: The id of its target.
    """

    line: str
    target: str


class FullWatch:
    """Waits until a process stays at its descriptor limit while requests fail, and says it once.

    Args:
        folder: The run directory.
    """

    def __init__(self, folder: Path) -> None:
        self._rows: RowStream | None = RowStream(folder, SAMPLES)
        self._full: dict[str, tuple[int, int]] = {}

    def skip(self) -> None:
        """Leave out the samples that are there already."""
        if self._rows:
            self._rows.skip()

    def first_sight(self, failures: int) -> Sight | None:
        """What shows it, when that has been seen since the last look; None before and after.

        Args:
            failures: Requests that have failed so far.
        """
        for row in self._rows.new_rows() if self._rows else ():
            pid, held, limit = row["pid"], row["fds"], row["fds_limit"]
            if not held or not limit:
                continue
            if int(held) < int(limit) - NEARLY:
                self._full.pop(pid, None)
                continue
            ticks, since = self._full.get(pid, (0, failures))
            self._full[pid] = ticks + 1, since
            if ticks + 1 >= TICKS_ENOUGH and failures - since >= FAILURES_ENOUGH:
                self._rows = None  # once is enough
                line = (
                    f"{row['process']} ({pid}) has {int(held):,} of {int(limit):,} descriptors "
                    f"open, and {failures - since:,} requests have failed since"
                )
                return Sight(line, row["target"])
        return None
