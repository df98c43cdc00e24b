"""Real brokers and real targets for the tests of this room, and what they are asked."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import confluent_kafka
import psutil
import pytest

from tests.eventually import eventually
from tidemark.record.process import before_exec
from tidemark.targets.brokers.java import KafkaInstallation, find_installation
from tidemark.targets.config import KafkaConfig
from tidemark.targets.errors import TargetError

REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 15.0
KAFKA_PATIENCE_S = 60.0


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Poll until the condition holds; fail saying what was waited for."""
    eventually(condition, f"that {what}", timeout_s)


def state(pid: int) -> str | None:
    """The process's state as proc(5) has it (`T` is stopped, `Z` a zombie); None if gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return None
    return stat.rpartition(")")[2].split()[0]


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    return state(pid) not in (None, "Z")


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@dataclass
class Child:
    """A command of this room, running."""

    process: subprocess.Popen[str]
    ready: dict[str, object]
    log_path: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: state(self.pid) == "T", "the process is stopped")

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=PATIENCE_S)


class Broker(Child):
    """The embedded broker."""

    @property
    def bootstrap(self) -> str:
        return ",".join(self.ready["bootstrap"])  # type: ignore[arg-type]

    def end_offset(self, topic: str = "tidemark") -> int:
        """How many messages have ever been written to the topic."""
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "tests"}
        )
        try:
            partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
            return sum(
                consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, number))[1]
                for number in partitions
            )
        finally:
            consumer.close()

    def last_messages(self, count: int, topic: str = "tidemark") -> list[bytes]:
        """The last messages of the topic, oldest first.

        Any partition may hold the newest ones: the last `count` of each are read, all of them.
        """
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "tests", "auto.offset.reset": "error"}
        )
        try:
            spans = list(self._last_offsets(consumer, topic, count))
            consumer.assign(
                [confluent_kafka.TopicPartition(topic, number, low) for number, low, _ in spans]
            )
            wanted = sum(high - low for _, low, high in spans)
            found: list[confluent_kafka.Message] = []
            wait_until(
                lambda: len(found) >= wanted or bool(found.extend(consumer.consume(100, 0.5))),
                f"{wanted} messages are read",
            )
        finally:
            consumer.close()
        found.sort(key=lambda message: message.timestamp()[1])
        return [message.value() for message in found[-count:]]

    @staticmethod
    def _last_offsets(
        consumer: confluent_kafka.Consumer, topic: str, count: int
    ) -> Iterator[tuple[int, int, int]]:
        """Of each partition its number, where its last `count` messages begin, and its end."""
        for number in consumer.list_topics(topic, timeout=5).topics[topic].partitions:
            partition = confluent_kafka.TopicPartition(topic, number)
            low, high = consumer.get_watermark_offsets(partition)
            yield number, max(low, high - count), high


class Target(Child):
    """A target under gunicorn."""

    @property
    def address(self) -> str:
        return str(self.ready["url"]).removeprefix("http://")

    @property
    def worker(self) -> int:
        (worker,) = children_of(self.pid)
        return worker

    def fds(self) -> int:
        return len(list(Path(f"/proc/{self.worker}/fd").iterdir()))

    def connections(self, bootstrap: str) -> int:
        """ESTABLISHED connections of the worker's to these brokers."""
        ports = {int(address.rpartition(":")[2]) for address in bootstrap.split(",")}
        return sum(
            connection.status == psutil.CONN_ESTABLISHED and connection.raddr.port in ports
            for connection in psutil.Process(self.worker).net_connections("tcp")
        )

    def threads(self) -> Counter[str]:
        names: Counter[str] = Counter()
        for task in Path(f"/proc/{self.worker}/task").iterdir():
            try:
                names[(task / "comm").read_text().strip()] += 1
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended meanwhile
        return names

    def request(
        self, method: str, path: str, body: bytes | None = None, timeout_s: float = 8.0
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.address, timeout=timeout_s)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def ingest(self, messages: object, timeout_s: float = 8.0) -> tuple[int, str]:
        return self.request("POST", "/ingest", json.dumps(messages).encode(), timeout_s)


@pytest.fixture(scope="session")
def _start(tmp_path_factory) -> Iterator[Callable[..., Child]]:
    """Start a command of this room and wait for its ready line; all end with the session."""
    children: list[Child] = []

    def start(kind: type[Child], *arguments: str) -> Child:
        log_path = tmp_path_factory.mktemp("child") / "log"
        with log_path.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=REPOSITORY,
                preexec_fn=before_exec(),  # noqa: PLW1509 - a system call or two
            )
        line = process.stdout.readline()
        assert line, f"{arguments} did not start: {log_path.read_text()}"
        child = kind(process, json.loads(line), log_path)
        children.append(child)
        return child

    yield start
    for child in children:
        child.process.kill()
        child.process.wait(timeout=PATIENCE_S)
        child.process.stdout.close()


@pytest.fixture(scope="session")
def start_broker(_start) -> Callable[..., Broker]:
    return lambda *arguments: _start(Broker, "tidemark.targets.brokers", *arguments)


@pytest.fixture(scope="session")
def broker(start_broker) -> Broker:
    """Two brokers for whoever does no harm to them."""
    return start_broker()


@pytest.fixture(scope="session")
def kafka_installation() -> KafkaInstallation:
    """Java and Kafka's jars; without them the test is skipped, or fails in a pipeline."""
    try:
        return find_installation()
    except TargetError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true, and no Kafka: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def kafka_brokers(kafka_installation, start_broker) -> Broker:
    """Two real Kafka brokers for whoever does no harm to them."""
    return start_broker("--kind", "kafka")


@pytest.fixture
def start_target(_start, broker) -> Iterator[Callable[..., Target]]:
    """Start a target on the shared brokers, or on those of `bootstrap`; it ends with the test."""
    targets: list[Target] = []

    def start(strategy: str, *arguments: str, bootstrap: str | None = None) -> Target:
        bootstrap = bootstrap or broker.bootstrap
        target = _start(
            Target, "tidemark.targets.serve", strategy, "--bootstrap", bootstrap, *arguments
        )
        targets.append(target)
        return target

    yield start
    for target in targets:
        if target.process.poll() is None:
            target.stop()


@pytest.fixture
def kafka(broker) -> KafkaConfig:
    return KafkaConfig(broker.bootstrap)


@pytest.fixture
def unreachable() -> KafkaConfig:
    """A cluster that is not there, and little patience. Port 1 is nobody's (tcpmux)."""
    return KafkaConfig(
        "127.0.0.1:1", dial_timeout_s=1.0, ack_timeout_s=1.0, options={"log_level": 0}
    )


@pytest.fixture
def open_descriptors() -> Callable[[], int]:
    return lambda: len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def run():
    """Run a command of this room to its end: exit code and the lines on stderr."""

    def run(*arguments):
        command = [sys.executable, "-m", *arguments]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert finished.stdout == ""
        return finished.returncode, finished.stderr.splitlines()

    return run


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    return wait_until


@pytest.fixture(name="is_running")
def _is_running() -> Callable[[int], bool]:
    return is_running


@pytest.fixture(name="children_of")
def _children_of() -> Callable[[int], list[int]]:
    return children_of
