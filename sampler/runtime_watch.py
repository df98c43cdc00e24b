"""Which runtimes the processes of a tree have, and the heaps that they tell of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tidemark.record.events import RuntimeSeen
from tidemark.sampler import jvm, runtimes
from tidemark.sampler.errors import (
    DeniedError,
    MetricsError,
    NoSuchProcessError,
    PerfDataError,
    ShortageError,
)
from tidemark.sampler.figures import Figure, ProcessFigures
from tidemark.sampler.heap import HeapFigures
from tidemark.sampler.jvm import JvmCounters
from tidemark.sampler.tree import Process, ProcessTree
from tidemark.sampler.unreadable import Say, Unreadable

HEAP_COLUMNS = ("heap_bytes", "collections")
"""Columns of samples.csv that a runtime fills which tells of its heap."""

_PATIENCE_S = 5.0
"""A JVM that has no counters by then has none."""

_UNREAD = (DeniedError, ShortageError, PerfDataError)


class Telling(Protocol):
    """What tells of the heap of a process."""

    def heap(self) -> HeapFigures | None:
        """The heap after the latest collection; None if it cannot be told now.

        Raises:
            MetricsError: What should tell it does not.
            PerfDataError: The same of a JVM's counters.
        """
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class Page(Telling, Protocol):
    """What tells more of a process than its heap."""

    def beside(self) -> Mapping[str, Figure]:
        """Further columns of samples.csv, as far as they are known now."""
        ...


@dataclass(slots=True)
class _Seen:
    """What is known of a process.

    Attributes:
        name: The kernel's name of it when it was recognised: a new one is a new program.
        runtime: What it is run by.
        until_s: For how long the counters of a JVM are looked for; None when that is done.
        counters: The counters of a JVM.
    """

    name: str
    runtime: str | None
    until_s: float | None = None
    counters: JvmCounters | None = None


class RuntimeWatch:
    """Recognises each process once, and again when the kernel's name of it has changed.

    Args:
        tree: The tree, refreshed before each look.
        target: The target's id.
        say: Is given the event `runtime_seen`.
        unreadable: Is told what cannot be read.
        of_root: Tells of the root: of its heap where its runtime does not; it is closed with this.
    """

    def __init__(
        self,
        tree: ProcessTree,
        target: str,
        say: Say,
        unreadable: Unreadable,
        of_root: Page | None = None,
    ) -> None:
        self._tree = tree
        self._target = target
        self._say = say
        self._unreadable = unreadable
        self._of_root = of_root
        self._seen: dict[Process, _Seen] = {}
        self._said: dict[Process, RuntimeSeen] = {}

    def look(self, now_s: float) -> None:
        """See who is new, and who is another program now.

        Args:
            now_s: Monotonic time, seconds.
        """
        members = self._tree.members.values()
        for gone in self._seen.keys() - set(members):
            self._forget(gone)
        for process in members:
            stat = self._tree.stats.get(process.pid)
            seen = self._seen.get(process)
            if stat is not None and (seen is None or seen.name != stat.name):
                self._recognise(process, stat.name, now_s)
            elif seen is not None and seen.until_s is not None:
                self._find_counters(process, seen, now_s)

    def _recognise(self, process: Process, name: str, now_s: float) -> None:
        self._close(process)
        try:
            seen = _Seen(name, runtimes.recognise(process.pid, name))
        except NoSuchProcessError:
            return
        except ShortageError as error:
            self._unreadable.tell(error, process.pid)
            return
        self._seen[process] = seen
        if seen.runtime == runtimes.JVM:
            seen.until_s = now_s + _PATIENCE_S
            self._find_counters(process, seen, now_s)
        else:
            self._tell(process, seen)

    def _find_counters(self, process: Process, seen: _Seen, now_s: float) -> None:
        """Open them as soon as they are there; the event waits for them."""
        is_late = seen.until_s is None or now_s >= seen.until_s
        try:
            seen.counters = _open_counters(process.pid)
        except NoSuchProcessError:
            pass
        except _UNREAD as error:
            self._unreadable.tell(error, process.pid)
            is_late = True
        if is_late or seen.counters is not None:
            seen.until_s = None
            self._tell(process, seen)

    def _tell(self, process: Process, seen: _Seen) -> None:
        counters, bound = seen.counters, None
        if counters is None:
            try:
                bound = runtimes.heap_bound(seen.runtime, process.pid)
            except NoSuchProcessError:
                pass
            except (DeniedError, ShortageError) as error:
                self._unreadable.tell(error, process.pid)
        elif counters.heap_max_bytes is not None:
            bound = counters.heap_max_bytes, counters.heap_max_source or ""
        event = RuntimeSeen(
            pid=process.pid,
            process=process.name,
            runtime=seen.runtime,
            collector=counters.collector if counters else None,
            heap_max_bytes=bound[0] if bound else None,
            heap_max_source=bound[1] if bound else None,
            target=self._target,
        )
        if self._said.get(process) != event:
            self._said[process] = event
            self._say(event)

    def add_heaps(self, processes: list[ProcessFigures]) -> None:
        """Add the heap after the latest collection to the figures of those that tell it.

        Args:
            processes: What was read of the members of the tree.
        """
        told: dict[int, Telling] = {}
        if self._of_root is not None:
            told[self._tree.root.pid] = self._of_root
        for process, seen in self._seen.items():
            if seen.counters is not None:
                told[process.pid] = seen.counters
        for one in processes if told else ():
            if self._of_root is not None and one.pid == self._tree.root.pid:
                one.figures.update(self._of_root.beside())
            if one.pid in told:
                self._add_heap(one, told[one.pid])

    def _add_heap(self, one: ProcessFigures, telling: Telling) -> None:
        try:
            heap = telling.heap()
        except (MetricsError, PerfDataError) as error:
            self._unreadable.tell(error, one.pid)
        else:
            figures = (None, None) if heap is None else (heap.heap_bytes, heap.collections)
            one.figures.update(zip(HEAP_COLUMNS, figures, strict=True))

    def _forget(self, process: Process) -> None:
        self._close(process)
        self._seen.pop(process, None)
        self._said.pop(process, None)

    def _close(self, process: Process) -> None:
        seen = self._seen.get(process)
        if seen is not None and seen.counters is not None:
            seen.counters.close()
            seen.counters = None

    def close(self) -> None:
        """Give back what it holds."""
        for process in tuple(self._seen):
            self._forget(process)
        if self._of_root is not None:
            self._of_root.close()


def _open_counters(pid: int) -> JvmCounters | None:
    """The counters of a JVM; None if it has none, or has not written their table yet."""
    path = jvm.find_counters(pid)
    if path is None:
        return None
    counters = JvmCounters(pid, path)
    if counters.is_ready:
        return counters
    counters.close()
    return None
