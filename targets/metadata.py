"""What a cluster says about itself: its brokers, its topics."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import confluent_kafka

if TYPE_CHECKING:
    from confluent_kafka.admin._metadata import ClusterMetadata

from tidemark.targets.config import NO_OPTIONS, ClientOptions, KafkaConfig
from tidemark.targets.errors import OutOfBrokersError
from tidemark.targets.handle import start_handle

_LOOK_INTERVAL_S = 0.1

# What a broker says of a topic that it has only just begun to create.
_IN_THE_MAKING = (
    confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART,
    confluent_kafka.KafkaError.LEADER_NOT_AVAILABLE,
)


def cluster_brokers(
    bootstrap: str, timeout_s: float = 3.0, options: ClientOptions = NO_OPTIONS
) -> list[str]:
    """Every listener in the cluster's metadata, as `host:port`, in the order of broker ids.

    Args:
        bootstrap: Comma-separated `host:port` of the brokers to ask.
        timeout_s: Longest wait for an answer.
        options: Further librdkafka properties, as in `KafkaConfig`.

    Raises:
        OutOfBrokersError: Nobody answered in time.
        ClientError: librdkafka could not start.
    """
    metadata = _list_topics(KafkaConfig(bootstrap, options=options), timeout_s, None)
    return [f"{broker.host}:{broker.port}" for _, broker in sorted(metadata.brokers.items())]


def ensure_topic(config: KafkaConfig) -> None:
    """Make sure that the topic is there, on a cluster that makes topics when asked for them.

    Raises:
        OutOfBrokersError: Nobody answered in time, or the topic is not there.
        ClientError: librdkafka could not start.
    """
    deadline = time.monotonic() + config.dial_timeout_s
    while True:
        topic = _list_topics(config, config.dial_timeout_s, config.topic).topics[config.topic]
        if topic.error is None:
            return
        if topic.error.code() not in _IN_THE_MAKING or time.monotonic() > deadline:
            raise OutOfBrokersError(
                f"topic {config.topic!r} cannot be written to at {config.bootstrap}: "
                f"{topic.error.str()}; create it first",
                about=["topic", "bootstrap"],
            )
        time.sleep(_LOOK_INTERVAL_S)


def _list_topics(config: KafkaConfig, timeout_s: float, topic: str | None) -> ClusterMetadata:
    quiet = replace(config, options={**config.options, "log_level": 0})  # the error says it
    producer = start_handle(quiet)
    arguments = {} if topic is None else {"topic": topic}
    try:
        metadata: ClusterMetadata = producer.list_topics(**arguments, timeout=timeout_s)
    except confluent_kafka.KafkaException as error:
        raise OutOfBrokersError(
            f"no Kafka broker answers at {config.bootstrap} within {timeout_s:g} s "
            f"({error.args[0].str()}): start one (tidemark broker) or name another",
            about=["bootstrap"],
        ) from error
    return metadata
