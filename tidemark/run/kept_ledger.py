"""The ledger of a run under way, kept beside its tables: whoever goes on with the run needs it."""

import contextlib
import os
from pathlib import Path

from tidemark.record.files import open_appending
from tidemark.run.ledger import Ledger
from tidemark.run.pages import Pages

LEDGER = ".ledger"
"""Its file in the run directory: a byte per batch. It is gone once the run has ended in order."""
_AHEAD = 65_536
"""So many bytes are taken in advance, so that a disk that fills up does not hit it at once."""


class KeptLedger(Ledger):
    """A ledger that stands in a file too, from the moment at which a batch leaves.

    A write of a byte costs about a microsecond, and what was written outlives the process. Where
    there is no room the file is given up, for half of it would be believed; `sync` makes it anew.

    Args:
        path: The file; made if it is missing.
        batch_size: Messages in each batch.
        states: What there was before, as `Ledger` takes it.
    """

    def __init__(self, path: Path, batch_size: int, states: bytes = b"") -> None:
        super().__init__(batch_size, states)
        self._path = path
        self._file: int | None = None
        self._room = 0
        self.sync()

    def sync(self) -> None:
        """Write it as a whole where it is not kept; there may be room again."""
        if self._file is None:
            self._begin()

    def _begin(self) -> None:
        try:
            with open_appending(self._path) as opened:
                os.ftruncate(opened.fileno(), 0)
            self._file = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            self._room = 0
            at = 0
            for part in self.parts():
                self._write(at, part)
                at += len(part)
        except OSError:  # no room, or no such folder any more: tried again
            self._give_up()

    def sent(self, batch: int) -> None:
        """A batch is on its way."""
        super().sent(batch)
        self._keep(batch)

    def settle(self, batch: int, state: int) -> None:
        """The request with this batch has ended."""
        super().settle(batch, state)
        self._keep(batch)

    def _keep(self, batch: int) -> None:
        if self._file is not None:
            try:
                self._write(batch, bytes((self._states[batch],)))
            except OSError:
                self._give_up()

    def _write(self, at: int, states: bytes) -> None:
        assert self._file is not None, "seen to before"  # noqa: S101
        while at + len(states) > self._room:
            os.posix_fallocate(self._file, self._room, _AHEAD)
            self._room += _AHEAD
        written = 0
        while written < len(states):
            written += os.pwrite(self._file, states[written:], at + written)

    def _give_up(self) -> None:
        self.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def go_on(self, states: bytes) -> None:
        """Take over what was sent of the run before it was cut off."""
        self._states = Pages(states)
        self._rewrite()

    def forget_brokers(self) -> None:
        """The brokers that had all of it are gone, with what they had."""
        super().forget_brokers()
        self._rewrite()

    def _rewrite(self) -> None:
        self.close()
        self.sync()

    def close(self) -> None:
        """Close the file; the ledger itself goes on."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def end(self, *, is_gone_on_with: bool) -> None:
        """Close the file; where nobody can go on with the run, remove it."""
        self.close()
        if not is_gone_on_with:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)


def kept_states(path: Path) -> bytes | None:
    """What a run has left of its ledger; None if nothing."""
    try:
        return path.read_bytes().rstrip(b"\0")
    except OSError:
        return None
