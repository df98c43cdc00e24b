"""The recommended way: one producer for the life of the process."""

import logging
import threading
from collections.abc import Sequence

import confluent_kafka

from tidemark.record.process import name_current_thread
from tidemark.targets.config import Settings
from tidemark.targets.handle import DeliveryReports, start_handle
from tidemark.targets.strategies.base import Strategy

_POLL_S = 0.1
_POLL_THREAD_NAME = "kafka-poll"
_log = logging.getLogger(__name__)


class Shared(Strategy):
    """All requests of a worker process write with one producer.

    * It is made after the fork, by the first request: librdkafka's threads and connections
      do not survive a fork, so a producer made in the master is dead in every worker.
    * A background thread polls it, so that delivery reports are served whether or not
      requests come in.
    * A request answers when its own messages are acknowledged. That costs a round trip,
      not throughput: requests that wait at the same time share connections and batches.
      A service that answers as soon as the messages are queued is faster by that round
      trip, and says "accepted" of messages that it loses when it dies or when the brokers
      stay away. It also keeps the comparison fair, for the others all flush.
    * It is flushed when the worker exits.
    """

    name = "shared"
    is_reference = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._making = threading.Lock()
        self._producer: confluent_kafka.Producer | None = None
        self._closing = threading.Event()

    def ingest(self, messages: Sequence[bytes]) -> int:
        """Write the messages with the process's producer, and wait for their reports."""
        producer = self._shared_producer()
        reports = DeliveryReports()
        for message in messages:
            reports.send(producer, self.settings.kafka.topic, message)
        reports.wait(self.settings.kafka.ack_timeout_s)
        return len(messages)

    def close(self) -> None:
        """Flush what is queued, within the acknowledgement timeout, and let the producer go."""
        with self._making:
            producer, self._producer = self._producer, None
        if producer is None:
            return
        unacknowledged = producer.flush(self.settings.kafka.ack_timeout_s)
        if unacknowledged:
            _log.error("%d messages were still unacknowledged at worker exit", unacknowledged)
        self._closing.set()
        self._poller.join()

    def _shared_producer(self) -> confluent_kafka.Producer:
        with self._making:
            if self._producer is None:
                self._producer = start_handle(self.settings.kafka)
                self._poller = threading.Thread(
                    target=self._poll, args=(self._producer,), name=_POLL_THREAD_NAME, daemon=True
                )
                self._poller.start()
            return self._producer

    def _poll(self, producer: confluent_kafka.Producer) -> None:
        name_current_thread(_POLL_THREAD_NAME)
        while not self._closing.is_set():
            producer.poll(_POLL_S)
