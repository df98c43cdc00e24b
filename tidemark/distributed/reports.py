"""What a worker has done, piece by piece, until the master has heard of each of them."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tidemark.distributed.channel import RESEND_S
from tidemark.run.ledger import OPEN
from tidemark.run.requests_record import RequestRecord


class Changes:
    """What has become of batches since the report before."""

    def __init__(self) -> None:
        self._states: dict[int, int] = {}

    def sent(self, batch: int) -> None:
        """A batch is on its way."""
        self._states[batch] = OPEN

    def settle(self, batch: int, state: int) -> None:
        """The request with this batch has ended."""
        self._states[batch] = state

    def taken(self) -> list[int]:
        """Numbers and states by turns; forgets them."""
        taken, self._states = self._states, {}
        return [number for pair in taken.items() for number in pair]


class Reports:
    """The books of a worker: what is written there leaves with the next report.

    Each report has a number, and is sent again until it is heard of, so that every request is
    counted once, whatever becomes of a connection.

    Args:
        run_id: the run's id.
        send: sends one.
        monotonic: the clock, seconds.
    """

    def __init__(
        self,
        run_id: str,
        send: Callable[[dict[str, Any]], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run_id = run_id
        self.record = RequestRecord()
        self.ledger = Changes()
        self._send = send
        self._monotonic = monotonic
        self._saturated: list[tuple[float | None, float | None]] = []
        self._number = 0
        self._unheard: deque[tuple[float, dict[str, Any]]] = deque()
        self._again_s = monotonic()
        self._heard_of_s = self._heard_at_s = monotonic()

    def generator_saturated(
        self, *, lateness_s: float | None = None, cpu_percent: float | None = None
    ) -> None:
        """This generator cannot keep up."""
        self._saturated.append((lateness_s, cpu_percent))

    def send(self, **also: Any) -> None:
        """Send what was written down since the report before, and with it whatever else."""
        self._number += 1
        report = {
            "run": self.run_id,
            "number": self._number,
            "batches": self.ledger.taken(),
            "saturated": self._saturated,
            **self.record.to_plain(),
            **also,
        }
        self.record, self._saturated = RequestRecord(), []
        self._unheard.append((self._monotonic(), report))
        self._send(report)

    def repeat(self) -> None:
        """Send again what nobody has heard of for long."""
        now_s = self._monotonic()
        if self._unheard and now_s - max(self._again_s, self._unheard[0][0]) >= RESEND_S:
            self._again_s = now_s
            for _, report in list(self._unheard):
                self._send(report)

    def heard(self, run_id: str, number: int) -> None:
        """The master has taken down all reports up to a number."""
        if run_id != self.run_id:
            return
        self._heard_at_s = self._monotonic()
        while self._unheard and self._unheard[0][1]["number"] <= number:
            self._heard_of_s, _ = self._unheard.popleft()

    @property
    def are_heard(self) -> bool:
        """Whether the master has taken down all of them."""
        return not self._unheard

    def unheard_of_s(self) -> float:
        """How long ago the last report was sent that the master has taken down, seconds."""
        return self._monotonic() - self._heard_of_s

    def deserted_s(self) -> float:
        """How long the master has said nothing, seconds."""
        return self._monotonic() - self._heard_at_s
