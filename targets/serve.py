"""The launcher of a target: `python -m tidemark.targets.serve STRATEGY --bootstrap HOST:PORT,...`.

Serves the app with one producer strategy under gunicorn, under a descriptor limit of its
own, on loopback unless told otherwise, until SIGTERM or SIGINT. When it answers it says so
in one line of JSON on stdout: `{"url": "http://127.0.0.1:41231", "pid": 4711}`; its log
goes to stderr. What keeps it from starting is one line on stderr, and exit code 2.
"""

import logging
import socket
from collections.abc import Mapping
from typing import Any

from tidemark.record.command_line import run_command
from tidemark.record.options import REQUIRED, Option, integer, some_endpoints, topic
from tidemark.record.process import limit_descriptors
from tidemark.targets.client_options import CLIENT_OPTIONS, client_options
from tidemark.targets.config import DEFAULT_TOPIC, IngestLimits, KafkaConfig, Settings
from tidemark.targets.errors import TargetError
from tidemark.targets.rehearsal import rehearse
from tidemark.targets.server import TargetServer
from tidemark.targets.strategies import STRATEGIES, resolve

_PROGRAM = "python -m tidemark.targets.serve"
_BACKLOG = 2048
_LIMITS = IngestLimits()

OPTIONS: tuple[Option, ...] = (
    Option(
        "strategy",
        resolve,
        REQUIRED,
        f"how it makes its Kafka producer: {', '.join(STRATEGIES)}",
        "STRATEGY",
        is_positional=True,
    ),
    Option("bootstrap", some_endpoints, REQUIRED, "Kafka brokers to start from", "HOST:PORT,..."),
    Option("topic", topic, DEFAULT_TOPIC, "topic to write to", "NAME"),
    Option("bind", str, "127.0.0.1:0", "where to listen; port 0 is any free one", "HOST:PORT"),
    Option("workers", integer(1), 1, "worker processes"),
    Option("threads", integer(1), 16, "request threads of each worker"),
    Option(
        "fds_limit", integer(1), 1024, "file descriptors that each of its processes may have open"
    ),
    Option("pool_size", integer(1), 10, "producers in the pool"),
    *CLIENT_OPTIONS,
    Option("max_body_bytes", integer(1), _LIMITS.max_body_bytes, "longest request body", "BYTES"),
    Option("max_messages", integer(1), _LIMITS.max_messages, "most messages in one request"),
)
"""What a target can be told."""


def serve(values: Mapping[str, Any]) -> None:
    """Serve what the values of `OPTIONS` describe. Leaves with `SystemExit`, as gunicorn does.

    Raises:
        TargetError: It cannot be started; the message says why.
        ResourceLimitError: The descriptor limit may not be set.
    """
    logging.basicConfig(format="[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s")
    kafka = KafkaConfig(
        ",".join(values["bootstrap"]),
        values["topic"] or DEFAULT_TOPIC,
        options=client_options(values),
    )
    limits = IngestLimits(values["max_body_bytes"], values["max_messages"])
    settings = Settings(kafka, limits, values["pool_size"])
    workers, threads = values["workers"], values["threads"]
    listener = _listen(values["bind"])
    server = TargetServer(values["strategy"], settings, workers, threads, listener)
    needed = rehearse(server, kafka)
    if values["fds_limit"] < needed:
        raise TargetError(
            f"a limit of {values['fds_limit']} descriptors is too low: the target needs "
            f"{needed} to start and answer one request; raise --fds-limit",
            about=["fds_limit"],
        )
    limit_descriptors(values["fds_limit"])
    server.run()


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
            f"cannot listen on {bind!r} ({error}): choose another port, or port 0 for any free one",
            about=["bind"],
        ) from error
    return listener


if __name__ == "__main__":
    run_command(serve, OPTIONS, _PROGRAM, "Serve one target in the foreground.")
