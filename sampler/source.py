"""Where samples come from, and what a sample is."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Protocol

from tidemark.record.events import Event
from tidemark.record.layout import KERNEL_PID, KERNEL_PROCESS
from tidemark.sampler.connections import Connections, EndpointCount, state_columns
from tidemark.sampler.errors import SamplerError
from tidemark.sampler.figures import ProcessFigures
from tidemark.sampler.tree import Process

Row = Mapping[str, int | float | str | None]
"""A row of one of the tables, by column; target and times are added when it is written."""


@dataclass(slots=True)
class Sample:
    """What was read in one tick.

    Attributes:
        processes: The living processes of the target.
        connections: Their connections that count; None if they were not due or not readable.
        composition: Rows of composition.csv, of the processes whose turn it was.
        events: What was noticed meanwhile, in that order.
        requests: A row of requests.csv, where the source counts what was answered.
        others: Their other connections by remote end; empty as above, or if all count.
    """

    processes: list[ProcessFigures]
    connections: Connections | None = None
    composition: list[Row] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    requests: Row | None = None
    others: Mapping[str, EndpointCount] = field(default_factory=dict)

    def process_rows(self, cost_s: float) -> Iterator[Row]:
        """The rows of samples.csv.

        Args:
            cost_s: CPU time that the sample took, seconds.
        """
        held = {} if self.connections is None else self.connections.by_process
        cost = {"sample_cost_s": cost_s}
        for one in self.processes:
            states = state_columns(held[one.pid]) if one.pid in held else {}
            yield {"pid": one.pid, "process": one.process, **one.figures, **states, **cost}
        if KERNEL_PID in held:
            states = state_columns(held[KERNEL_PID])
            yield {"pid": KERNEL_PID, "process": KERNEL_PROCESS, **states, **cost}

    def endpoint_rows(self) -> Iterator[Row]:
        """The rows of endpoints.csv; none if connections were not told by endpoint."""
        counted = (self.connections and self.connections.by_endpoint) or {}
        for name, count in chain(counted.items(), self.others.items()):
            yield {"endpoint": name, **asdict(count)}


class Probe(Protocol):
    """Something that is done to a process when it appears; what it finds are events."""

    def look(self, processes: Iterable[Process]) -> None:
        """Do it to those of the processes that were not there the last time."""
        ...


class Source(Protocol):
    """Where the samples of one target come from.

    Attributes:
        target: The target's id, in the column of that name.
        name: How connections are read: `source` in the event `sampler_started`.
        shortcoming: Why there is no better way; None if it is the best.
    """

    target: str
    name: str
    shortcoming: SamplerError | None

    def take(self, now_s: float, *, full: bool = False) -> Sample:
        """Take one sample; what cannot be read is missing in it, and an event of it.

        Args:
            now_s: Monotonic time, seconds.
            full: Read the connections whether or not the budget allows for it.
        """
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...
