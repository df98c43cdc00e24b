"""What threads and descriptors are: counts by name."""

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from tidemark.sampler import procfs
from tidemark.sampler.budget import WINDOW_S, Budget, Cadence
from tidemark.sampler.descriptors import FilePatterns, count_descriptors, protocol_name
from tidemark.sampler.errors import DeniedError, NoSuchProcessError, ShortageError
from tidemark.sampler.figures import ProcessFigures
from tidemark.sampler.source import Row
from tidemark.sampler.unreadable import Unreadable

_BUDGET_PART = 0.2
"""Its part of what the cheap figures leave of the budget; connections have the rest."""
_STEP_PART = 0.1
"""What one step may cost, as a part of what a window allows."""
_LINK_COST_S, _THREAD_COST_S = 4e-6, 15e-6
"""What a name of a descriptor and of a thread cost, roughly, before it is measured."""
_SLACK_S = 1e-3

_TRAILING_NUMBER = re.compile(r"[-_ ]?\d+$")


def fold_thread_name(name: str) -> str:
    """Thread name without its number: `rdk:broker-1`, `rdk:broker17` -> `rdk:broker*`."""
    folded = _TRAILING_NUMBER.sub("*", name.strip())
    return folded if folded != "*" else name.strip()


def count_threads(names: Iterable[str]) -> Counter[str]:
    """Threads by folded name."""
    return Counter(map(fold_thread_name, names))


class CompositionWatch:
    """Reads the names of threads and descriptors when it is their turn.

    Of all processes at once where that is cheap, otherwise of a few at a time.

    Args:
        budget: What it may cost, shared with other dear parts.
        unreadable: Is told what cannot be read.
        least_s: Seconds from the beginning of one round through all processes to the next.

    Attributes:
        tcp: pid -> TCP sockets by name, of the processes that were read since it was cleared.
    """

    def __init__(self, budget: Budget, unreadable: Unreadable, least_s: float) -> None:
        self._budget = budget
        self._unreadable = unreadable
        self._least_s = least_s
        self._cadence = Cadence(budget, _BUDGET_PART)
        self._round_due_s = 0.0
        self._pending: list[int] = []
        self._patterns = FilePatterns()
        self._protocols: dict[int, dict[int, str]] = {}
        self.tcp: dict[int, Counter[str]] = {}

    @property
    def is_under_way(self) -> bool:
        """Whether a round has begun that is not through all processes yet."""
        return bool(self._pending)

    def pause(self) -> None:
        """Leave it out from now on, whatever the budget allows."""
        self._round_due_s = math.inf

    def read(
        self, now_s: float, processes: list[ProcessFigures], sockets: Callable[[], dict[int, str]]
    ) -> list[Row]:
        """The rows of composition.csv of the processes whose turn it is.

        Args:
            now_s: Monotonic time, seconds.
            processes: All of them, with what was read in this tick.
            sockets: Tells inode -> name of the TCP sockets that are known.
        """
        if not self._pending and now_s >= self._round_due_s:
            self._round_due_s = now_s + self._least_s - _SLACK_S
            self._pending = [one.pid for one in processes]
            there = set(self._pending)
            self._protocols = {pid: of for pid, of in self._protocols.items() if pid in there}
            self.tcp = {pid: counts for pid, counts in self.tcp.items() if pid in there}
        step = self._step(processes)
        if not step or not self._cadence.due(now_s, sum(step.values())):
            return []
        before_s = time.process_time()
        known = sockets()
        rows = [row for pid in step for row in self._read_one(pid, known)]
        self._pending = [pid for pid in self._pending if pid not in step]
        self._cadence.done(now_s, time.process_time() - before_s)
        return rows

    def _step(self, processes: list[ProcessFigures]) -> dict[int, float]:
        """The next pids -> CPU seconds that each is expected to cost, a part of the budget."""
        there = {one.pid: one.figures for one in processes} if self._pending else {}
        self._pending = [pid for pid in self._pending if pid in there]
        step: dict[int, float] = {}
        left_s = self._budget.free_share * WINDOW_S * _STEP_PART
        for pid in self._pending:
            fds, threads = (there[pid].get(column) or 0 for column in ("fds", "threads"))
            cost_s = _LINK_COST_S * fds + _THREAD_COST_S * threads
            left_s -= cost_s
            if step and left_s < 0:
                break
            step[pid] = cost_s
        return step

    def _read_one(self, pid: int, sockets: dict[int, str]) -> list[Row]:
        rows: list[Row] = []
        try:
            rows += _rows(pid, "thread", count_threads(procfs.read_thread_names(pid)))
            links = procfs.read_fd_links(pid)
            others = self._named_by_protocol(pid, links, sockets)
            found = count_descriptors(links.values(), sockets, others, self._patterns)
            rows += _rows(pid, "fd", found.told)
            self.tcp[pid] = found.tcp
        except NoSuchProcessError:
            pass  # it went while it was read: what was read before stands
        except (DeniedError, ShortageError) as error:
            self.tcp.pop(pid, None)
            self._unreadable.tell(error, pid)
        return rows

    def _named_by_protocol(
        self, pid: int, links: Mapping[int, str], sockets: Mapping[int, str]
    ) -> dict[int, str]:
        """Inode -> name of the sockets of a process that are not known otherwise."""
        former, found = self._protocols.get(pid, {}), {}
        for descriptor, link in links.items():
            inode = procfs.socket_inode(link)
            if inode and inode not in sockets:
                name = former.get(inode)
                if name is None:
                    name = protocol_name(procfs.read_socket_protocol(pid, descriptor))
                found[inode] = name
        self._protocols[pid] = found
        return found


def _rows(pid: int, kind: str, counts: Mapping[str, int]) -> list[Row]:
    return [
        {"pid": pid, "kind": kind, "name": name, "count": count}
        for name, count in sorted(counts.items())
    ]
