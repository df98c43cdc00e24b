"""The launcher of a target: `python -m tidemark.targets.serve STRATEGY --bootstrap HOST:PORT,...`.

Serves the app with one producer strategy under gunicorn, under a descriptor limit of its
own, on loopback unless told otherwise, until SIGTERM or SIGINT. When it answers it says so
in one line of JSON on stdout: `{"url": "http://127.0.0.1:41231", "pid": 4711}`; its log
goes to stderr. What keeps it from starting is one line on stderr, and exit code 2.
"""

from __future__ import annotations

import argparse
import logging
import socket

from tidemark.record.process import limit_descriptors
from tidemark.targets.client_options import add_client_options, read_client_options
from tidemark.targets.command_line import (
    OneLineParser,
    add_parent_options,
    bind_to_parent,
    fail,
    positive,
    topic_name,
)
from tidemark.targets.config import DEFAULT_TOPIC, IngestLimits, KafkaConfig, Settings
from tidemark.targets.errors import TargetError
from tidemark.targets.rehearsal import rehearse
from tidemark.targets.server import ServerOptions, TargetServer
from tidemark.targets.strategies import STRATEGIES, resolve

_PROGRAM = "python -m tidemark.targets.serve"
_BACKLOG = 2048


def main(arguments: list[str] | None = None, program: str = _PROGRAM) -> None:
    """Serve until a signal ends it. Leaves with `SystemExit`, as gunicorn does.

    Args:
        arguments: The command line; None for this process's own.
        program: What the command is called in help and errors.
    """
    options = build_parser(program).parse_args(arguments)
    bind_to_parent(options)
    logging.basicConfig(format="[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s")
    try:
        server = _prepare(options)
    except TargetError as error:
        fail(program, error)
    server.run()


def build_parser(program: str = _PROGRAM) -> argparse.ArgumentParser:
    """The command line."""
    parser = OneLineParser(prog=program, description="Serve one target in the foreground.")
    parser.add_argument("strategy", metavar="STRATEGY", help=", ".join(STRATEGIES))
    parser.add_argument(
        "--bootstrap", required=True, metavar="HOST:PORT,...", help="Kafka brokers to start from"
    )
    parser.add_argument(
        "--topic",
        type=topic_name,
        default=DEFAULT_TOPIC,
        help=f"the topic to write to ({DEFAULT_TOPIC})",
    )
    parser.add_argument(
        "--bind",
        default="127.0.0.1:0",
        metavar="HOST:PORT",
        help="where to listen; port 0 is any free one (127.0.0.1:0)",
    )
    parser.add_argument("--workers", type=positive, default=1, help="worker processes (1)")
    parser.add_argument("--threads", type=positive, default=16, help="threads of each (16)")
    parser.add_argument(
        "--fds-limit",
        type=positive,
        default=1024,
        metavar="N",
        help="file descriptors that each of its processes may have open (1024)",
    )
    parser.add_argument(
        "--pool-size", type=positive, default=10, metavar="N", help="producers in the pool (10)"
    )
    add_client_options(parser)
    _add_ingest_limits(parser)
    add_parent_options(parser)
    return parser


def _add_ingest_limits(parser: argparse.ArgumentParser) -> None:
    default = IngestLimits()
    parser.add_argument(
        "--max-body-bytes",
        type=positive,
        default=default.max_body_bytes,
        metavar="BYTES",
        help=f"longest request body ({default.max_body_bytes})",
    )
    parser.add_argument(
        "--max-messages",
        type=positive,
        default=default.max_messages,
        metavar="N",
        help=f"most messages in one request ({default.max_messages})",
    )


def _prepare(options: argparse.Namespace) -> TargetServer:
    """Everything that can go wrong before gunicorn starts.

    Raises:
        TargetError: What did go wrong.
    """
    strategy = resolve(options.strategy)
    kafka = KafkaConfig(
        options.bootstrap,
        options.topic,
        options=read_client_options(options.kafka_config, options.kafka_option),
    )
    limits = IngestLimits(options.max_body_bytes, options.max_messages)
    settings = Settings(kafka, limits, options.pool_size)
    server_options = ServerOptions(strategy, settings, options.workers, options.threads)
    server = TargetServer(server_options, _listen(options.bind))
    needs = rehearse(server, kafka)
    if options.fds_limit < needs.descriptors:
        raise TargetError(
            f"a limit of {options.fds_limit} descriptors is too low: the target needs "
            f"{needs.descriptors} to start and answer one request; raise --fds-limit"
        )
    limit_descriptors(options.fds_limit)
    return server


def _listen(bind: str) -> socket.socket:
    """Listen before gunicorn does, so that a port chosen by the kernel is known at once."""
    host, _, port = bind.rpartition(":")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]") or "127.0.0.1", int(port)))
        listener.listen(_BACKLOG)
    except (OSError, ValueError, OverflowError) as error:
        raise TargetError(
            f"cannot listen on {bind!r} ({error}): choose another port, or port 0 for any free one"
        ) from error
    return listener


if __name__ == "__main__":
    main()
