"""What can go wrong in this room; see `tidemark.record.errors` for the root."""

from tidemark.record.errors import TidemarkError


class TargetError(TidemarkError):
    """A target, or the brokers it writes to, cannot be what was asked for."""


class ClientError(TargetError):
    """A client could not be started: a bad option, or no threads or memory left for it."""


class OutOfBrokersError(TargetError):
    """No broker could be reached within the dial timeout (sarama's `ErrOutOfBrokers`)."""


class DeliveryError(TargetError):
    """Some messages were not acknowledged by the brokers within the acknowledgement timeout."""


class PoolExhaustedError(TargetError):
    """No producer of the pool became free within the dial timeout."""


class ClosedClientError(TargetError):
    """A client was used after `close()`, a bug in the caller (sarama's `ErrClosedClient`)."""
