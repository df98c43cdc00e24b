"""librdkafka's handle and its delivery reports, with its errors turned into this room's."""

import threading

import confluent_kafka

from tidemark.targets.client_options import is_secret
from tidemark.targets.config import KafkaConfig
from tidemark.targets.errors import ClientError, DeliveryError


def start_handle(config: KafkaConfig) -> confluent_kafka.Producer:
    """Start librdkafka. It connects to nothing before it is asked to.

    Raises:
        ClientError: An option is wrong, or there is not enough memory or threads.
    """
    try:
        return confluent_kafka.Producer(config.librdkafka())
    except confluent_kafka.KafkaException as error:
        reason = error.args[0].str()
        # Its messages name properties; should one ever repeat a value, it stops here.
        for key, value in config.options.items():
            if is_secret(key) and value:
                reason = reason.replace(str(value), "(secret)")
        about = ["kafka_option"] if config.options else ()
        raise ClientError(f"librdkafka could not start: {reason}", about=about) from None


class DeliveryReports:
    """Sends some messages, and collects their delivery reports.

    An object of its own, because librdkafka refers to it until the last report is in: a
    method of a producer would make a circle through the handle and keep it from going.
    """

    def __init__(self) -> None:
        self._sent = self._reported = self._failed = 0
        self._last_error = "no answer"
        self._changed = threading.Condition()

    def send(self, handle: confluent_kafka.Producer, topic: str, message: bytes) -> None:
        """Queue one message to a random partition.

        Raises:
            DeliveryError: The queue is full, or librdkafka refuses the message.
        """
        try:
            handle.produce(topic, message, on_delivery=self)
        except BufferError as error:
            raise DeliveryError(f"a message was not sent: {error}") from error
        except confluent_kafka.KafkaException as error:
            raise DeliveryError(f"a message was not sent: {error.args[0].str()}") from error
        self._sent += 1

    def __call__(
        self, error: confluent_kafka.KafkaError | None, _message: confluent_kafka.Message
    ) -> None:
        """Called by librdkafka with a message's fate: an error or None, and the message."""
        with self._changed:
            self._reported += 1
            if error is not None:
                self._failed += 1
                self._last_error = error.str()
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Wait for all reports, which somebody else serves; raises as `check` does."""
        with self._changed:
            self._changed.wait_for(lambda: self._reported == self._sent, timeout=timeout_s)
        self.check(timeout_s)

    def check(self, waited_s: float) -> None:
        """See what has become of the messages, after so long.

        Raises:
            DeliveryError: Some have failed, or have no report yet.
        """
        missing = self._failed + self._sent - self._reported
        if missing:
            raise DeliveryError(
                f"{missing} of {self._sent} messages were not acknowledged "
                f"within {waited_s:g} s: {self._last_error}"
            )
