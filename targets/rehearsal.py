"""A dress rehearsal of the worker, before gunicorn starts.

What keeps a target from starting (no broker, a descriptor limit that is too low) would
otherwise show as a worker that dies, or as one that never answers. So a child process
boots the real worker class with the real app, opens one Kafka client, and counts its
descriptors instead of serving. The master stays free of librdkafka and its threads, as it
must before a fork.
"""

import json
import os
import time
import traceback
from typing import Any, NoReturn

from tidemark.record.process import count_open_descriptors, die_with_parent
from tidemark.targets.client import Client
from tidemark.targets.config import KafkaConfig
from tidemark.targets.errors import TargetError
from tidemark.targets.metadata import cluster_brokers, ensure_topic
from tidemark.targets.server import TargetServer
from tidemark.targets.worker import TargetWorker

_DESCRIPTORS_PER_BROKER_CONNECT = 2
"""The connection, and for a moment what resolving the broker's address takes."""

_LOOK_INTERVAL_S = 0.01
_SETTLED_AFTER_LOOKS = 20
_SETTLED_AT_LATEST_S = 2.0


def rehearse(server: TargetServer, kafka: KafkaConfig) -> int:
    """Boot a worker in a child process, connect it to Kafka once, and measure it.

    Args:
        server: The target that is about to be run.
        kafka: The cluster that it will write to. Its topic is made sure of.

    Returns:
        The descriptors that it needs: those open with one client there, and what it still
        takes to write one request to every broker.

    Raises:
        TargetError: The worker could not boot, or could not reach the cluster.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _perform(server, kafka, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        report = answer.read()
    _, status = os.waitpid(child, 0)
    if not report:
        code = os.waitstatus_to_exitcode(status)
        raise TargetError(f"the worker ended with code {code} while it was tried out")
    outcome = json.loads(report)
    if "error" in outcome:
        raise TargetError(outcome["error"], about=outcome["about"])
    return int(outcome["descriptors"])


def _perform(server: TargetServer, kafka: KafkaConfig, writer: int) -> NoReturn:
    """The child's whole life: report to `writer`, and end without any of the parent's exits."""
    outcome: dict[str, Any] = {}
    try:
        parent = os.getppid()
        die_with_parent(parent)
        ensure_topic(kafka)
        logger = server.cfg.logger_class(server.cfg)
        worker = _RehearsedWorker(0, parent, [], server, 0, server.cfg, logger)
        worker.kafka = kafka
        worker.init_process()
        # The pipe to the parent is this child's alone.
        outcome = {"descriptors": worker.descriptors - 1}
    except (TargetError, OSError) as error:
        about = error.about if isinstance(error, TargetError) else ()
        outcome = {"error": str(error), "about": about}
    finally:
        if outcome:
            os.write(writer, json.dumps(outcome).encode())
        else:
            traceback.print_exc()  # a bug; nobody further up would ever see it
        os._exit(0 if outcome else 1)


class _RehearsedWorker(TargetWorker):
    """A worker that, once booted, measures itself instead of serving."""

    kafka: KafkaConfig
    descriptors: int

    def run(self) -> None:
        """Count the descriptors while a client is there."""
        kafka = self.kafka
        brokers = cluster_brokers(kafka.bootstrap, kafka.dial_timeout_s, kafka.options)
        client = Client(kafka)
        connecting = len(brokers) * _DESCRIPTORS_PER_BROKER_CONNECT
        self.descriptors = _settled_descriptors() + connecting + 1  # the accepted request
        client.close()


def _settled_descriptors() -> int:
    """The number of open descriptors, once librdkafka's threads have set themselves up.

    They never settle while it tries to connect to a broker that is down; then the last
    count has to do.
    """
    count, unchanged = count_open_descriptors(), 0
    deadline = time.monotonic() + _SETTLED_AT_LATEST_S
    while unchanged < _SETTLED_AFTER_LOOKS and time.monotonic() < deadline:
        time.sleep(_LOOK_INTERVAL_S)
        now = count_open_descriptors()
        unchanged = unchanged + 1 if now == count else 0
        count = now
    return count
