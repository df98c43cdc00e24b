"""The ledger: what became of every message of a run.

Each request carries one batch of messages, and each message the run's id and a sequence number:
`RUN:SEQUENCE:filling`. A request is accepted (the service answered with the number of its
messages), refused (it answered that it takes none of them), or undecided (it failed, or was cut
off, after it may have written some). The brokers' own offsets say how many messages arrived;
reading the topic back says which.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tidemark.run.pages import Pages

OPEN, ACCEPTED, UNDECIDED, REFUSED = 1, 2, 3, 4
UNSEEN, ADRIFT = 5, 6
"""Accepted, and open or undecided, by brokers that are not there any more to be asked."""
_GONE = bytes.maketrans(bytes((OPEN, ACCEPTED, UNDECIDED)), bytes((ADRIFT, UNSEEN, ADRIFT)))


def label(run_id: str, sequence: int, filling: str) -> str:
    """A message that says which one it is, as long as `filling` where the label leaves room."""
    prefix = f"{run_id}:{sequence}:"
    return prefix + filling[len(prefix) :]


def read_label(message: str, run_id: str) -> int | None:
    """The sequence number of a message of the run `run_id`; None for any other message."""
    prefix, _, rest = message.partition(":")
    number, colon, _ = rest.partition(":")
    if prefix != run_id or not colon or not (number.isascii() and number.isdecimal()):
        return None
    return int(number)


class Ledger:
    """What became of the batch of each request, in memory that hardly grows with their number.

    Args:
        batch_size: messages in each batch; batch n holds the sequence numbers from
            `n * batch_size` on.
        states: what is known already: one byte per batch.
    """

    def __init__(self, batch_size: int, states: bytes = b"") -> None:
        self.batch_size = batch_size
        self._states = Pages(states)

    def sent(self, batch: int) -> None:
        """A batch is on its way."""
        self._states[batch] = OPEN

    def settle(self, batch: int, state: int) -> None:
        """The request with this batch has ended: ACCEPTED, UNDECIDED or REFUSED."""
        self._states[batch] = state

    def forget_brokers(self) -> None:
        """The brokers that had all of it are gone, with what they had."""
        self._states = self._states.translated(_GONE)

    def with_unseen(self, messages: dict[str, Any]) -> dict[str, Any]:
        """A balance with what was sent to brokers that are not there any more.

        accepted - unchecked - lost + ... = delivered, then.
        """
        unseen, adrift = (self._states.count(one) * self.batch_size for one in (UNSEEN, ADRIFT))
        if not unseen and not adrift:
            return messages
        return messages | {
            "accepted": messages["accepted"] + unseen,
            "undecided": messages["undecided"] + adrift,
            "unchecked": unseen,
        }

    def state_of(self, sequence: int) -> int:
        """What became of the batch that holds a message; 0 for one that was never sent."""
        return self._states[sequence // self.batch_size]

    def parts(self) -> Iterator[bytes]:
        """All of it, one byte per batch, some at a time."""
        return self._states.parts()

    def states(self) -> bytes:
        """All of it at once, as `Ledger(batch_size, states)` takes it."""
        return b"".join(self.parts())

    @property
    def batches(self) -> int:
        """How many batches there are, the numbers that were left out included."""
        return len(self._states)

    @property
    def is_empty(self) -> bool:
        """Whether no message of the run was sent: its requests carried what is not ours."""
        return not self._states

    @property
    def accepted(self) -> int:
        """Messages that the service said it took."""
        return self._states.count(ACCEPTED) * self.batch_size

    @property
    def undecided(self) -> int:
        """Messages of requests that failed, or that were still open at the end."""
        open_or_failed = self._states.count(UNDECIDED) + self._states.count(OPEN)
        return open_or_failed * self.batch_size


@dataclass(frozen=True)
class Balance:
    """`messages` of run.json. None is what cannot be told.

    Once verified, accepted - lost + undecided_delivered + duplicated + unknown = delivered.

    Attributes:
        accepted: messages that the service said it took.
        delivered: messages that the brokers have, by their own offsets.
        lost: accepted, but not delivered.
        duplicated: delivered once more than once, each further copy counted.
        undecided: messages of requests that failed after they may have written some.
        undecided_delivered: those of them that were delivered.
        unknown: messages of the topic that are not of this run.
        verified: whether every message was read back.
    """

    accepted: int
    delivered: int
    lost: int | None
    duplicated: int | None
    undecided: int
    undecided_delivered: int | None
    unknown: int | None = None
    verified: bool = False


def balance_by_count(ledger: Ledger, delivered: int, *, is_shared: bool = False) -> Balance:
    """What the offsets alone can tell.

    Undecided messages, and those of others, may or may not be among the delivered; then losses
    and duplicates cannot be told, but for losses that even all of them would not make good.

    Args:
        ledger: what was sent.
        delivered: messages that the topic got during the run.
        is_shared: whether others may have written to the topic meanwhile.
    """
    surplus = delivered - ledger.accepted
    decided = not ledger.undecided and not is_shared
    return Balance(
        ledger.accepted,
        delivered,
        lost=max(0, -surplus) if decided or surplus < 0 else None,
        duplicated=max(0, surplus) if decided else None,
        undecided=ledger.undecided,
        undecided_delivered=0 if not ledger.undecided else None,
    )


def balance_by_reading(ledger: Ledger, run_id: str, messages: Iterable[str]) -> Balance:
    """What reading every message back tells: exact.

    Args:
        ledger: what was sent.
        run_id: the run's id.
        messages: every message that the topic got during the run.
    """
    count = ledger.batches * ledger.batch_size
    arrived = bytearray((count + 7) // 8)  # a bit for each message
    delivered = duplicated = undecided_delivered = accepted_delivered = unknown = 0
    for message in messages:
        delivered += 1
        sequence = read_label(message, run_id)
        if sequence is None or sequence >= count:
            unknown += 1
            continue
        at, bit = sequence >> 3, 1 << (sequence & 7)
        if arrived[at] & bit:
            duplicated += 1
            continue
        arrived[at] |= bit
        if ledger.state_of(sequence) == ACCEPTED:
            accepted_delivered += 1
        else:
            undecided_delivered += 1
    lost = ledger.accepted - accepted_delivered
    undecided = (ledger.undecided, undecided_delivered)
    return Balance(ledger.accepted, delivered, lost, duplicated, *undecided, unknown, verified=True)
