"""Apache Kafka itself: that it starts and ends as it should, and that a leak looks the same."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import ExitStack

import confluent_kafka
import psutil
import pytest

from tidemark.targets.brokers.kafka_cluster import KafkaCluster
from tidemark.targets.brokers.ports import ReservedPort
from tidemark.targets.metadata import cluster_brokers
from tidemark.targets.strategies import STRATEGIES

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.usefixtures("kafka_installation")]

BATCH = ["message"] * 40
REQUESTS = 10
POOL = 5
MAX_CONNECTIONS = 20
KAFKA_PATIENCE_S = 60.0


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where the brokers that a test starts keep their data."""
    directory = tmp_path / "scratch"
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    monkeypatch.setattr("tempfile.tempdir", None)  # it is remembered there
    return directory


@pytest.fixture
def launch(scratch):
    """Start brokers and do not wait for them; they end with the test at the latest."""
    processes: list[subprocess.Popen[str]] = []

    def launch(*command: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, *command], stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
        processes.append(process)
        return process

    yield launch
    for process in processes:
        process.kill()
        process.communicate()


def family(pid: int) -> list[int]:
    """A process, and all that descend from it."""
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def jvms(pid: int, main_class: str = "") -> list[psutil.Process]:
    """The process's JVMs, or only those that run this class."""
    return [
        child
        for child in psutil.Process(pid).children()
        if child.name() == "java" and main_class in command_line(child)
    ]


def command_line(process: psutil.Process) -> str:
    """The command line; nothing for one that has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


# What the cluster is


def test_topics_have_leaders_on_both_brokers(kafka_brokers):
    addresses = kafka_brokers.ready["bootstrap"]
    for address in addresses:
        assert cluster_brokers(address) == addresses, "each of them knows both"
        topics = confluent_kafka.Producer({"bootstrap.servers": address}).list_topics().topics
        partitions = topics["tidemark"].partitions
        assert [partitions[number].leader for number in range(4)] == [1, 2, 1, 2]


def test_nobody_but_this_host_can_connect(kafka_brokers):
    listening = [
        connection.laddr.ip.removeprefix("::ffff:")
        for jvm in jvms(kafka_brokers.pid)
        for connection in jvm.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 5, "clients' and brokers' listener of each, and one controller"
    assert set(listening) == {"127.0.0.1"}


def test_an_id_that_looks_like_an_option_is_one_too(scratch, monkeypatch):
    """One random cluster id in 64 begins with a dash."""
    monkeypatch.setattr("uuid.uuid4", lambda: uuid.UUID(bytes=b"\xfb" * 16))
    cluster = KafkaCluster(1)
    assert len(cluster.bootstrap) == 1
    cluster.close()


# What the strategies do there


def signature(target, bootstrap, wait_until) -> dict[str, float]:
    """What each request leaves behind, once the last one has settled."""

    def count() -> tuple[int, int]:
        """Descriptors, and the threads that are Kafka clients', not the server's own."""
        threads = target.threads().items()
        return target.fds(), sum(n for name, n in threads if name.startswith(("rdk:", "kafka-")))

    def settled() -> bool:
        """Whether nothing has changed in a good number of looks."""
        looks.append(count())
        return len(looks) >= 25 and len(set(looks[-25:])) == 1

    before, looks = count(), []
    for _ in range(REQUESTS):
        assert target.ingest(BATCH) == (200, "40\n")
    wait_until(settled, "the last request is settled")
    return {
        "descriptors": (looks[-1][0] - before[0]) / REQUESTS,
        "connections": target.connections(bootstrap) / REQUESTS,
        "threads": (looks[-1][1] - before[1]) / REQUESTS,
    }


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_strategy_has_the_same_signature_as_on_the_mock_cluster(
    strategy, start_target, broker, kafka_brokers, wait_until
):
    signatures = {}
    for kind, brokers in (("mock", broker), ("kafka", kafka_brokers)):
        before = brokers.end_offset()
        target = start_target(strategy, "--pool-size", str(POOL), bootstrap=brokers.bootstrap)
        signatures[kind] = signature(target, brokers.bootstrap, wait_until)
        delivered = brokers.end_offset() - before
        sys.stdout.write(f"{strategy:22} {kind:6} {signatures[kind]} delivered {delivered}\n")
        if strategy == "per-request-unflushed":
            assert delivered < REQUESTS * len(BATCH) / 2
        else:
            assert delivered == REQUESTS * len(BATCH)
    assert signatures["kafka"] == signatures["mock"]
    if strategy == "per-request-leaked":
        assert signatures["kafka"] == {"descriptors": 8, "connections": 2, "threads": 5}


def test_a_topic_that_is_not_there_yet_is_made(kafka_brokers, start_target):
    target = start_target("fixed", "--topic", "new", bootstrap=kafka_brokers.bootstrap)
    assert target.ingest(BATCH) == (200, "40\n")
    assert kafka_brokers.end_offset("new") == len(BATCH)


# What its listener may ask for


@pytest.fixture(scope="module")
def strict_broker(kafka_installation, start_broker):
    """One broker that speaks TLS only, and to no more than twenty connections."""
    option = f"max.connections.per.ip={MAX_CONNECTIONS}"
    arguments = ["--kind", "kafka", "--brokers", "1", "--tls", "--broker-option", option]
    return start_broker(*arguments)


@pytest.mark.long
def test_tls_through_kafka_config(strict_broker, start_target, run):
    target = start_target(
        "fixed",
        *("--kafka-config", str(strict_broker.ready["kafka_config"])),
        *("--kafka-option", "acks=1"),
        bootstrap=strict_broker.bootstrap,
    )
    assert target.ingest(BATCH) == (200, "40\n")

    code, lines = run("tidemark.targets.serve", "fixed", "--bootstrap", strict_broker.bootstrap)
    assert code == 2, "without TLS nobody answers"
    assert "no Kafka broker answers" in lines[-1]


def test_too_many_connections_are_refused_and_the_log_says_so(strict_broker, wait_until):
    host, _, port = strict_broker.bootstrap.rpartition(":")
    with ExitStack() as connections:
        for _ in range(MAX_CONNECTIONS + 1):
            connections.enter_context(socket.create_connection((host, int(port))))
        refusal = f"address already has the configured maximum of {MAX_CONNECTIONS} connections"
        wait_until(lambda: refusal in strict_broker.log, "the refusal is in the log")


# Faults


@pytest.fixture
def cluster(scratch):
    # Until its session is over, a broker that was killed is not let in again.
    session = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500"}
    cluster = KafkaCluster(1, properties=session)
    yield cluster
    cluster.close()
    assert list(scratch.iterdir()) == []


@pytest.mark.long
def test_a_broker_comes_back_where_it_was_with_what_it_had(cluster, wait_until):
    cluster.create_topic("kept", 1)
    (address,), node = cluster.bootstrap, cluster.nodes[1]
    settings = {"bootstrap.servers": address, "log_level": 0}
    producer = confluent_kafka.Producer(settings)
    producer.produce("kept", b"message")
    assert producer.flush(KAFKA_PATIENCE_S) == 0

    node.kill()
    assert node._jvm is None
    cluster.check()  # it was meant to
    node.start()
    cluster.await_broker(1)

    def high_watermark() -> int:
        consumer = confluent_kafka.Consumer({**settings, "group.id": "tests"})
        try:
            return consumer.get_watermark_offsets(confluent_kafka.TopicPartition("kept", 0))[1]
        except confluent_kafka.KafkaException:
            return -1
        finally:
            consumer.close()

    wait_until(lambda: high_watermark() == 1, "the message is there again", KAFKA_PATIENCE_S)
    jvm = psutil.Process(node._jvm.pid)
    cluster.freeze([1])
    wait_until(lambda: jvm.status() == psutil.STATUS_STOPPED, "it is frozen")
    cluster.thaw([1])
    wait_until(lambda: jvm.status() != psutil.STATUS_STOPPED, "it goes on")


@pytest.mark.long
def test_a_broker_restarted_by_command_outlasts_who_gave_it(launch):
    session = ["broker.session.timeout.ms=2000", "broker.heartbeat.interval.ms=500"]
    options = [argument for option in session for argument in ("--broker-option", option)]
    arguments = ["--kind", "kafka", "--brokers", "1", "--control", *options]
    process = launch("-m", "tidemark.targets.brokers", *arguments)
    assert process.stdout.readline()
    (before,) = jvms(process.pid)
    for action in ("kill", "restart"):
        process.stdin.write(json.dumps({"do": action, "brokers": [1]}) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"done": action, "brokers": [1]}
    (after,) = jvms(process.pid)
    assert after.pid != before.pid
    process.stdin.close()
    process.stdin = None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)  # the broker's end would be the command's, within half a second
    assert after.is_running()


# How it ends


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_while_it_starts(launch, scratch, how, wait_until, is_running):
    process = launch("-m", "tidemark.targets.brokers", "--kind", "kafka")
    wait_until(lambda: jvms(process.pid), "a first JVM is there", KAFKA_PATIENCE_S)
    all_of_them = family(process.pid)
    process.send_signal(how)
    assert process.wait(timeout=KAFKA_PATIENCE_S) == 0
    assert not any(map(is_running, all_of_them))
    assert list(scratch.iterdir()) == []


PARENT = """
import signal, subprocess, sys
from tidemark.record.process import before_exec
command = [sys.executable, "-m", "tidemark.targets.brokers", "--kind", "kafka", "--brokers", "1"]
subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=before_exec())
signal.pause()
"""


@pytest.mark.parametrize("moment", ["formatting", "starting", "ready"])
def test_killing_the_parent_leaves_nothing(launch, scratch, moment, wait_until, is_running):
    parent = launch("-c", PARENT)

    def command_lines() -> str:
        return " ".join(
            command_line(child) for child in psutil.Process(parent.pid).children(recursive=True)
        )

    if moment == "ready":
        assert json.loads(parent.stdout.readline())["pid"]
    else:
        main_class = "StorageTool" if moment == "formatting" else "kafka.Kafka"
        wait_until(lambda: main_class in command_lines(), moment, KAFKA_PATIENCE_S)
    all_of_them = family(parent.pid)
    assert len(all_of_them) >= 4, "parent, broker, JVM, and who removes the data"
    parent.kill()
    wait_until(lambda: not any(map(is_running, all_of_them)), "the whole family is gone")
    assert list(scratch.iterdir()) == []


# What keeps it from starting


@pytest.mark.parametrize(
    ("arguments", "environment", "reason"),
    [
        ([], {"KAFKA_HOME": "/nowhere"}, "no Kafka jars in /nowhere: fetch them (make kafka) or"),
        ([], {"JAVA_HOME": "/nowhere"}, "no java in JAVA_HOME=/nowhere: Kafka needs Java 17"),
        (["--port", "{taken}"], {}, "a broker cannot listen on 127.0.0.1:{taken} (Address already"),
        (["--port", "65535"], {}, "2 brokers do not fit between port 65535 and 65535"),
        (["--replication", "3"], {}, "3 replicas need as many brokers, and there are 2"),
        (["--broker-option", "num.io.threads=x"], {}, "Invalid value x for configuration num.io"),
        (["--broker-option", "nonsense"], {}, "--broker-option: must be KEY=VALUE"),
    ],
)
def test_what_keeps_kafka_from_starting_is_one_line(
    run, monkeypatch, scratch, *, arguments, environment, reason
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    taken = ReservedPort()
    with taken.listen(1):
        arguments = [argument.format(taken=taken.number) for argument in arguments]
        code, lines = run("tidemark.targets.brokers", "--kind", "kafka", *arguments)
    assert code == 2
    assert len(lines) == 1
    assert reason.format(taken=taken.number) in lines[0]
    assert list(scratch.iterdir()) == []


def test_a_broker_that_ends_of_itself_is_noticed(launch, scratch, wait_until, is_running):
    process = launch("-m", "tidemark.targets.brokers", "--kind", "kafka", "--brokers", "1")
    wait_until(lambda: jvms(process.pid, "kafka.Kafka"), "the broker runs", KAFKA_PATIENCE_S)
    (jvm,) = jvms(process.pid, "kafka.Kafka")
    os.kill(jvm.pid, signal.SIGKILL)
    _, log = process.communicate(timeout=KAFKA_PATIENCE_S)
    assert process.returncode == 2
    assert "broker 1 was killed by SIGKILL" in log
    assert not is_running(jvm.pid)
    assert list(scratch.iterdir()) == []
