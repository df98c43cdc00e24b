"""The Kafka cluster that the target writes to, and what becomes of the messages there."""

from tidemark.record import options as value
from tidemark.record.options import Option

BROKER_KINDS = ("mock", "kafka")

BOOTSTRAP = Option(
    "bootstrap",
    value.endpoints,
    (),
    "write to this Kafka cluster instead of the embedded broker",
    "HOST:PORT,...",
)
BROKER = Option(
    "broker",
    value.choice(*BROKER_KINDS),
    "mock",
    "the embedded cluster: mock, in memory, or kafka, real brokers that need Java",
    "KIND",
    choices=BROKER_KINDS,
)
BROKER_OPTION = Option(
    "broker_option",
    value.pairs,
    (),
    "with --broker kafka: a setting of every broker, as in server.properties; repeatable",
    "KEY=VALUE",
    is_repeatable=True,
    in_form=False,
)
BROKERS = Option("brokers", value.integer(1, 16), 2, "brokers in the embedded cluster")
TOPIC = Option("topic", value.topic, "", "topic to write to; one of the run's own if none", "NAME")
VERIFY_MESSAGES = Option(
    "verify_messages",
    value.flag,
    False,
    "read the topic back at the end and check every message",
    is_flag=True,
)
