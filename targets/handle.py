"""librdkafka's handle, with its errors turned into this room's."""

from __future__ import annotations

from collections.abc import Callable

import confluent_kafka

from tidemark.targets.client_options import is_secret
from tidemark.targets.config import KafkaConfig
from tidemark.targets.errors import ClientError, DeliveryError

DeliveryCallback = Callable[[confluent_kafka.KafkaError | None, confluent_kafka.Message], None]
"""What librdkafka calls with a message's fate: an error or None, and the message."""


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
        raise ClientError(f"librdkafka could not start: {reason}") from None


def queue_message(
    handle: confluent_kafka.Producer, topic: str, message: bytes, reports: DeliveryCallback
) -> None:
    """Queue one message to a random partition; `reports` is called when its fate is known.

    Raises:
        DeliveryError: The queue is full, or librdkafka refuses the message.
    """
    try:
        handle.produce(topic, message, on_delivery=reports)
    except BufferError as error:
        raise DeliveryError(f"a message was not sent: {error}") from error
    except confluent_kafka.KafkaException as error:
        raise DeliveryError(f"a message was not sent: {error.args[0].str()}") from error
