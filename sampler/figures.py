"""The cheap figures of each process, which come with every tick."""

from tidemark.sampler.errors import DeniedError, NoSuchProcessError, ShortageError
from tidemark.sampler.host import Host
from tidemark.sampler.procfs import Stat
from tidemark.sampler.readings import READINGS, Reading
from tidemark.sampler.source import ProcessFigures
from tidemark.sampler.tree import ProcessTree
from tidemark.sampler.unreadable import Unreadable


class FiguresReader:
    """Reads what is due of every process of a tree.

    Args:
        host: How to read processes.
        unreadable: Is told what cannot be read.
    """

    def __init__(self, host: Host, unreadable: Unreadable) -> None:
        self._host = host
        self._unreadable = unreadable
        self._due_s = dict.fromkeys((one.column for one in READINGS), 0.0)

    def read(self, now_s: float, tree: ProcessTree) -> list[ProcessFigures]:
        """Read the members of the tree, which was refreshed before.

        Args:
            now_s: Monotonic time, seconds.
            tree: Whom.
        """
        due = [one for one in READINGS if now_s >= self._due_s[one.column]]
        self._due_s.update({one.column: now_s + one.every_s for one in due})
        found = [ProcessFigures(one.pid, one.name) for one in tree.members.values()]
        for one in found:
            self._read_one(one, tree.stats.get(one.pid), due)
        return found

    def _read_one(self, one: ProcessFigures, stat: Stat | None, due: list[Reading]) -> None:
        for reading in due:
            try:
                if reading.stat is None:
                    one.figures[reading.column] = self._host.figure(reading, one.pid)
                elif stat is not None:
                    one.figures[reading.column] = reading.stat(stat)
            except NoSuchProcessError:
                return  # it went while it was read: what was read before stands
            except (DeniedError, ShortageError) as error:
                self._unreadable.tell(error, one.pid)
