"""The figures of each process that come with every tick: the columns of samples.csv.

To record another figure, add an entry here and one to `METRICS` in `tidemark.record.metrics`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tidemark.sampler import procfs
from tidemark.sampler.errors import DeniedError, NoSuchProcessError, ShortageError
from tidemark.sampler.procfs import Stat
from tidemark.sampler.tree import Process, ProcessTree
from tidemark.sampler.unreadable import Unreadable

Figure = int | float | None
"""A figure in the unit of its column; None where the kernel does not say."""

IN_STAT = ("threads", "rss_bytes", "cpu_s")
"""Columns that are fields of `Stat`: every look at the tree reads them, they cost nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a column is read that costs something.

    Attributes:
        column: Its name, with the unit.
        read: Reads it of the process with this pid.
        every_s: Seconds between readings of what is dear; 0 for every tick. The column is
            empty in between.
    """

    column: str
    read: Callable[[int], Figure]
    every_s: float = 0.0


READINGS = (
    Reading("fds", procfs.count_fds),
    Reading("fds_limit", procfs.read_fds_limit),
    Reading("swap_bytes", procfs.read_swap_bytes, every_s=10.0),
)


@dataclass(slots=True)
class ProcessFigures:
    """What was read of one process.

    Attributes:
        pid: The process id.
        process: Its short name.
        figures: Column of samples.csv -> figure; what could not be read is missing or None.
    """

    pid: int
    process: str
    figures: dict[str, Figure] = field(default_factory=dict)


class FiguresReader:
    """Reads what is due of every process of a tree.

    Args:
        unreadable: Is told what cannot be read.
    """

    def __init__(self, unreadable: Unreadable) -> None:
        self._unreadable = unreadable
        self._due_s = dict.fromkeys(READINGS, 0.0)

    def read(self, now_s: float, tree: ProcessTree) -> list[ProcessFigures]:
        """Read the members of the tree, which was refreshed before.

        Args:
            now_s: Monotonic time, seconds.
            tree: Whom.
        """
        due = [one for one, due_s in self._due_s.items() if now_s >= due_s]
        self._due_s.update({one: now_s + one.every_s for one in due})
        members = tree.members.values()
        return [self._read_one(one, tree.stats.get(one.pid), due) for one in members]

    def _read_one(self, process: Process, stat: Stat | None, due: list[Reading]) -> ProcessFigures:
        found = ProcessFigures(process.pid, process.name)
        if stat is not None:
            found.figures.update({column: getattr(stat, column) for column in IN_STAT})
        for reading in due:
            try:
                found.figures[reading.column] = reading.read(process.pid)
            except NoSuchProcessError:
                break  # it went while it was read: what was read before stands
            except (DeniedError, ShortageError) as error:
                self._unreadable.tell(error, process.pid)
        return found
