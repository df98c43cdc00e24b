"""The embedded broker: `python -m targets.broker`.

Runs librdkafka's mock cluster until SIGTERM or SIGINT, in a process of its own, so that
its descriptors and memory are not the target's. When it is ready it says so in one line
of JSON on stdout: `{"bootstrap": ["127.0.0.1:41231", "127.0.0.1:38113"], "pid": 4711}`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from targets.command_line import (
    OneLineParser,
    add_parent_options,
    announce,
    bind_to_parent,
    fail,
    port,
    positive,
    topic_name,
)
from targets.config import DEFAULT_TOPIC
from targets.errors import TargetError
from targets.mock_cluster import MockCluster
from targets.system import raise_descriptor_limit

_PROGRAM = "python -m targets.broker"
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
    # Before librdkafka's threads start, so that the signals wait for this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    try:
        raise_descriptor_limit()
        cluster = MockCluster(options.brokers, options.port or None)
        for topic in options.topic or [DEFAULT_TOPIC]:
            cluster.create_topic(topic, options.partitions)
    except TargetError as error:
        fail(program, error)
    announce(bootstrap=cluster.bootstrap, pid=os.getpid())
    signal.sigwait(_ENDING_SIGNALS)
    return 0


def build_parser(program: str = _PROGRAM) -> argparse.ArgumentParser:
    """The command line."""
    parser = OneLineParser(
        prog=program, description="Run Kafka brokers on loopback, in memory, for tests."
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
    add_parent_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
