"""The live line in a terminal."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO

from tidemark.record.layout import KERNEL_PID
from tidemark.record.metrics import HELD_STATES, MIB, TCP_STATE_NUMBERS
from tidemark.sampler.connections import TIME_WAIT
from tidemark.sampler.figures import Figure
from tidemark.sampler.source import Sample

_HELD = tuple(TCP_STATE_NUMBERS[state] for state in HELD_STATES)


@dataclass(slots=True)
class Glance:
    """The last samples, of all targets together, in a few figures.

    Attributes:
        elapsed_s: When, seconds since the run began.
        processes: Living processes of the trees.
        fds: Descriptors of all of them; None if one could not be read.
        threads: Threads of all of them; None if nobody says.
        rss_bytes: Resident memory of all of them, bytes; None if nobody says.
        connections: Connections that count, held, when last read; None if never.
        time_wait: The same in TIME_WAIT, when last read; None if never.
        cost_share: CPU time of the sampler since it began, as a share of one core.
    """

    elapsed_s: float = 0.0
    processes: int = 0
    fds: Figure = None
    threads: Figure = 0
    rss_bytes: Figure = 0
    connections: int | None = None
    time_wait: int | None = None
    cost_share: float = 0.0

    def update(self, elapsed_s: float, samples: Sequence[Sample], cost_share: float) -> None:
        """Take over the samples of a tick; connections that none of them has stay as they were."""
        self.elapsed_s, self.cost_share = elapsed_s, cost_share
        processes = [one for sample in samples for one in sample.processes]
        self.processes = len(processes)
        fds, threads, rss_bytes = (
            [one.figures.get(column) for one in processes]
            for column in ("fds", "threads", "rss_bytes")
        )
        self.fds = None if None in fds else _sum(fds)
        self.threads, self.rss_bytes = _known(threads), _known(rss_bytes)
        found = [sample.connections.by_process for sample in samples if sample.connections]
        if len(found) == len(samples):
            mine = [counts for one in found for pid, counts in one.items() if pid != KERNEL_PID]
            self.connections = sum(counts.get(state, 0) for counts in mine for state in _HELD)
            held = sum(counts.get(TIME_WAIT, 0) for counts in mine)
            # What belongs to no process is seen from each target that shares a namespace.
            left = [one.get(KERNEL_PID, {}).get(TIME_WAIT, 0) for one in found]
            self.time_wait = held + max(left, default=0)


def _sum(figures: Iterable[Figure]) -> float:
    return sum(figure for figure in figures if figure is not None)


def _known(figures: Sequence[Figure]) -> Figure:
    """The sum of what is known; a process that has gone meanwhile has no figures."""
    return None if figures and not any(one is not None for one in figures) else _sum(figures)


def describe(glance: Glance) -> str:
    """The last sample in one line; what could not be read is a dash."""
    minutes, seconds = divmod(int(glance.elapsed_s), 60)
    return (
        f"{minutes:3d}:{seconds:02d}  {glance.processes} processes"
        f"  fds {_figure(glance.fds)}  threads {_figure(glance.threads)}"
        f"  rss {'-' if glance.rss_bytes is None else f'{glance.rss_bytes / MIB:,.0f} MiB'}"
        f"  connections {_figure(glance.connections)}  TIME_WAIT {_figure(glance.time_wait)}"
        f"  (sampler {glance.cost_share:.1%} of a core)"
    )


def _figure(value: Figure) -> str:
    return "-" if value is None else f"{value:,}"


class LiveLine:
    """Redraws one line with every sample; silent where the stream is no terminal.

    Args:
        stream: Usually `sys.stderr`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = False
        self._enabled = stream.isatty()

    def show(self, glance: Glance) -> None:
        """Draw the line anew, cut to the width of the terminal."""
        if self._enabled:
            width = shutil.get_terminal_size().columns - 1
            self._write("\r" + describe(glance)[:width].ljust(width))
            self._drawn = True

    def close(self) -> None:
        """End the line, so that what comes next begins a new one."""
        if self._drawn:
            self._write("\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the terminal was closed
            self._enabled = self._drawn = False
