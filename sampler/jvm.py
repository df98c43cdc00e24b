"""The heap of a JVM as it was after the latest collection, from its performance counters.

Which counter is written when was found by reading them every 20 ms (OpenJDK 17):

- `sun.gc.collector.N.invocations` and `lastEntryTime` are written when a collection begins,
  `lastExitTime` when it has ended and the sizes are written. While one is being done, the count
  is already the new one and the sizes are the old.
- With G1 the sizes of survivors and the old generation are written at the end of each pause, and
  at no other time. With the Serial and Parallel collectors they are sampled every 50 ms as well;
  but objects come there by collections alone, except for those that are too large for the young
  generation. With Serial they follow `lastExitTime` by 10 microseconds: what changes between two
  looks is not taken. The size of eden is written all the time, with every collector.
- ZGC and Shenandoah write one size for all of the heap, new objects included, and count pauses:
  what is left after a collection cannot be told.
"""

import os
import re
import stat

from tidemark.sampler import procfs
from tidemark.sampler.errors import PerfDataError
from tidemark.sampler.heap import HeapFigures
from tidemark.sampler.hsperfdata import locate

_MAPPED = re.compile(rb" (/\S*/hsperfdata_[^/\n]+/\d+)$", re.MULTILINE)
_MOST_BYTES = 1 << 20

_COLLECTORS = range(3)
_INVOCATIONS, _BEGAN, _ENDED = (
    tuple(f"sun.gc.collector.{number}.{name}" for number in _COLLECTORS)
    for name in ("invocations", "lastEntryTime", "lastExitTime")
)
_KEPT = (
    "sun.gc.generation.0.space.1.used",
    "sun.gc.generation.0.space.2.used",
    "sun.gc.generation.1.space.0.used",
)
"""Both survivor spaces and the old generation: what eden holds was not collected yet."""
_BOUNDS = tuple(f"sun.gc.generation.{number}.maxCapacity" for number in range(2))
_POLICY, _ARGUMENTS = "sun.gc.policy.name", "java.rt.vmArgs"

_POLICIES = {
    "Copy:MSC": "Serial",
    "ParScav:MSC": "Parallel",
    "ParNew:CMS": "CMS",
    "GarbageFirst": "G1",
}
"""`sun.gc.policy.name` -> collectors of which the size after a collection can be told."""
_WHOLE_HEAP = "GarbageFirst"
"""With G1 each generation may have all of the heap, and a few bytes more."""
_PAGE_BYTES = 4096

_ASKED = re.compile(r"(?:^|\s)(-Xmx|-XX:MaxHeapSize=|-XX:MaxRAMPercentage=)")


def find_counters(pid: int) -> str | None:
    """The file that the JVM maps its counters from, as this process sees it.

    The mapping tells it from a file that a former JVM, or one of another container, has left.
    None if there is none (yet): `-XX:-UsePerfData`, `-XX:+PerfDisableSharedMem`, another JVM.

    Raises:
        NoSuchProcessError: The process has gone.
        DeniedError: It may not be read.
    """
    found = _MAPPED.search(procfs.read_file(pid, "maps"))
    return None if found is None else f"/proc/{pid}/root{os.fsdecode(found[1])}"


class JvmCounters:
    """The counters of one JVM, kept open.

    The file is read, never mapped: one that shrinks under a mapping would end the sampler.

    Args:
        pid: The process.
        path: Its file, from `find_counters`.

    Attributes:
        is_ready: Whether the JVM has written the table of its counters.
        collector: What collects its garbage: "G1", "Serial", ..., or as the JVM says it.
        heap_max_bytes: What the heap may grow to; None if the JVM does not say.
        heap_max_source: What sets that.

    Raises:
        NoSuchProcessError: The process, or the file, has gone.
        DeniedError: It may not be read.
        PerfDataError: It is not such a file.
    """

    def __init__(self, pid: int, path: str) -> None:
        with procfs.reading(pid, path):
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            self._descriptor = os.open(path, flags)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise PerfDataError("is no regular file")
        data = os.pread(self._descriptor, _MOST_BYTES, 0)
        self._places = locate(data)
        self._values = {name: place.value(data) for name, place in self._places.items()}
        self.is_ready = bool(self._places)
        self.collector = self._collector()
        self.heap_max_bytes = self._heap_max_bytes()
        self.heap_max_source = None if self.heap_max_bytes is None else self._heap_max_source()
        self._tells = self._values.get(_POLICY) in _POLICIES
        self._read = [name for name in (*_INVOCATIONS, *_BEGAN, *_ENDED, *_KEPT) if self._has(name)]
        self._length = max((self._places[name].end for name in self._read), default=0)
        self._latest: HeapFigures | None = None

    def _has(self, name: str) -> bool:
        return isinstance(self._values.get(name), int)

    def _collector(self) -> str | None:
        policy = self._values.get(_POLICY)
        if policy in _POLICIES:
            return _POLICIES[str(policy)]
        names = (self._values.get(f"sun.gc.collector.{number}.name") for number in _COLLECTORS)
        return next((str(name).split(" ")[0] for name in names if name), None)

    def _heap_max_bytes(self) -> int | None:
        bounds = [value for value in map(self._values.get, _BOUNDS) if isinstance(value, int)]
        if self._values.get(_POLICY) == _WHOLE_HEAP:
            bounds = [bound // _PAGE_BYTES * _PAGE_BYTES for bound in bounds[-1:]]
        return sum(bounds) or None

    def _heap_max_source(self) -> str:
        asked = _ASKED.findall(str(self._values.get(_ARGUMENTS, "")))
        return str(asked[-1]).rstrip("=") if asked else "default of the JVM"

    def heap(self) -> HeapFigures | None:
        """The heap after the latest collection that has ended, as it was first seen after it.

        None where the collector does not tell it, or the first look is during a collection.

        Raises:
            PerfDataError: The file has shrunk.
        """
        if not self._tells:
            return None
        now = self._numbers()
        if any(now.get(began, 0) > now.get(ended, 0) for began, ended in _TIMES):
            return self._latest
        collections = sum(now.get(name, 0) for name in _INVOCATIONS)
        is_new = self._latest is None or self._latest.collections != collections
        if is_new and self._numbers() == now:
            kept = sum(now.get(name, 0) for name in _KEPT)
            self._latest = HeapFigures(kept if collections else None, collections)
        return self._latest

    def _numbers(self) -> dict[str, int]:
        data = os.pread(self._descriptor, self._length, 0)
        return {name: int(self._places[name].value(data)) for name in self._read}

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


_TIMES = tuple(zip(_BEGAN, _ENDED, strict=True))
