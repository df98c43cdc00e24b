"""The load of one run: when requests arrive and what they carry.

Both are functions of a seed: it gives every strategy the same arrival times and the same payloads,
so that a difference between two runs is the strategy's.
"""

import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tidemark.record.events import GeneratorSaturated
from tidemark.routes.mix import Mix, Turn
from tidemark.routes.route import Request, Route
from tidemark.run.batches import Batches
from tidemark.run.session import Session

LATE_S = 0.25  # an arrival this late says that the generator, not the target, is the limit


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that is to be sent.

    Attributes:
        due_s: when, on the monotonic clock, seconds.
    """

    due_s: float


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
        session: the run that the load belongs to.
    """

    def __init__(self, session: Session) -> None:
        options = session.plan.options
        self.options = options
        self._session = session
        self._saturated = False
        self._times = arrival_times(options.rate, options.seed, options.ramp)
        self._batches = Batches(
            options.batch_size, options.payload_bytes, options.seed, session.plan.run_id
        )
        self._numbers = itertools.count()
        self._mix = Mix(options.routes, options.seed, session.plan.run_id)
        self._began_s = time.monotonic()
        self._think = random.Random(f"think-{options.seed}")  # noqa: S311 - repeatable

    def next_arrival(self) -> Arrival:
        """The next request of the open workload, due at a time of its own."""
        return Arrival(self._began_s + next(self._times))

    def arrival_now(self) -> Arrival:
        """The next request of the closed workload, due now."""
        return Arrival(time.monotonic())

    def take(self, arrival: Arrival, of_user: Route) -> Sending:
        """What an arrival sends: a route of the run, or its user's where the run has none."""
        turn = self._mix.next(of_user)
        if not turn.route.sends_batches:
            return Sending(arrival.due_s, turn, None, b"")
        batch = next(self._numbers)
        return Sending(arrival.due_s, turn, batch, self._batches.body(batch))

    def think_s(self, users: int) -> float:
        """How long a user of the closed workload waits so that all together reach the rate."""
        return self._think.expovariate(self.options.rate / max(users, 1))

    def leaving(self, sending: Sending) -> None:
        """A request leaves now: note it, and how late, which only the open workload can be."""
        self._session.record.count_sent()
        if sending.batch is not None:
            self._session.ledger.sent(sending.batch)
        if self.options.workload != "open":
            return
        late_s = time.monotonic() - sending.due_s
        self._session.record.on_leaving(max(0.0, late_s) * 1000)  # a timer may be early by a hair
        if late_s > LATE_S and not self._saturated:
            self._saturated = True
            self._session.journal.event(GeneratorSaturated(lateness_s=round(late_s, 3)))

    def settle(self, sending: Sending, state: int) -> None:
        """Say in the ledger what became of a batch."""
        if sending.batch is not None:
            self._session.ledger.settle(sending.batch, state)


def arrival_times(rate: float, seed: int, ramp_s: float = 0.0) -> Iterator[float]:
    """Yield the due times of a Poisson process, in seconds since the load began.

    The rate rises linearly from 0 to `rate` over `ramp_s` seconds and stays there. Arrivals of an
    inhomogeneous Poisson process are those of a unit-rate process put through the inverse of the
    cumulative rate (Çinlar, Introduction to Stochastic Processes, 1975).

    Args:
        rate: arrivals per second once the ramp is over, greater than 0.
        seed: the same seed gives the same times.
        ramp_s: length of the ramp in seconds; 0 for none.
    """
    rng = random.Random(f"arrivals-{seed}")  # noqa: S311 - repeatable, not secret
    expected = 0.0
    while True:
        expected += rng.expovariate(1.0)
        yield time_of_arrival(expected, rate, ramp_s)


def time_of_arrival(expected: float, rate: float, ramp_s: float) -> float:
    """The time in seconds at which `expected` arrivals are due on average."""
    during_ramp = rate * ramp_s / 2
    if expected < during_ramp:
        return float((2 * ramp_s * expected / rate) ** 0.5)
    return ramp_s + (expected - during_ramp) / rate
