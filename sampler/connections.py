"""What is known of the broker connections at one moment, whatever the source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tidemark.record.metrics import TCP_STATE_NUMBERS
from tidemark.sampler.tree import Process

TIME_WAIT = TCP_STATE_NUMBERS["time_wait"]


@dataclass(slots=True)
class EndpointCount:
    """Connections towards one broker.

    Attributes:
        held: Those of the target's tree, in all states but TIME_WAIT.
        time_wait: TIME_WAIT in the target's network namespace, whoever it belonged to.
    """

    held: int = 0
    time_wait: int = 0


@dataclass(slots=True)
class Connections:
    """Connections whose remote end is a broker.

    Attributes:
        by_process: pid -> number of the TCP state -> connections; pid 0 for those that no
            process holds any more. A process that could not be told is missing.
        by_endpoint: `host:port` -> connections; None if they could not be told.
        denied: pid -> what of it may not be read, so that it is missing above.
        learning_cost_s: CPU time of learning what need not be learnt again, seconds.
    """

    by_process: dict[int, dict[int, int]] = field(default_factory=dict)
    by_endpoint: dict[str, EndpointCount] | None = None
    denied: dict[int, str] = field(default_factory=dict)
    learning_cost_s: float = field(default=0.0, compare=False)

    def add(self, pid: int, state: int, count: int = 1) -> None:
        """Count more of a process; nothing for one that is missing in `by_process`."""
        states = self.by_process.get(pid)
        if states is not None and count:
            states[state] = states.get(state, 0) + count


class ConnectionSource(Protocol):
    """A way to read connections."""

    name: str
    """What `sampler_started` calls it: `netlink`, `procfs`."""

    def read(self, tree: Mapping[int, Process]) -> Connections:
        """Read the connections of these processes, pid -> process.

        Raises:
            SamplerError: They cannot be read (now).
        """
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


def state_columns(counts: Mapping[int, int]) -> dict[str, int]:
    """Counts by the kernel's state number -> counts by column, all columns there."""
    return {name: counts.get(number, 0) for name, number in TCP_STATE_NUMBERS.items()}
