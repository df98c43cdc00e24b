"""The load of one run: when requests arrive and what they carry.

Both are functions of a seed: it gives every strategy the same arrival times and the same payloads,
so that a difference between two runs is the strategy's. They are so whoever sends them: what
arrival number so-and-so is depends neither on how many load generators there are nor on which of
them it falls to.
"""

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tidemark.routes.mix import Mix, Turn
from tidemark.routes.route import Request, Route
from tidemark.run.batches import Batches
from tidemark.run.course import Arrival, Course, arrival_times
from tidemark.run.orders import Orders
from tidemark.run.requests_record import RequestRecord
from tidemark.run.shares import Shares

LATE_S = 0.25  # an arrival this late says that the generator, not the target, is the limit


class Account(Protocol):
    """Where it is written down what becomes of batches."""

    def sent(self, batch: int) -> None:
        """A batch is on its way."""

    def settle(self, batch: int, state: int) -> None:
        """The request with this batch has ended."""


class Books(Protocol):
    """Where it is written down what a generator does."""

    @property
    def record(self) -> RequestRecord:
        """What has been sent and answered."""

    @property
    def ledger(self) -> Account:
        """What became of each batch."""

    def generator_saturated(self, *, lateness_s: float) -> None:
        """A request left far too late, for the first time."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What an arrival sends.

    Attributes:
        due_s: when it is due, on the monotonic clock, seconds.
        turn: where to, and what its placeholders stand for.
        batch: the number of its batch of messages, from 0; None for a body that is not ours.
        body: that batch.
    """

    due_s: float
    turn: Turn
    batch: int | None
    body: bytes

    def request(self) -> Request:
        """Make the request, now that it leaves."""
        return self.turn.request(self.body)


class Load:
    """Hands out what is to be sent next.

    All users of a process share one stream, so that the arrivals depend on rate and seed alone
    and not on how many users there are.

    Args:
        orders: what is to be sent, and which share of it.
        books: where it is written down.
        began_s: when the load begins, on the monotonic clock; None for now.
        await_leave: returns once this generator may send; None where it always may.
    """

    def __init__(
        self,
        orders: Orders,
        books: Books,
        began_s: float | None = None,
        await_leave: Callable[[], None] | None = None,
    ) -> None:
        self.options = options = orders.options
        self.headers = orders.headers
        self.users = orders.users
        self._books = books
        self._await_leave = await_leave
        self._is_open = options.workload == "open"
        self._saturated = False
        self.is_over = False  # a user that wakes up sends nothing any more
        self._began_s = time.monotonic() if began_s is None else began_s
        self._batches = Batches(
            options.batch_size, options.payload_bytes, options.seed, orders.run_id
        )
        part, parts = orders.generator, orders.generators
        # In the closed workload nobody knows what others send: each draws for itself.
        of_draws = (0, 1) if self._is_open else (part, parts)
        self._mix = Mix(options.routes, options.seed, orders.run_id, *of_draws)
        self._curve = options.curve
        times = arrival_times(options.rate, options.seed, self._curve)
        self._course = Course(times, self._mix, Shares(options.seed, parts), part)
        # A run that is gone on with: its load goes on where it was.
        skipped = 0 if self._is_open else orders.sent_numbers
        self._began_s -= self._course.skip(orders.sent_numbers, orders.sent_s)
        self._own_numbers = itertools.count(part + skipped, parts)
        whose = f"think-{options.seed}-{part}" if part else f"think-{options.seed}"
        self._think = random.Random(whose)  # noqa: S311 - repeatable

    # -- the open workload ---------------------------------------------------------------------

    def next_arrival(self) -> Arrival:
        """The next request of the open workload, due at a time of its own."""
        return self._course.next(self._now_s())

    def due_s(self, arrival: Arrival) -> float:
        """When an arrival is due, on the monotonic clock; infinite for one that never is."""
        return self._began_s + arrival.due_s

    def still(self, arrival: Arrival) -> Arrival:
        """What is to be waited for in place of `arrival`, now that some time has gone by."""
        return self._course.still(arrival, self._now_s())

    def lose(self, generator: int, from_s: float) -> None:
        """Another generator sends nothing any more from `from_s` seconds into the load on."""
        self._course.lose(generator, from_s)

    def end(self, until_s: float) -> None:
        """The load ends `until_s` seconds after it began; in the closed workload, now."""
        self._course.end(until_s)
        self.is_over = not self._is_open

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    # -- the closed one ------------------------------------------------------------------------

    def arrival_now(self) -> Arrival:
        """The next request of the closed workload, due now."""
        return Arrival(self._now_s(), next(self._own_numbers), self._mix.draw())

    def think_s(self, users: int) -> float:
        """How long a user of the closed workload waits so that all together reach the rate.

        It is how long the rate takes, as it goes from now on, for what a user waits on average.

        Args:
            users: how many there are here; they are all, unless the orders say otherwise.
        """
        waited = self._think.expovariate(self.options.rate / max(self.users or users, 1))
        now_s = max(0.0, self._now_s())
        return self._curve.time_of(self._curve.area_until(now_s) + waited) - now_s

    # -- both ----------------------------------------------------------------------------------

    def take(self, arrival: Arrival, of_user: Route) -> Sending:
        """What an arrival sends: a route of the run, or its user's where the run has none."""
        turn = self._mix.turn(arrival.number, arrival.drawn, of_user)
        due_s = self._began_s + arrival.due_s
        if not turn.route.sends_batches:
            return Sending(due_s, turn, None, b"")
        return Sending(due_s, turn, arrival.number, self._batches.body(arrival.number))

    def leaving(self, sending: Sending) -> None:
        """A request leaves now: note it, and how late, which only the open workload can be."""
        if self._await_leave:
            self._await_leave()
        self._books.record.count_sent()
        if sending.batch is not None:
            self._books.ledger.sent(sending.batch)
        if not self._is_open:
            return
        late_s = time.monotonic() - sending.due_s
        self._books.record.on_leaving(max(0.0, late_s) * 1000)  # a timer may be early by a hair
        if late_s > LATE_S and not self._saturated:
            self._saturated = True
            self._books.generator_saturated(lateness_s=round(late_s, 3))

    def settle(self, sending: Sending, state: int) -> None:
        """Say in the ledger what became of a batch."""
        if sending.batch is not None:
            self._books.ledger.settle(sending.batch, state)
