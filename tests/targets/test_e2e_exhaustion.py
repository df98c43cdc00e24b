"""The end of the descriptors: the worker stays, stops answering, and says so."""

from __future__ import annotations

import http.client
import threading

import pytest

pytestmark = pytest.mark.e2e

LIMIT = 120
CLIENTS = 8
ACCEPT_LINE = "accept: [Errno 24] Too many open files; retrying in 0.005 s"


@pytest.fixture
def exhausted(start_target, wait_until):
    """A leaking target that eight clients have driven to its limit, and what they saw."""
    target = start_target("broken", "--fds-limit", str(LIMIT))
    worker, enough, answers = target.worker, threading.Event(), []

    def drive() -> None:
        while not enough.is_set():
            try:
                answers.append(target.ingest(["message"] * 20, timeout_s=1.0)[0])
            except (TimeoutError, http.client.HTTPException, ConnectionError) as error:
                answers.append(type(error))

    clients = [threading.Thread(target=drive) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    wait_until(lambda: ACCEPT_LINE in target.log, "the log says that accept failed")
    wait_until(lambda: answers[-CLIENTS:].count(TimeoutError) == CLIENTS, "nobody is answered")
    yield target, worker, answers
    enough.set()
    for client in clients:
        client.join()


def test_the_worker_stays_and_stops_answering(exhausted, is_running):
    target, worker, answers = exhausted
    assert 5 <= answers.count(200) <= LIMIT / 7
    assert target.worker == worker, "no fresh worker hides the leak"
    assert target.fds() >= LIMIT - 8
    assert "Traceback" not in target.log
    assert target.log.count("Booting worker") == 1
    assert target.stop() == 0
    assert not is_running(worker)
