"""What can go wrong in this room; see `tidemark.record.errors` for the root.

* `TargetError`: the base

  * `ClientError`: librdkafka could not start a client
  * `OutOfBrokersError`: no broker answered within the dial timeout
  * `DeliveryError`: messages were handed over, but not acknowledged in time
  * `PoolExhaustedError`: every pooled producer is in use
  * `ClosedClientError`: a client was used after `close()`, a bug in the caller
"""

from __future__ import annotations

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
    """The client has been closed (sarama's `ErrClosedClient`)."""
