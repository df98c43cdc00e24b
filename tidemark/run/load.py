"""The load of one run: one stream of arrivals that all users of a process share."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from tidemark.record.events import GeneratorSaturated
from tidemark.run.session import Session
from tidemark.run.workload import arrival_times, batches

LATE_S = 0.25  # an arrival this late says that the generator, not the target, is the limit


@dataclass(frozen=True)
class Arrival:
    """One request to send.

    Attributes:
        batch: its number in the run, from 0.
        due_s: when it is due, on the monotonic clock, seconds.
        body: the request body.
    """

    batch: int
    due_s: float
    body: bytes


class Load:
    """Hands out what is to be sent next.

    The users of a run share one stream, so that the arrivals depend on rate and seed alone and
    not on how many users there are.

    Args:
        session: the run that the load belongs to.

    Attributes:
        options: the options of the run.
        record: where requests are counted.
    """

    def __init__(self, session: Session) -> None:
        options = session.plan.options
        self.options = options
        self.record = session.record
        self._session = session
        self._saturated = False
        self._times = arrival_times(options.rate, options.seed, options.ramp)
        self._bodies = enumerate(
            batches(options.batch_size, options.payload_bytes, options.seed, session.plan.run_id)
        )
        self._began_s = time.monotonic()
        self._think = random.Random(f"think-{options.seed}")  # noqa: S311 - repeatable

    def next_arrival(self) -> Arrival:
        """The next request of the open workload, due at a time of its own."""
        batch, body = next(self._bodies)
        return Arrival(batch, self._began_s + next(self._times), body)

    def arrival_now(self) -> Arrival:
        """The next request of the closed workload, due now."""
        batch, body = next(self._bodies)
        return Arrival(batch, time.monotonic(), body)

    def think_s(self, users: int) -> float:
        """How long a user of the closed workload waits so that all together reach the rate."""
        return self._think.expovariate(self.options.rate / max(users, 1))

    def leaving(self, arrival: Arrival) -> None:
        """A request leaves now: count it, and note when it leaves far too late."""
        self.record.count_sent()
        self._session.ledger.sent(arrival.batch)
        late_s = time.monotonic() - arrival.due_s
        if late_s > LATE_S and not self._saturated:
            self._saturated = True
            self._session.journal.event(GeneratorSaturated(lateness_s=round(late_s, 3)))

    def settle(self, arrival: Arrival, state: int) -> None:
        """Say in the ledger what became of a batch."""
        self._session.ledger.settle(arrival.batch, state)
