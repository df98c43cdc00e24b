"""What the brokers hold of a topic: offsets, and the messages between them."""

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import confluent_kafka

from tidemark.targets.config import KafkaConfig
from tidemark.targets.errors import OutOfBrokersError

_POLL_S = 1.0


class Watermarks(NamedTuple):
    """The offsets of one partition: the first that is kept, and the next to be written."""

    low: int
    high: int


def watermarks(config: KafkaConfig, timeout_s: float = 5.0) -> dict[int, Watermarks]:
    """The watermarks of each partition of the configured topic; none for a missing topic.

    Raises:
        OutOfBrokersError: Nobody answered in time.
    """
    consumer = _consumer(config)
    try:
        topic = consumer.list_topics(config.topic, timeout=timeout_s).topics[config.topic]
        if topic.error is not None:
            return {}
        found = {}
        for number in topic.partitions:
            partition = confluent_kafka.TopicPartition(config.topic, number)
            offsets = consumer.get_watermark_offsets(partition, timeout=timeout_s, cached=False)
            if offsets is None:
                raise OutOfBrokersError(
                    f"partition {number} of {config.topic!r} did not tell its offsets "
                    f"within {timeout_s:g} s"
                )
            found[number] = Watermarks(*offsets)
    except confluent_kafka.KafkaException as error:
        raise OutOfBrokersError(
            f"the offsets of {config.topic!r} cannot be read at {config.bootstrap}: "
            f"{error.args[0].str()}; check that the brokers are up"
        ) from error
    finally:
        consumer.close()
    return found


def read_back(
    config: KafkaConfig, since: Mapping[int, int], until: Mapping[int, int], timeout_s: float
) -> Iterator[bytes]:
    """Yield every message of the configured topic between two sets of offsets.

    Args:
        config: Where to read, and which topic.
        since: First offset of each partition.
        until: The offset of each partition to stop before.
        timeout_s: Longest wait without any progress.

    Raises:
        OutOfBrokersError: Nothing came for `timeout_s` seconds, or a partition cannot be read.
    """
    wanted = {number: high for number, high in until.items() if high > since.get(number, 0)}
    consumer = _consumer(config)
    try:
        starts = ((config.topic, number, since.get(number, 0)) for number in wanted)
        consumer.assign([confluent_kafka.TopicPartition(*start) for start in starts])
        yield from _messages(consumer, wanted, timeout_s)
    finally:
        consumer.close()


def _messages(
    consumer: confluent_kafka.Consumer, wanted: dict[int, int], timeout_s: float
) -> Iterator[bytes]:
    deadline = time.monotonic() + timeout_s
    while wanted:
        message = consumer.poll(_POLL_S)
        if message is None:
            if time.monotonic() > deadline:
                raise OutOfBrokersError(
                    f"reading back stood still for {timeout_s:g} s with "
                    f"{len(wanted)} partitions to go"
                )
            continue
        number, offset, error = message.partition(), message.offset(), message.error()
        if error is not None and error.code() != confluent_kafka.KafkaError._PARTITION_EOF:
            raise OutOfBrokersError(f"partition {number} cannot be read: {error.str()}")
        if number is None or offset is None or number not in wanted:
            continue
        deadline = time.monotonic() + timeout_s
        if error is None and offset < wanted[number]:
            yield message.value() or b""
        if offset >= wanted[number] - 1:
            del wanted[number]


def _consumer(config: KafkaConfig) -> confluent_kafka.Consumer:
    of_producers = ("linger.", "sticky.", "message.timeout", "request.timeout")
    properties = config.librdkafka() | {
        "group.id": "tidemark-ledger",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "log_level": 0,
    }
    return confluent_kafka.Consumer(
        {key: value for key, value in properties.items() if not key.startswith(of_producers)}
    )
