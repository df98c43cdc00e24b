"""The settings of a target: where it writes to, how long it waits, what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

DEFAULT_TOPIC = "tidemark"

ClientOptions = Mapping[str, str | int | float | bool]
"""librdkafka properties by their own names."""

NO_OPTIONS: ClientOptions = MappingProxyType({})


@dataclass(frozen=True)
class KafkaConfig:
    """What a Kafka client needs to know. The timeouts are the story's.

    Attributes:
        bootstrap: Comma-separated `host:port` of the brokers to start from.
        topic: The topic that every message goes to.
        dial_timeout_s: Longest wait for a first broker, and for a connection to be set up.
        read_write_timeout_s: Longest wait for one request on an open connection.
        ack_timeout_s: Longest wait for the acknowledgement of a message.
        options: Further librdkafka properties, by their own names; they win over the above.
            Some may be secrets, so that none is ever shown.
    """

    bootstrap: str
    topic: str = DEFAULT_TOPIC
    dial_timeout_s: float = 3.0
    read_write_timeout_s: float = 5.0
    ack_timeout_s: float = 3.0
    options: ClientOptions = field(default_factory=lambda: NO_OPTIONS, repr=False)

    def librdkafka(self) -> dict[str, str | int | float | bool]:
        """The same as librdkafka's configuration properties.

        Three of them make librdkafka behave as sarama does out of the box: nothing lingers
        in the producer, and messages without a key go to a random partition each, so that
        a batch reaches every broker that leads one. Lost connections are tried again after
        sarama's 250 ms.
        """
        return {
            "bootstrap.servers": self.bootstrap,
            "socket.connection.setup.timeout.ms": _milliseconds(self.dial_timeout_s),
            "socket.timeout.ms": _milliseconds(self.read_write_timeout_s),
            "request.timeout.ms": _milliseconds(self.ack_timeout_s),
            "message.timeout.ms": _milliseconds(self.ack_timeout_s),
            "reconnect.backoff.ms": 250,
            "linger.ms": 0,
            "sticky.partitioning.linger.ms": 0,
            **self.options,
        }


@dataclass(frozen=True)
class IngestLimits:
    """What `POST /ingest` refuses as too much.

    Attributes:
        max_body_bytes: Longest request body.
        max_messages: Most elements in one array.
        max_message_bytes: Longest single message; below librdkafka's `message.max.bytes`
            (1,000,000), so that no batch is refused after half of it has been produced.
    """

    max_body_bytes: int = 1_048_576
    max_messages: int = 10_000
    max_message_bytes: int = 900_000


@dataclass(frozen=True)
class Settings:
    """Everything that `targets.app.create_app` needs beside the name of the strategy."""

    kafka: KafkaConfig
    limits: IngestLimits = IngestLimits()
    pool_size: int = 10


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
