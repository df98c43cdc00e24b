"""The launcher and the broker as processes: starting, refusing to start, and ending."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import confluent_kafka
import pytest

from tidemark.targets.errors import OutOfBrokersError
from tidemark.targets.metadata import cluster_brokers

pytestmark = pytest.mark.e2e


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nope"], "unknown strategy 'nope': choose one of"),
        (["shared", "--bootstrap", "127.0.0.1:1"], "no Kafka broker answers at 127.0.0.1:1"),
        (["shared", "--fds-limit", "10"], "a limit of 10 descriptors is too low: the target needs"),
        (["shared", "--fds-limit", "2147483647"], "is not allowed here"),
        (
            ["shared", "--fds-limit", "many"],
            "--fds-limit: must be a whole number",
        ),
        (["shared", "--bind", "127.0.0.1:{taken}"], "cannot listen on '127.0.0.1:{taken}'"),
        (["shared", "--bind", "here"], "cannot listen on 'here'"),
        (["shared", "--topic", ".."], "--topic: must be up to 249 letters"),
        (["shared", "--threads", "0"], "--threads: must be a whole number of at least 1, not 0"),
        ([], "required: STRATEGY"),
    ],
)
def test_what_keeps_a_target_from_starting_is_one_line(run, broker, taken_port, arguments, reason):
    arguments = [argument.format(taken=taken_port) for argument in arguments]
    if "--bootstrap" not in arguments:
        arguments += ["--bootstrap", broker.bootstrap]
    code, lines = run("tidemark.targets.serve", *arguments)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("python -m tidemark.targets.serve: error: ")
    assert reason.format(taken=taken_port) in lines[0]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "{taken}"], "a broker cannot listen on 127.0.0.1:{taken} (Address already in"),
        (["--brokers", "0"], "--brokers: must be a whole number of at least 1, not 0"),
        (["--port", "70000"], "--port: must be a whole number from 0 to 65,535, not 70,000"),
        (["--topic", "no/such name"], "digits, '.', '_' or '-', not 'no/such name'"),
        (["--tls"], "--tls needs --kind kafka"),
    ],
)
def test_what_keeps_a_broker_from_starting_is_one_line(run, taken_port, arguments, reason):
    code, lines = run("tidemark.targets.brokers", *[a.format(taken=taken_port) for a in arguments])
    assert code == 2
    assert len(lines) == 1
    assert reason.format(taken=taken_port) in lines[0]


def test_the_lowest_limit_that_starts_also_answers(run, broker, start_target):
    _, (line,) = run(
        "tidemark.targets.serve", "fixed", "--bootstrap", broker.bootstrap, "--fds-limit", "1"
    )
    measured = int(line.partition("needs ")[2].partition(" ")[0])
    limit = str(measured + 1)  # two measurements may differ by a connection
    target = start_target("fixed", "--fds-limit", limit)
    assert target.ingest(["message"] * 40) == (200, "40\n")
    limits = Path(f"/proc/{target.worker}/limits").read_text().splitlines()
    (open_files,) = [line.split() for line in limits if line.startswith("Max open files")]
    assert open_files[3:5] == [limit, limit], "soft and hard alike"


def test_brokers_listen_where_they_are_told_to(start_broker):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    broker = start_broker("--brokers", "1", "--port", str(port))
    assert broker.ready["bootstrap"] == [f"127.0.0.1:{port}"]
    assert cluster_brokers(broker.bootstrap) == [f"127.0.0.1:{port}"]


def test_topics_are_there_before_the_load_with_leaders_on_all_brokers(start_broker):
    broker = start_broker("--brokers", "3", "--topic", "a", "--topic", "b", "--partitions", "6")
    assert cluster_brokers(broker.bootstrap) == broker.ready["bootstrap"]
    topics = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap}).list_topics().topics
    assert sorted(topics) == ["a", "b"]
    for topic in topics.values():
        assert [topic.partitions[n].leader for n in range(6)] == [1, 2, 3, 1, 2, 3]


def test_a_burst_of_connects_does_not_wait(broker):
    host, _, port = broker.ready["bootstrap"][0].rpartition(":")
    broker.freeze()  # nobody accepts meanwhile
    try:
        sockets = [socket.create_connection((host, int(port)), timeout=0.5) for _ in range(200)]
    finally:
        broker.thaw()
    for connection in sockets:
        connection.close()


def test_nobody_there_is_one_clear_error():
    with pytest.raises(OutOfBrokersError, match=r"no Kafka broker answers at 127\.0\.0\.1:1 wit"):
        cluster_brokers("127.0.0.1:1", timeout_s=1.0)


def test_a_body_of_unknown_length_is_limited_too(start_target, broker):
    target = start_target("fixed", "--max-body-bytes", "100")
    before = broker.end_offset()
    chunks = iter([b"[", *[b'"message",'] * 20, b"1]"])
    with contextlib.closing(http.client.HTTPConnection(target.address, timeout=5)) as connection:
        connection.request("POST", "/ingest", chunks)
        with connection.getresponse() as response:
            answer = response.status, json.load(response)
    assert answer == (413, {"error": "the body is too large: the limit is 100 bytes"})
    assert broker.end_offset() == before


def test_a_broker_that_goes_away_is_503_within_the_timeouts_of_the_story(
    start_broker, start_target, wait_until
):
    broker = start_broker()
    target = start_target("fixed", bootstrap=broker.bootstrap)
    before = target.fds()
    assert target.ingest(["message"]) == (200, "1\n")
    broker.process.kill()
    dial_and_acknowledgement_s = 3 + 3
    status, answer = target.ingest(["message"], timeout_s=dial_and_acknowledgement_s)
    assert status == 503
    assert "answered within 3 s" in json.loads(answer)["error"]
    wait_until(lambda: target.fds() == before, "nothing is left of the request")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_broker_ends_when_told_to(start_broker, how):
    assert start_broker().stop(how) == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_target_ends_when_told_to(start_target, is_running, how):
    target = start_target("shared")
    worker = target.worker
    target.ingest(["message"])
    assert target.stop(how) == 0
    assert not is_running(worker)


def test_a_graceful_stop_delivers_what_was_accepted(start_broker, start_target, wait_until):
    broker = start_broker()
    target = start_target("shared", bootstrap=broker.bootstrap)
    target.ingest(["first"])
    answers = []
    broker.freeze()
    client = threading.Thread(target=lambda: answers.append(target.ingest(["queued"] * 30)))
    client.start()
    wait_until(lambda: busy_with_ingest(target), "the request is in the target")
    target.process.send_signal(signal.SIGTERM)
    broker.thaw()
    client.join()
    assert target.process.wait(timeout=10) == 0
    assert answers == [(200, "30\n")]
    assert broker.end_offset() == 31


def busy_with_ingest(target) -> bool:
    return "Shared.ingest" in target.request("GET", "/debug/threads")[1]


def test_killing_the_master_leaves_no_worker(start_target, is_running, children_of, wait_until):
    target = start_target("fixed", "--workers", "2")
    assert target.ready["pid"] == target.pid
    workers = children_of(target.pid)
    assert workers
    target.process.kill()
    target.process.wait(timeout=10)
    wait_until(lambda: not any(map(is_running, workers)), "no worker is left")


@pytest.mark.parametrize("command", ["broker", "serve"])
def test_killing_the_parent_leaves_nothing(broker, command, is_running, children_of, wait_until):
    arguments = (
        ["tidemark.targets.brokers"]
        if command == "broker"
        else ["tidemark.targets.serve", "fixed", "--bootstrap", broker.bootstrap]
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        assert "pid" in parent.stdout.readline()
        (child,) = children_of(parent.pid)
        family = [child, *children_of(child)]
        assert all(map(is_running, family))
    finally:
        parent.kill()
        parent.wait(timeout=10)
        parent.stdout.close()
    wait_until(lambda: not any(map(is_running, family)), "the whole family is gone")


PARENT = """
import signal, subprocess, sys
from tidemark.record.process import before_exec
command = [sys.executable, "-m", *sys.argv[1:]]
subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=before_exec())
signal.pause()
"""


CLIENTS = 200
HEAD = b"POST /ingest HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 7\r\n"


def answer(client: socket.socket) -> bytes:
    """What the target says, up to the number of messages."""
    received = b""
    while not received.endswith(b"\r\n\r\n3\n"):
        part = client.recv(4096)
        assert part, received
        received += part
    return received


def test_clients_that_say_nothing_or_half_of_it_keep_nobody_waiting(start_target):
    """There are 16 request threads; in a thread each, they would wait for one another."""
    target = start_target("shared")
    host, _, port = target.address.rpartition(":")
    with contextlib.ExitStack() as stack:

        def connect(said: bytes) -> socket.socket:
            client = stack.enter_context(socket.create_connection((host, int(port)), timeout=8))
            client.sendall(said)
            return client

        for _ in range(CLIENTS):
            connect(b"")
        halves = [connect(HEAD) for _ in range(CLIENTS)]
        again = [connect(HEAD + b"\r\n[1,2,3]") for _ in range(CLIENTS // 10)]
        for client in again:
            assert answer(client).startswith(b"HTTP/1.1 200")
            client.sendall(b"POST /in")  # the second request on a connection
        for _ in range(20):
            assert target.ingest(["message"]) == (200, "1\n")
        for client in halves:
            client.sendall(b"\r\n[1,2,3]")
        for client in again:
            client.sendall(HEAD.removeprefix(b"POST /in") + b"\r\n[1,2,3]")
        for client in [*halves, *again]:
            assert answer(client).startswith(b"HTTP/1.1 200")
    assert "Traceback" not in target.log


@pytest.mark.parametrize(
    "body",
    [b"zz\r\n", b"-1\r\n[1]\r\n", b"3\r\n[1]garbage\r\n", b"3;\x00=\r\n[1]\r\n0\r\n\r\n", b"\r\n"],
)
def test_malformed_chunks_are_refused_in_one_line(start_target, body):
    target = start_target("shared")
    before = target.log
    host, _, port = target.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=8) as client:
        client.sendall(
            b"POST /ingest HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        )
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Transfer-Encoding: chunked" in answer
    assert target.log.removeprefix(before).count("\n") == 1
    assert target.ingest(["message"]) == (200, "1\n")


@pytest.mark.long
def test_a_body_that_does_not_come_is_not_waited_for(start_target):
    target = start_target("shared", "--threads=1")
    host, _, port = target.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=15) as client:
        client.sendall(HEAD + b"\r\n[1,")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 400")
    assert "Traceback" not in target.log
