"""The bodies of a run: batch number so-and-so, whichever are asked for and in whatever order."""

import random

from tidemark.run.ledger import label

BLOCK_CHARACTERS = 2**20
"""Of random hexadecimal digits, made once; every filling is a slice of them."""
_STEP = 648_055
"""How far the fillings of two consecutive messages are apart in the block.

The odd number next to `BLOCK_CHARACTERS` divided by the golden ratio, which spreads them as evenly
as they can be (Knuth, The Art of Computer Programming 3, section 6.4): a million messages go by
before one has the filling of another, and those of a batch lie far apart, so that who compresses a
batch finds next to nothing repeated.
"""


class Batches:
    """Makes the body of any batch of a run: a JSON array of labelled messages.

    A body is a function of the batch's number and of these arguments alone, so that several
    generators make the bodies of one run without talking to each other.

    Args:
        batch_size: messages of a batch; batch n holds the sequence numbers from
            `n * batch_size` on.
        payload_bytes: length of a message, where its label leaves room for a filling.
        seed: the same seed gives the same fillings.
        run_id: the run's id, which stands in every label.
    """

    def __init__(self, batch_size: int, payload_bytes: int, seed: int, run_id: str) -> None:
        rng = random.Random(f"payloads-{seed}")  # noqa: S311 - repeatable, not secret
        self._block = rng.randbytes((BLOCK_CHARACTERS + payload_bytes + 1) // 2).hex()
        self._batch_size = batch_size
        self._payload_bytes = payload_bytes
        self._run_id = run_id

    def body(self, batch: int) -> bytes:
        """The body of batch number `batch`, from 0."""
        first = batch * self._batch_size
        messages = map(self._message, range(first, first + self._batch_size))
        return ('["' + '", "'.join(messages) + '"]').encode()  # nothing in them needs an escape

    def _message(self, sequence: int) -> str:
        at = sequence * _STEP % BLOCK_CHARACTERS
        return label(self._run_id, sequence, self._block[at : at + self._payload_bytes])
