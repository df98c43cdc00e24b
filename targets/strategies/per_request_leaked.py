"""The story's bug: a client per request, of which only the producer is closed."""

from collections.abc import Sequence
from contextlib import ExitStack

from tidemark.targets.client import Client, Producer
from tidemark.targets.strategies.base import Strategy


class PerRequestLeaked(Strategy):
    """Makes a client and a producer from it for each request; closes the producer only.

    The producer has only borrowed the client, so nobody closes that: every request leaves
    its connections, descriptors and threads behind. `ExitStack` stands for Go's `defer`.
    """

    name = "per-request-leaked"

    def ingest(self, messages: Sequence[bytes]) -> int:
        """Write the messages, and leak the client."""
        with ExitStack() as deferred:
            client = Client(self.settings.kafka)
            producer = Producer.from_client(client)
            deferred.callback(producer.close)
            for message in messages:
                producer.send(message)
        return len(messages)
