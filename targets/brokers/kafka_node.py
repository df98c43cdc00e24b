"""One node of a Kafka cluster: a JVM, its settings and its data."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tidemark.record.process import bound_to_this_process
from tidemark.targets.brokers.java import KafkaInstallation
from tidemark.targets.brokers.ports import ReservedPort
from tidemark.targets.errors import TargetError

_FORMAT_TIMEOUT_S = 60.0
_STDERR = 2

# Quick to start and small rather than fast: the first compiler only, one thread to collect
# garbage. No files outside the node's directory (UsePerfData), and a JVM that has run out
# of memory ends instead of lingering.
_JVM_OPTIONS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xshare:auto",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)
_BROKER_HEAP = ("-Xms64m", "-Xmx256m")
_TOOL_HEAP = ("-Xmx64m",)

# Warnings, and refusals of connections because there are too many (to the acceptor these are
# mere information). But not a new cluster's that it is new, nor one for every time that a
# broker does not reach another that is down.
_LOGGING = """
status = error
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = [%d{ISO8601_OFFSET_DATE_TIME_HHCMM}] [broker ${sys:node}] [%p] %c{1}: %m%n%throwable
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
logger.network.name = org.apache.kafka.clients.NetworkClient
logger.network.level = error
logger.controller.name = org.apache.kafka.controller.QuorumController
logger.controller.level = error
logger.acceptor.name = kafka.network.DataPlaneAcceptor
logger.acceptor.level = info
"""  # noqa: E501


class KafkaNode:
    """A broker, and with the first one the cluster's controller.

    Its port stays reserved while it is down, so that it can come back where it was. Must
    be started from a thread that lasts: the JVM ends with the one that started it.

    Args:
        node_id: Its id in the cluster.
        port: Where clients find it.
        installation: What to run.
        directory: Where its files go; made here.
        properties: Its settings, as in Kafka's server.properties, all but its data's place.
    """

    def __init__(
        self,
        node_id: int,
        port: ReservedPort,
        installation: KafkaInstallation,
        directory: Path,
        properties: Mapping[str, str],
    ) -> None:
        self.node_id = node_id
        self.port = port
        self._installation = installation
        self._directory = directory
        self._jvm: subprocess.Popen[bytes] | None = None
        self._formatting: subprocess.Popen[bytes] | None = None
        directory.mkdir()
        self._properties = directory / "server.properties"
        self._logging = directory / "log4j2.properties"
        self._logging.write_text(_LOGGING)
        _write_properties(self._properties, {**properties, "log.dirs": str(directory / "data")})

    @property
    def exit_code(self) -> int | None:
        """How its JVM ended of itself (negative: by which signal); None if it has not."""
        jvm = self._jvm
        return jvm.poll() if jvm else None

    def begin_format(self, cluster_id: str) -> None:
        """Begin to make its empty data directory part of the cluster."""
        arguments = ["format", f"--cluster-id={cluster_id}", "--config", str(self._properties)]
        self._formatting = subprocess.Popen(
            self._java(_TOOL_HEAP, "kafka.tools.StorageTool", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def end_format(self) -> None:
        """Wait for that.

        Raises:
            TargetError: Kafka refused, most likely a setting.
        """
        assert self._formatting is not None, "begin_format comes first"  # noqa: S101
        try:
            output, _ = self._formatting.communicate(timeout=_FORMAT_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            self._formatting.kill()
            self._formatting.communicate()
            raise TargetError(f"broker {self.node_id}: no data directory in time") from error
        if self._formatting.returncode != 0:
            raise TargetError(f"broker {self.node_id}: {_reason(output.decode(errors='replace'))}")

    def start(self) -> None:
        """Start its JVM, the first time or after `kill`. It answers a few seconds later.

        One that runs is left alone: who asks again does not know whether it was obeyed before.
        """
        if self._jvm and self._jvm.poll() is None:
            return
        self._jvm = subprocess.Popen(
            self._java(_BROKER_HEAP, "kafka.Kafka", str(self._properties)),
            stdin=subprocess.DEVNULL,
            stdout=_STDERR,  # our own stdout is for the ready line
        )

    def kill(self) -> None:
        """End its JVM as a crash would, and wait until it is gone. Its data stays."""
        # Taken away first: nobody must see it end and take that for its own doing.
        processes = (self._jvm, self._formatting)
        self._jvm = self._formatting = None
        for process in filter(None, processes):
            process.kill()
            with process:  # waits, and closes what it writes to
                pass

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its JVM."""
        if self._jvm is None:
            raise TargetError(f"broker {self.node_id} has not been started")
        self._jvm.send_signal(number)  # does nothing if it has ended

    def _java(self, heap: tuple[str, ...], main_class: str, *arguments: str) -> list[str]:
        places = (
            f"-Dnode={self.node_id}",
            f"-Djava.io.tmpdir={self._directory}",
            f"-Dlog4j2.configurationFile={self._logging.as_uri()}",
        )
        program = ("-cp", f"{self._installation.jars}/*", main_class, *arguments)
        command = [str(self._installation.java), *_JVM_OPTIONS, *heap, *places, *program]
        return bound_to_this_process(command)


def _write_properties(path: Path, properties: Mapping[str, str]) -> None:
    """Write a file of Java properties that only this user can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        for key, value in properties.items():
            file.write(f"{key}={value}\n".replace("\\", "\\\\"))


def _reason(output: str) -> str:
    """The line that says why in what a Java program wrote before it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "Exception" in line or "rror" in line]
    line = (telling or lines or ["Kafka ended without a word"])[0]
    return re.sub(r"^(Exception in thread \S+ )?([a-z]\w*\.)*\w+(Exception|Error): ", "", line)
