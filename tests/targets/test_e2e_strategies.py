"""Each strategy under gunicorn: what a request leaves behind, counted through /proc."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

BATCH = ["message"] * 40
REQUESTS = 20
POOL = 5


@pytest.fixture
def growth(start_target):
    """Start a target, send it requests one by one, and return it with its descriptor counts."""

    def measure(strategy, *options):
        target = start_target(strategy, *options)
        counts = [target.fds()]
        for _ in range(REQUESTS):
            assert target.ingest(BATCH) == (200, "40\n")
            counts.append(target.fds())
        return target, counts

    return measure


def test_leaked_grows_by_eight_descriptors_a_request(growth, wait_until):
    target, counts = growth("broken")
    # Six pipe ends, and a connection to each of the two brokers.
    wait_until(lambda: target.fds() == counts[0] + 8 * REQUESTS, "the last request is settled")
    threads = target.threads()
    for name in ("rdk:main", "rdk:broker1", "rdk:broker2", "kafka-metadata"):
        assert threads[name] == REQUESTS

    status, text = target.request("GET", "/debug/threads?format=json")
    assert status == 200
    largest = next(g for g in json.loads(text)["groups"] if g["name"] == "kafka-metadata")
    assert largest["count"] == REQUESTS, "all of them in one and the same stack"
    assert "Client._background_metadata_updater" in [f["function"] for f in largest["stack"]]
    native = {g["name"]: g["count"] for g in json.loads(text)["groups"] if g["native"]}
    assert native["rdk:main"] == REQUESTS


def test_closed_gives_everything_back(growth, wait_until):
    target, counts = growth("fixed")
    wait_until(lambda: target.fds() == counts[0], "the last request is settled")
    assert max(counts) <= counts[0] + 8 + 2, "never more than one client at a time"
    assert not [name for name in target.threads() if name.startswith(("rdk:", "kafka-"))]


def test_unflushed_leaks_nothing_but_messages(growth, wait_until, broker):
    before = broker.end_offset()
    target, counts = growth("per-request-unflushed")
    wait_until(lambda: target.fds() == counts[0], "the last request is settled")
    assert broker.end_offset() - before < REQUESTS * len(BATCH) / 2


def test_pooled_grows_until_the_pool_is_full(growth, wait_until):
    target, counts = growth("pooled", "--pool-size", str(POOL))
    wait_until(lambda: target.fds() == counts[0] + 8 * POOL, "the pool has its plateau")
    assert counts[POOL - 1] < counts[0] + 8 * POOL - 4, "it was made lazily"
    assert target.threads()["rdk:main"] == POOL


def test_shared_is_one_producer_made_after_the_fork(growth, wait_until, broker):
    before = broker.end_offset()
    target, counts = growth("shared")
    wait_until(lambda: target.fds() == counts[0] + 8, "one client's worth")
    assert target.threads()["rdk:main"] == 1
    assert target.threads()["kafka-poll"] == 1
    assert broker.end_offset() - before == REQUESTS * len(BATCH)


def test_every_worker_has_a_producer_of_its_own(start_target, children_of, wait_until):
    target = start_target("shared", "--workers", "2")
    wait_until(lambda: len(children_of(target.pid)) == 2, "both workers are there")

    def librdkafkas(pid):
        comms = [(task / "comm").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
        return comms.count("rdk:main\n")

    def asked_until_both_have_one():
        target.ingest(BATCH)
        return [librdkafkas(worker) for worker in children_of(target.pid)] == [1, 1]

    assert librdkafkas(target.pid) == 0, "none before the fork"
    wait_until(asked_until_both_have_one, "both workers have made their producer")
    assert librdkafkas(target.pid) == 0
