"""Which series memory is judged on, by what runs the processes of a target.

The resident set counts pages of files too, which the kernel takes and gives back as it likes, and
the whole heap of a JVM, which fills up to `-Xmx` before it is collected. Where more is known,
memory is judged on anonymous pages, and that of a JVM on what its collections leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tidemark.analysis.verdict.first_growth import (
    COLLECTED,
    RUNTIMES,
    UNKNOWN,
    FirstGrowth,
    Runtime,
    first_growth,
)
from tidemark.analysis.verdict.model import Floats
from tidemark.analysis.verdict.series import ANON, COLLECTIONS, HEAP, ProcessSeries
from tidemark.analysis.verdict.tracks import Track, tracks_of
from tidemark.analysis.verdict.window import Window
from tidemark.record.metrics import MIB

MEMORY = "rss_bytes"
"""The resource."""
MANAGED = ("jvm", "go", "node", "dotnet")
"""Runtimes that collect a heap, and tell the sampler how often they have."""
LEAST_SHARE = 0.05
"""A process that holds less than this share of a target's memory says nothing of its runtime."""
FEWEST_COLLECTIONS = 3
"""With fewer collections in the judged part nothing is said of what they leave."""
BESIDE_HEAP = 128 * MIB
"""What a JVM may hold beside its heap: classes, compiled code, threads, buffers."""


@dataclass(frozen=True, slots=True)
class MemorySeries:
    """What is judged in place of the resident set.

    Attributes:
        column: Whose figures: of the resident set, of anonymous pages, or of the heap.
        processes: Those that have them.
        window: What is judged.
        first: What the processes do before they are warm.
        collections: How often their heaps were collected meanwhile; None where that is unknown.
    """

    column: str
    processes: list[ProcessSeries]
    window: Window
    first: FirstGrowth
    collections: float | None = None

    @property
    def is_thin(self) -> bool:
        """Whether the heap was collected too seldom to say anything of it."""
        return self.column == HEAP and (self.collections or 0) < FEWEST_COLLECTIONS

    @property
    def collected_s(self) -> Floats:
        """When all heaps were collected since the bin before, seconds since the run began."""
        risen = [np.diff(one.value[COLLECTIONS], prepend=np.nan) > 0 for one in self.processes]
        return self.window.bins.elapsed_s[np.all(risen, axis=0)] if risen else np.array([])


def memory_series(window: Window, processes: Sequence[ProcessSeries]) -> MemorySeries:
    """Choose what is judged of a run."""
    large = _large(window, processes)
    counted = [_collections(window, one) for one in large]
    known = [count for count in counted if count is not None]
    if large and all(one.runtime == "jvm" for one in large) and len(known) == len(large):
        first = _first(window, [COLLECTED] * len(large))
        heaps = [_between_collections(window, one) for one in large]
        return MemorySeries(HEAP, heaps, window, first, min(known))
    kinds = [RUNTIMES.get(one.runtime or "", UNKNOWN) for one in large] or [UNKNOWN]
    is_known = bool(large) and all(_is_known(window, one) for one in large)
    column = ANON if is_known else MEMORY
    first = _first(window, kinds)
    return MemorySeries(column, list(processes), window, first, min(known, default=None))


def beside_heap(held: MemorySeries) -> MemorySeries | None:
    """What JVMs hold that is more than a full heap and the usual beside it; None if they do not.

    What their collections leave says nothing of it: native memory leaks there.
    """
    if held.column != HEAP or not any(_is_over_bound(held.window, one) for one in held.processes):
        return None
    kinds = [RUNTIMES["jvm"]] * len(held.processes)
    return replace(held, column=ANON, first=_first(held.window, kinds))


def _is_over_bound(window: Window, process: ProcessSeries) -> bool:
    bound = process.heap_max
    return bound is not None and _highest(process.value[ANON][window.keep]) > bound + BESIDE_HEAP


def _first(window: Window, kinds: Sequence[Runtime]) -> FirstGrowth:
    return first_growth(kinds, window.begin_x, window.begin_s, per_request=window.per_request)


def _large(window: Window, processes: Sequence[ProcessSeries]) -> list[ProcessSeries]:
    """The processes that hold most of the memory, without those that never move if others do."""
    held = [one.value[MEMORY][window.keep] for one in processes]
    least = LEAST_SHARE * sum(map(_highest, held))
    large = [
        (one, values)
        for one, values in zip(processes, held, strict=True)
        if _highest(values) > least
    ]
    moving = [one for one, values in large if _moves(values)]
    return moving or [one for one, _ in large]


def _moves(value: Floats) -> bool:
    known = value[np.isfinite(value)]
    return bool(len(known)) and bool(np.ptp(known) > 0)


def _highest(value: Floats) -> float:
    known = value[np.isfinite(value)]
    return float(known.max()) if len(known) else 0.0


def _is_known(window: Window, process: ProcessSeries) -> bool:
    """Whether anonymous pages were read wherever the resident set was; every process has some."""
    there = window.keep & np.isfinite(process.value[MEMORY])
    return bool((process.value[ANON][there] > 0).all())


def collected(window: Window, processes: Sequence[ProcessSeries]) -> float | None:
    """How often the heap that was collected most seldom was, in the judged part.

    None where that is unknown of every process.
    """
    counted = [_collections(window, one) for one in processes]
    return min((count for count in counted if count is not None), default=None)


def _collections(window: Window, process: ProcessSeries) -> float | None:
    """How often the heap of a process was collected in the judged part; None where unknown."""
    counts = process.value[COLLECTIONS][window.keep]
    if process.runtime not in MANAGED:
        return None
    known = counts[np.isfinite(counts)]
    return float(known[-1] - known[0]) if len(known) else None


def _between_collections(window: Window, process: ProcessSeries) -> ProcessSeries:
    """A process whose heap is known from its first collection in the judged part to its last.

    What a collection leaves is known when it has been; between two of them it is taken to have
    grown with the requests. With too few collections nothing is known.
    """
    counts, heap = process.value[COLLECTIONS], process.value[HEAP]
    risen = np.diff(counts, prepend=np.nan) > 0
    at = np.flatnonzero(window.keep & risen & np.isfinite(heap))
    left = np.full(len(heap), np.nan)
    if len(at) >= FEWEST_COLLECTIONS:
        inside = slice(at[0], at[-1] + 1)
        left[inside] = np.interp(window.x[inside], window.x[at], heap[at])
    held = {HEAP: left}
    return replace(process, value=process.value | held, floor=process.floor | held)


def beyond(held: MemorySeries, control: MemorySeries) -> Track | None:
    """What the target grew by beyond the control, both counted from where their load began.

    None where the two cannot be compared in this way: memory was read in another way, or the
    control saw too few requests.
    """
    if held.column != control.column:
        return None
    own, other = (_together(one) for one in (held, control))
    if own is None or other is None:
        return None
    x = own.x - held.window.begin_x
    known_x = other.x - control.window.begin_x
    inside = (x >= known_x[0]) & (x <= known_x[-1])
    if not inside.any():
        return None
    own = own.where(inside)
    parts = (np.interp(x[inside], known_x, values) for values in (other.value, other.floor))
    value, floor = parts
    return replace(own, value=own.value - value, floor=own.floor - floor)


def _together(held: MemorySeries) -> Track | None:
    """All processes that live throughout, as one."""
    tracks = tracks_of(held.column, held.processes, held.window.view)
    return tracks[0] if tracks and not tracks[0].is_recycled else None
