"""What goes wrong while a run is put together; see `tidemark.record.errors` for the root."""

from tidemark.record.errors import TidemarkError


class ChildError(TidemarkError):
    """A child process (broker, target, sampler) did not come up or ended early."""


class LedgerError(TidemarkError):
    """What became of the messages cannot be told."""
