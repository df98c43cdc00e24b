"""What is wrong with a service; see `tidemark.record.errors` for the root."""

from tidemark.record.errors import TidemarkError


class ServiceError(TidemarkError):
    """A service cannot be used as it is described; where it stands in a file, that is named."""
