"""Messages lost in silence: a bare producer per request, dropped without a flush."""

from collections.abc import Sequence

from tidemark.targets.handle import start_handle
from tidemark.targets.strategies.base import Strategy


class PerRequestUnflushed(Strategy):
    """Makes a librdkafka producer for each request and forgets it, queue and all.

    `produce()` only queues. The producer is destroyed when the request ends, before it
    has so much as found a broker, and its queue with it. The answer is a lie: it says how
    many messages were accepted, even if no broker is there at all.
    """

    name = "per-request-unflushed"

    def ingest(self, messages: Sequence[bytes]) -> int:
        """Queue the messages, and drop the queue."""
        kafka = self.settings.kafka
        producer = start_handle(kafka)
        for message in messages:
            producer.produce(kafka.topic, message)
        return len(messages)
