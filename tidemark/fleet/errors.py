"""What can go wrong where many are explained."""

from tidemark.record.errors import TidemarkError


class CompactError(TidemarkError):
    """A run cannot be compacted; the message says what, where, and what to do."""


class FleetError(TidemarkError):
    """Many cannot be judged; the message says what, where, and what to do."""
