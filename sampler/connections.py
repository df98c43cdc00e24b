"""What is known of TCP connections at one moment, whatever the source."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Protocol

from tidemark.record.layout import BROKER, OTHER_ENDPOINTS, REMOTE
from tidemark.record.metrics import TCP_STATE_NUMBERS
from tidemark.sampler.tree import Process

TIME_WAIT = TCP_STATE_NUMBERS["time_wait"]
LISTEN = 10
"""The state of a socket that connections are accepted from (include/net/tcp_states.h)."""
LISTENING = "tcp listening"
"""What such a socket is called in composition.csv."""

MOST_ENDPOINTS = 40
"""So many remote ends that are no brokers are told by name at a time; the rest is one."""


@dataclass(slots=True)
class EndpointCount:
    """Connections towards one remote end.

    Attributes:
        held: Those of the target's tree, in all states but TIME_WAIT.
        time_wait: TIME_WAIT in the target's network namespace, whoever it belonged to.
        foreign: What other processes of that namespace hold towards it: some of `time_wait` may
            be theirs.
        kind: Whether it was named as a broker.
    """

    held: int = 0
    time_wait: int = 0
    foreign: int = 0
    kind: str = BROKER

    def add(self, other: "EndpointCount") -> None:
        """Count those of another one here."""
        self.held += other.held
        self.time_wait += other.time_wait
        self.foreign += other.foreign


@dataclass(slots=True)
class Connections:
    """Connections whose remote end counts: is a broker, or any where no broker was named.

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

    def sockets(self) -> dict[int, str]:
        """Inode -> name for composition.csv of the TCP sockets that the last reading saw."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class OthersSource(ConnectionSource, Protocol):
    """A way to read the connections beside those that count, whose owners are told to it."""

    def count(self, held: Mapping[str, int]) -> dict[str, EndpointCount]:
        """The connections of the last reading by remote end.

        Args:
            held: Name of a socket in composition.csv -> how many of them the target has.
        """
        ...


def state_columns(counts: Mapping[int, int]) -> dict[str, int]:
    """Counts by the kernel's state number -> counts by column, all columns there."""
    return {name: counts.get(number, 0) for name, number in TCP_STATE_NUMBERS.items()}


def socket_name(endpoint: str) -> str:
    """What a connection to a remote end is called in composition.csv."""
    return "tcp" if endpoint == OTHER_ENDPOINTS else f"tcp {endpoint}"


def accepted_name(port: int) -> str:
    """What a connection is called there that came in on a port of this host."""
    return f"tcp accepted :{port}"


def most_used(found: Iterable[tuple[str, EndpointCount]]) -> dict[str, EndpointCount]:
    """The remote ends with the most connections, and one for all the others.

    That one is there at every reading, so that what is not there had no connection.

    Args:
        found: Name and connections of each.
    """
    others = EndpointCount(kind=REMOTE)
    known: list[tuple[str, EndpointCount]] = []
    for name, count in found:
        if name == OTHER_ENDPOINTS:
            others.add(count)
        elif count.held or count.time_wait:
            known.append((name, count))
    first = nlargest(MOST_ENDPOINTS, known, lambda one: (one[1].held, one[1].time_wait, one[0]))
    chosen = dict(first)
    for name, count in known:
        if name not in chosen:
            others.add(count)
    return {**chosen, OTHER_ENDPOINTS: others}
