"""The brokers: `python -m tidemark.targets.brokers`.

Runs librdkafka's mock cluster in this process, or Apache Kafka in processes of its own
(`--kind kafka`), until SIGTERM or SIGINT. Either way its descriptors and memory are not the
target's. When all brokers answer it says so in one line of JSON on stdout:
`{"bootstrap": ["127.0.0.1:41231", "127.0.0.1:38113"], "pid": 4711}`; with `--tls` also
`"kafka_config"`, the file that clients need.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

from tidemark.record.process import raise_descriptor_limit
from tidemark.targets.brokers.control import take_commands
from tidemark.targets.brokers.kafka_cluster import KafkaCluster
from tidemark.targets.brokers.mock_cluster import MockCluster
from tidemark.targets.command_line import (
    OneLineParser,
    add_parent_options,
    announce,
    bind_to_parent,
    fail,
    key_and_value,
    port,
    positive,
    topic_name,
)
from tidemark.targets.config import DEFAULT_TOPIC
from tidemark.targets.errors import TargetError

_PROGRAM = "python -m tidemark.targets.brokers"
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_CHECK_INTERVAL_S = 0.5


def main(arguments: list[str] | None = None, program: str = _PROGRAM) -> int:
    """Run the brokers until a signal ends them.

    Args:
        arguments: The command line; None for this process's own.
        program: What the command is called in help and errors.

    Returns:
        The exit code.
    """
    options = build_parser(program).parse_args(arguments)
    bind_to_parent(options)
    run = _run_kafka if options.kind == "kafka" else _run_mock
    try:
        raise_descriptor_limit()
        return run(options)
    except TargetError as error:
        fail(program, error)


def _run_mock(options: argparse.Namespace) -> int:
    for name in ("replication", "tls", "broker_option"):
        if getattr(options, name):
            raise TargetError(f"--{name.replace('_', '-')} needs --kind kafka")
    # Before librdkafka's threads start, so that the signals wait for this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    cluster = MockCluster(options.brokers, options.port or None)
    for topic in options.topic or [DEFAULT_TOPIC]:
        cluster.create_topic(topic, options.partitions)
    announce(bootstrap=cluster.bootstrap, pid=os.getpid())
    if options.control:
        take_commands(cluster, options.brokers)
    signal.sigwait(_ENDING_SIGNALS)
    return 0


def _run_kafka(options: argparse.Namespace) -> NoReturn:
    replication = options.replication or 1
    if replication > options.brokers:
        raise TargetError(
            f"{replication} replicas need as many brokers, and there are {options.brokers}: "
            "lower --replication or raise --brokers"
        )
    # Kafka takes its time to start, and must not be waited for by who no longer wants it.
    for number in _ENDING_SIGNALS:
        signal.signal(number, _leave)
    properties = {"num.partitions": str(options.partitions), **dict(options.broker_option)}
    cluster = KafkaCluster(
        options.brokers, options.port or None, tls=options.tls, properties=properties
    )
    try:
        for topic in options.topic or [DEFAULT_TOPIC]:
            cluster.create_topic(topic, options.partitions, replication)
        certificate = cluster.certificate
        extra = {} if certificate is None else {"kafka_config": str(certificate.client_config)}
        announce(bootstrap=cluster.bootstrap, pid=os.getpid(), **extra)
        if options.control:
            take_commands(cluster, options.brokers)
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


def build_parser(program: str = _PROGRAM) -> argparse.ArgumentParser:
    """The command line."""
    parser = OneLineParser(prog=program, description="Run Kafka brokers on loopback, for tests.")
    parser.add_argument(
        "--kind",
        choices=("mock", "kafka"),
        default="mock",
        help="librdkafka's mock cluster, in memory, or Apache Kafka, which needs Java (mock)",
    )
    parser.add_argument("--brokers", type=positive, default=2, metavar="N", help="how many (2)")
    parser.add_argument(
        "--port",
        type=port,
        default=0,
        help="the first broker's port, the others' follow; 0, the default: any free ones",
    )
    parser.add_argument(
        "--topic",
        action="append",
        type=topic_name,
        metavar="NAME",
        help=f"a topic to create, with leaders on all brokers; repeatable ({DEFAULT_TOPIC})",
    )
    parser.add_argument(
        "--partitions", type=positive, default=4, metavar="N", help="partitions per topic (4)"
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help='obey commands on stdin: {"do": "kill", "brokers": [1]}, restart, freeze, thaw',
    )
    _add_kafka_options(parser)
    add_parent_options(parser)
    return parser


def _add_kafka_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("with --kind kafka")
    group.add_argument(
        "--replication", type=positive, metavar="N", help="copies of each partition (1)"
    )
    group.add_argument(
        "--tls",
        action="store_true",
        help="clients connect with TLS; the ready line names the --kafka-config for them",
    )
    group.add_argument(
        "--broker-option",
        action="append",
        default=[],
        type=key_and_value,
        metavar="KEY=VALUE",
        help="a setting of every broker, as in server.properties; repeatable",
    )


if __name__ == "__main__":
    sys.exit(main())
