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
    """How columns are read that one file, or one call, tells together.

    Attributes:
        columns: Their names, with the unit.
        read: Reads them of the process with this pid, in that order.
    """

    columns: tuple[str, ...]
    read: Callable[[int], tuple[Figure, ...]]


def _alone(column: str, read: Callable[[int], Figure]) -> Reading:
    return Reading((column,), lambda pid: (read(pid),))


READINGS = (
    _alone("fds", procfs.count_fds),
    _alone("fds_limit", procfs.read_fds_limit),
    Reading(("rss_anon_bytes", "rss_file_bytes", "swap_bytes"), procfs.read_memory),
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
    """Reads the figures of every process of a tree.

    Args:
        unreadable: Is told what cannot be read.
    """

    def __init__(self, unreadable: Unreadable) -> None:
        self._unreadable = unreadable

    def read(self, tree: ProcessTree) -> list[ProcessFigures]:
        """Read the members of the tree, which was refreshed before.

        Args:
            tree: Whom.
        """
        members = tree.members.values()
        return [self._read_one(one, tree.stats.get(one.pid)) for one in members]

    def _read_one(self, process: Process, stat: Stat | None) -> ProcessFigures:
        found = ProcessFigures(process.pid, process.name)
        if stat is not None:
            found.figures.update({column: getattr(stat, column) for column in IN_STAT})
        for reading in READINGS:
            try:
                read = reading.read(process.pid)
                found.figures.update(zip(reading.columns, read, strict=True))
            except NoSuchProcessError:
                break  # it went while it was read: what was read before stands
            except (DeniedError, ShortageError) as error:
                self._unreadable.tell(error, process.pid)
        return found
