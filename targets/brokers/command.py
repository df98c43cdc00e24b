"""The brokers: `python -m tidemark.targets.brokers`.

Runs librdkafka's mock cluster in this process, or Apache Kafka in processes of its own
(`--kind kafka`), until SIGTERM or SIGINT. Either way its descriptors and memory are not the
target's. When all brokers answer it says so in one line of JSON on stdout:
`{"bootstrap": ["127.0.0.1:41231", "127.0.0.1:38113"], "pid": 4711}`; with `--tls` also
`"kafka_config"`, the file that clients need.
"""

import os
import signal
import sys
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any, NoReturn

from tidemark.record.command_line import announce
from tidemark.record.options import Option, choice, flag, integer, pairs, several, topic
from tidemark.record.process import raise_descriptor_limit
from tidemark.targets.brokers.control import take_commands
from tidemark.targets.brokers.kafka_cluster import KafkaCluster
from tidemark.targets.brokers.mock_cluster import MockCluster
from tidemark.targets.config import DEFAULT_TOPIC
from tidemark.targets.errors import TargetError

KINDS = ("mock", "kafka")
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_CHECK_INTERVAL_S = 0.5


def _topics(value: Any) -> tuple[str, ...]:
    names = tuple(map(topic, several(value)))
    if not all(names):
        raise ValueError("must not be empty")
    return names


OPTIONS: tuple[Option, ...] = (
    Option(
        "kind",
        choice(*KINDS),
        "mock",
        "mock: librdkafka's mock cluster, in memory; kafka: Apache Kafka, which needs Java",
        "KIND",
        choices=KINDS,
    ),
    Option("brokers", integer(1), 2, "how many"),
    Option(
        "port",
        integer(0, 65535),
        0,
        "the first broker's port, the others' follow; 0: any free ones",
        "PORT",
    ),
    Option(
        "topic",
        _topics,
        (DEFAULT_TOPIC,),
        "a topic to create, with leaders on all brokers; repeatable",
        "NAME",
        is_repeatable=True,
    ),
    Option("partitions", integer(1), 4, "partitions of each topic"),
    Option(
        "control",
        flag,
        False,
        'obey commands on stdin: {"do": "kill", "brokers": [1]}, restart, freeze, thaw',
        is_flag=True,
    ),
    Option("replication", integer(1), 1, "with --kind kafka: copies of each partition"),
    Option(
        "tls",
        flag,
        False,
        "with --kind kafka: clients connect with TLS; the ready line names the --kafka-config "
        "for them",
        is_flag=True,
    ),
    Option(
        "broker_option",
        pairs,
        (),
        "with --kind kafka: a setting of every broker, as in server.properties; repeatable",
        "KEY=VALUE",
        is_repeatable=True,
    ),
)
"""What the brokers can be told."""

_OF_KAFKA_ALONE = ("replication", "tls", "broker_option")


def run_brokers(values: Mapping[str, Any]) -> int:
    """Run the brokers that the values of `OPTIONS` describe; returns the exit code.

    Raises:
        TargetError: They cannot be started, or one of them has ended.
    """
    raise_descriptor_limit()
    return _run_kafka(values) if values["kind"] == "kafka" else _run_mock(values)


def _run_mock(values: Mapping[str, Any]) -> int:
    for option in OPTIONS:
        if option.name in _OF_KAFKA_ALONE and values[option.name] != option.default:
            raise TargetError(f"{option.flag} needs --kind kafka")
    # Before librdkafka's threads start, so that the signals wait for this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    cluster = MockCluster(values["brokers"], values["port"] or None)
    for name in values["topic"]:
        cluster.create_topic(name, values["partitions"])
    announce(bootstrap=cluster.bootstrap, pid=os.getpid())
    if values["control"]:
        take_commands(cluster, values["brokers"])
    signal.sigwait(_ENDING_SIGNALS)
    return 0


def _run_kafka(values: Mapping[str, Any]) -> NoReturn:
    replication, count = values["replication"], values["brokers"]
    if replication > count:
        raise TargetError(
            f"{replication} replicas need as many brokers, and there are {count}: "
            "lower --replication or raise --brokers"
        )
    # Kafka takes its time to start, and must not be waited for by who no longer wants it.
    for number in _ENDING_SIGNALS:
        signal.signal(number, _leave)
    properties = {"num.partitions": str(values["partitions"])}
    for key, _, value in (text.partition("=") for text in values["broker_option"]):
        properties[key.strip()] = value.strip()
    cluster = KafkaCluster(count, values["port"] or None, tls=values["tls"], properties=properties)
    try:
        for name in values["topic"]:
            cluster.create_topic(name, values["partitions"], replication)
        certificate = cluster.certificate
        extra = {} if certificate is None else {"kafka_config": str(certificate.client_config)}
        announce(bootstrap=cluster.bootstrap, pid=os.getpid(), **extra)
        if values["control"]:
            take_commands(cluster, count)
        while True:
            cluster.check()
            time.sleep(_CHECK_INTERVAL_S)
    finally:
        cluster.close()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """End in order, once: a second signal must not interrupt that."""
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)
