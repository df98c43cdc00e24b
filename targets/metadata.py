"""What a cluster says about itself: its brokers, its topics."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import confluent_kafka

if TYPE_CHECKING:
    from confluent_kafka.admin._metadata import ClusterMetadata

from targets.config import KafkaConfig
from targets.errors import OutOfBrokersError
from targets.handle import start_handle


def cluster_brokers(bootstrap: str, timeout_s: float = 3.0) -> list[str]:
    """Every listener in the cluster's metadata, as `host:port`, in the order of broker ids.

    Args:
        bootstrap: Comma-separated `host:port` of the brokers to ask.
        timeout_s: Longest wait for an answer.

    Raises:
        OutOfBrokersError: Nobody answered in time.
        ClientError: librdkafka could not start.
    """
    metadata = _list_topics(KafkaConfig(bootstrap), timeout_s, None)
    return [f"{broker.host}:{broker.port}" for _, broker in sorted(metadata.brokers.items())]


def ensure_topic(config: KafkaConfig) -> dict[int, int]:
    """Make sure that the topic is there, on a cluster that makes topics when asked for them.

    Args:
        config: Where to ask, and for which topic.

    Returns:
        The leader's broker id for each partition; -1 for a partition without one.

    Raises:
        OutOfBrokersError: Nobody answered in time, or the topic is not there.
        ClientError: librdkafka could not start.
    """
    topic = _list_topics(config, config.dial_timeout_s, config.topic).topics[config.topic]
    if topic.error is not None:
        raise OutOfBrokersError(
            f"topic {config.topic!r} cannot be written to at {config.bootstrap}: "
            f"{topic.error.str()}; create it first"
        )
    return {number: partition.leader for number, partition in topic.partitions.items()}


def _list_topics(config: KafkaConfig, timeout_s: float, topic: str | None) -> ClusterMetadata:
    quiet = replace(config, options={**config.options, "log_level": 0})  # the error says it
    producer = start_handle(quiet)
    arguments = {} if topic is None else {"topic": topic}
    try:
        metadata: ClusterMetadata = producer.list_topics(**arguments, timeout=timeout_s)
    except confluent_kafka.KafkaException as error:
        raise OutOfBrokersError(
            f"no Kafka broker answers at {config.bootstrap} within {timeout_s:g} s "
            f"({error.args[0].str()}): start one (python -m targets.broker) or name another"
        ) from error
    return metadata
