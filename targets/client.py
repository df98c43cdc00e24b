"""The story's client library in Python: `sarama.NewClient` and its producers.

The pieces and their names are those of sarama, the Go library of the story; underneath is
librdkafka, one handle (`confluent_kafka.Producer`) per client. A handle is destroyed, and
its descriptors, connections and threads go back, as soon as nothing refers to it any more.

What a client needs is not obvious from the outside, and that is the story:

* A `Client` starts a background thread that refreshes the metadata. The thread refers to
  the client, and so keeps it alive until somebody calls `Client.close()`.
* `Producer.from_client(client)` borrows the client. Closing the producer does *not* close
  it, because a client passed in by the caller stays the caller's to close.

So a client that is made, handed to a producer and forgotten stays for ever:

    client = Client(config)
    producer = Producer.from_client(client)
    producer.close()  # and the client is still there

while `Producer(config)` owns the client that it makes, and closes it.
"""

import logging
import threading
from typing import Self

import confluent_kafka

from tidemark.record.process import name_current_thread
from tidemark.targets.config import KafkaConfig
from tidemark.targets.errors import ClientError, ClosedClientError, OutOfBrokersError, TargetError
from tidemark.targets.handle import DeliveryReports, start_handle

METADATA_REFRESH_S = 600.0
"""How often a client refreshes its metadata: every 10 minutes, sarama's default."""

METADATA_THREAD_NAME = "kafka-metadata"
"""What the kernel calls a client's updater thread."""

_PURGE_TIMEOUT_S = 1.0
_log = logging.getLogger(__name__)


class Client:
    """A connection to a Kafka cluster, to be shared by producers (`sarama.NewClient`).

    It must be closed by whoever made it: its updater thread keeps it alive otherwise.

    Args:
        config: Where to, and how long to wait.

    Raises:
        OutOfBrokersError: No broker answered within the dial timeout. Nothing is left behind.
        ClientError: librdkafka or the updater could not start. Nothing is left behind either.
    """

    def __init__(self, config: KafkaConfig) -> None:
        self.config = config
        self._handle: confluent_kafka.Producer | None = start_handle(config)
        self._closing = threading.Event()
        try:
            self.refresh_metadata()
            self._updater = threading.Thread(
                target=self._background_metadata_updater, name=METADATA_THREAD_NAME, daemon=True
            )
            self._start_updater()
        except TargetError:
            self._handle = None
            raise

    @property
    def handle(self) -> confluent_kafka.Producer:
        """The librdkafka handle.

        Raises:
            ClosedClientError: The client has been closed.
        """
        if self._handle is None:
            raise ClosedClientError("the Kafka client was used after it had been closed")
        return self._handle

    def refresh_metadata(self) -> None:
        """Ask a broker for the cluster's brokers, topics and partition leaders.

        Raises:
            OutOfBrokersError: No broker answered within the dial timeout.
        """
        try:
            self.handle.list_topics(timeout=self.config.dial_timeout_s)
        except confluent_kafka.KafkaException as error:
            raise OutOfBrokersError(
                f"no broker of {self.config.bootstrap} answered within "
                f"{self.config.dial_timeout_s:g} s: {error.args[0].str()}"
            ) from error

    def close(self) -> None:
        """Stop the updater and let the handle go. Messages still queued are dropped."""
        if self._handle is None:
            return
        self._closing.set()
        self._updater.join()
        if len(self._handle) > 0:
            self._handle.purge()
            self._handle.flush(_PURGE_TIMEOUT_S)  # serves their delivery reports
        self._handle = None

    def _start_updater(self) -> None:
        try:
            self._updater.start()
        except RuntimeError as error:  # the limit of threads or memory has been reached
            raise ClientError(f"no thread for the metadata updater: {error}") from error

    def _background_metadata_updater(self) -> None:
        name_current_thread(METADATA_THREAD_NAME)
        while not self._closing.wait(METADATA_REFRESH_S):
            try:
                self.refresh_metadata()
            except OutOfBrokersError as error:
                _log.warning("metadata not refreshed: %s", error)


class Producer:
    """Writes messages to Kafka (`sarama.NewAsyncProducer`).

    Made like this it owns its client, and closes it; see also `from_client`.

    Args:
        config: Where to, and how long to wait.

    Raises:
        OutOfBrokersError: No broker answered within the dial timeout.
    """

    def __init__(self, config: KafkaConfig, *, _borrowed: Client | None = None) -> None:
        self._client = _borrowed or Client(config)
        self._is_borrowed = _borrowed is not None
        self._reports = DeliveryReports()

    @classmethod
    def from_client(cls, client: Client) -> Self:
        """A producer on a client of the caller's (`sarama.NewAsyncProducerFromClient`).

        The client is borrowed: `close()` leaves it open, for the caller to close (as sarama's
        `nopCloserClient` does).
        """
        return cls(client.config, _borrowed=client)

    def send(self, message: bytes) -> None:
        """Queue one message for the configured topic, to a random partition.

        Raises:
            DeliveryError: The queue is full, or librdkafka refuses the message.
        """
        self._reports.send(self._client.handle, self._client.config.topic, message)

    def flush(self) -> None:
        """Wait until every message sent so far is acknowledged.

        Raises:
            DeliveryError: The brokers refused some, or the acknowledgement timeout passed.
        """
        timeout_s = self._client.config.ack_timeout_s
        self._client.handle.flush(timeout_s)
        reports, self._reports = self._reports, DeliveryReports()
        reports.check(timeout_s)

    def close(self) -> None:
        """Flush, then close the client unless it is borrowed.

        Raises:
            DeliveryError: As `flush`; the client is closed all the same.
        """
        try:
            self.flush()
        finally:
            if not self._is_borrowed:
                self._client.close()
