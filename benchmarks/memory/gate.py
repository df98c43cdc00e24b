"""When the next run may start: a few at once, and only while the processors have time for it.

A service that waits for a processor answers late, and then shows how it queues and not how it keeps
its memory.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Self

from benchmarks.memory.running import NICE

AT_ONCE = 3
"""Starting is dear: an interpreter loads its modules, a virtual machine compiles."""
LEAST_IDLE_SHARE = 0.15
WINDOW = 5
"""Seconds that the idle share is that of."""


def cpu_ticks(text: str, *, niced_gives_way: bool = False) -> tuple[int, int]:
    """The idle and all clock ticks of all processors since boot, as /proc/stat has them.

    Time that the host of a virtual machine took away counts as busy. Source: proc_stat(5).

    Args:
        text: The content of the file.
        niced_gives_way: What runs with a positive niceness counts as idle.
    """
    figures = [int(word) for word in text.partition("\n")[0].split()[1:9]]
    _, niced, _, idle, waiting = figures[:5]
    return idle + waiting + (niced if niced_gives_way else 0), sum(figures)


def _read_ticks() -> tuple[int, int]:
    """Where our services have no positive niceness, others that have one give way to them."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    text = Path("/proc/stat").read_text(encoding="ascii")
    return cpu_ticks(text, niced_gives_way=own + NICE <= 0)


class Gate:
    """Held by a run while it starts.

    Args:
        least_idle_share: Of all processors, so much must have been idle; 0 lets everybody in.
        read: Gives the idle and all clock ticks so far.
    """

    def __init__(
        self,
        least_idle_share: float = LEAST_IDLE_SHARE,
        read: Callable[[], tuple[int, int]] = _read_ticks,
    ) -> None:
        self._least = least_idle_share
        self._read = read
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._ticks = deque([read()], maxlen=WINDOW + 1)
        self._looked = asyncio.Condition()

    async def watch(self) -> None:
        """Look at the processors once a second, and let one run in if they have time; endless."""
        while True:
            await asyncio.sleep(1.0)
            await self.look()

    async def look(self) -> None:
        """Look at the processors, and let one run in if they have time."""
        self._ticks.append(self._read())
        if self.idle_share >= self._least:
            async with self._looked:
                self._looked.notify()

    @property
    def idle_share(self) -> float:
        """Of the time of all processors in the last seconds."""
        (idle, total), (idle_now, total_now) = self._ticks[0], self._ticks[-1]
        return (idle_now - idle) / max(1, total_now - total)

    async def __aenter__(self) -> Self:
        await self._slots.acquire()
        try:
            async with self._looked:
                await self._looked.wait()
        except BaseException:
            self._slots.release()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._slots.release()
