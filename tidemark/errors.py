"""What goes wrong while a run is put together."""

from tidemark.sampler.errors import TidemarkError


class OptionError(TidemarkError):
    """An option has a value that cannot be used; the message names the option."""


class ChildError(TidemarkError):
    """A child process (broker, target, sampler) did not come up or ended early."""


class LedgerError(TidemarkError):
    """What became of the messages cannot be told."""
