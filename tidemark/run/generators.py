"""What several load generators report, put together to what one would have written down."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tidemark.record.events import GeneratorSaturated
from tidemark.routes.mix import Mix
from tidemark.run.course import Arrival, Trail, arrival_times
from tidemark.run.ledger import Ledger
from tidemark.run.orders import Orders
from tidemark.run.requests_record import RequestRecord, percentile
from tidemark.run.saturation import Saturation
from tidemark.run.shares import Shares

UNREPORTED_S = 0.5
"""For so long a generator may have sent what nobody heard of, where it says so often enough."""


class Books(Protocol):
    """The books of the run."""

    @property
    def record(self) -> RequestRecord:
        """What has been sent and answered."""

    @property
    def ledger(self) -> Ledger:
        """What became of each batch."""

    def generator_saturated(
        self, *, lateness_s: float | None, cpu_percent: float | None, worker: str | None
    ) -> None:
        """A generator cannot keep up."""


@dataclass(slots=True)
class Generator:
    """One generator, as it has reported.

    Attributes:
        name: what tables and events call it.
        users: how many it has.
        requests: requests that were answered or have failed.
        failures: those of them that have failed.
        late_ms: how late requests left, those since the last row.
        cpu_percent: of one processor, lately.
        at_s: when it reported last, seconds into the load.
        last_batch: the highest number of a batch that it has reported.
        saturation: whether it keeps up.
    """

    name: str
    saturation: Saturation
    users: int | None = None
    requests: int = 0
    failures: int = 0
    late_ms: list[float] = field(default_factory=list)
    cpu_percent: float | None = None
    at_s: float = 0.0
    last_batch: int = -1

    def row(self) -> dict[str, Any]:
        """Its row of generators.csv, without the time."""
        late, self.late_ms = sorted(self.late_ms), []
        late_p99_ms = percentile(late, 0.99)
        self.saturation.tick(late_p99_ms)
        return {
            "generator": self.name,
            "users": self.users,
            "requests": self.requests,
            "failures": self.failures,
            "late_p99_ms": late_p99_ms,
            "cpu_percent": self.cpu_percent,
        }


class Generators:
    """Merges what the generators of a run report.

    Args:
        names: theirs.
        orders: what the first of them was told.
        books: of the run.
    """

    def __init__(self, names: Sequence[str], orders: Orders, books: Books) -> None:
        self._books = books
        self._each = [Generator(name, Saturation(self._tell_of(name))) for name in names]
        options = orders.options
        self._options = options
        self._most_rate = options.rate * options.curve.peak
        self._shares = Shares(options.seed, len(names))
        mix = Mix(options.routes, options.seed, orders.run_id)
        times = arrival_times(options.rate, options.seed, options.curve)
        self._trail = Trail(times, mix) if options.workload == "open" else None

    def take(self, index: int, part: Mapping[str, Any]) -> None:
        """Merge what a generator, from 0, says it has done since it reported last."""
        one = self._each[index]
        one.users = part["users"]
        one.cpu_percent = part["cpu_percent"]
        one.requests += part["requests"]
        one.failures += part["failures"]
        one.late_ms += part["late_ms"]
        one.at_s = part["at_s"]
        self._books.record.merge(part)
        changes = iter(part["batches"])
        for batch, state in zip(changes, changes, strict=True):
            self._books.ledger.sent(batch)
            self._books.ledger.settle(batch, state)
            one.last_batch = max(one.last_batch, batch)
        for lateness_s, used_percent in part["saturated"]:
            self._books.generator_saturated(
                lateness_s=lateness_s, cpu_percent=used_percent, worker=one.name
            )

    def _tell_of(self, name: str) -> Callable[[GeneratorSaturated], None]:
        """Takes what is told of a generator."""

        def tell(event: GeneratorSaturated) -> None:
            self._books.generator_saturated(
                lateness_s=event.lateness_s, cpu_percent=event.cpu_percent, worker=name
            )

        return tell

    def walk(self, now_s: float) -> None:
        """Follow the load, once or more a second."""
        if self._trail:
            self._trail.walk(now_s)

    def lose(self, index: int, from_s: float) -> int | None:
        """A generator is lost: the others have what is due of its share from a moment on.

        What it may have sent without having reported it stays open in the ledger.

        Returns:
            How many requests of its share were neither reported nor are sent by another; None
            where nobody knows.
        """
        one = self._each[index]
        one.users = 0
        missing = None if self._trail is None else self._unreported(index, from_s)
        self._shares.lose(index, from_s)
        for batch in self._may_have_sent(one, missing):
            if not self._books.ledger.state_of(batch * self._options.batch_size):
                self._books.ledger.sent(batch)
        return None if missing is None else len(missing)

    def _unreported(self, index: int, until_s: float) -> list[Arrival]:
        assert self._trail  # noqa: S101 - for mypy
        self._trail.walk(until_s)
        return [
            arrival
            for arrival in self._trail.between(self._each[index].at_s, until_s)
            if self._shares.owner(arrival.number, arrival.due_s) == index
        ]

    def _may_have_sent(self, one: Generator, missing: list[Arrival] | None) -> Iterator[int]:
        if self._books.ledger.is_empty:
            return
        if missing is not None:
            for arrival in missing:
                if arrival.drawn is None or arrival.drawn.route.sends_batches:
                    yield arrival.number
        elif one.last_batch >= 0:
            count = len(self._each)
            further = math.ceil(self._most_rate / count * UNREPORTED_S) + 1
            first = one.last_batch + count
            yield from range(first, first + further * count, count)

    def rows(self) -> list[dict[str, Any]]:
        """A row of generators.csv for each; begins a new tick."""
        return [one.row() for one in self._each]
