"""The story's fix: a client per request, closed as well."""

from collections.abc import Sequence
from contextlib import ExitStack

from tidemark.targets.client import Client, Producer
from tidemark.targets.strategies.base import Strategy


class PerRequestClosed(Strategy):
    """Makes a client and a producer from it for each request; closes both.

    Nothing is left behind, but every request still pays for new connections and threads.
    `ExitStack` stands for Go's `defer`: the last one deferred is the first one to run.
    """

    name = "per-request-closed"

    def ingest(self, messages: Sequence[bytes]) -> int:
        """Write the messages, and close the client."""
        with ExitStack() as deferred:
            client = Client(self.settings.kafka)
            deferred.callback(client.close)
            producer = Producer.from_client(client)
            deferred.callback(producer.close)
            for message in messages:
                producer.send(message)
        return len(messages)
