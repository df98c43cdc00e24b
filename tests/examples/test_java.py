"""`examples/java`: a KafkaProducer for each request, on brokers that its client can talk to."""

from __future__ import annotations

import pytest

from .workshop import Growth, compared, port_of, toolchain

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.kafka, pytest.mark.timeout(900)]

SELECTOR = 2
"""The epoll descriptor of a selector, and the eventfd that wakes it up."""


@pytest.fixture(scope="module")
def java(example):
    toolchain("java", "mvn")
    return example("java")


def expected(strategy: str, given: int, brokers: int) -> Growth:
    """What a request leaves behind, told of `given` of the brokers.

    An open producer keeps the connections to the addresses that it was given, of which it knows no
    more than that, and has one to each leader; and it has a thread with a selector.
    """
    if strategy != "broken":
        return Growth(0, 0, 0)
    connections = given + brokers
    return Growth(fds=connections + SELECTOR, connections=connections, threads=1)


@pytest.mark.parametrize(
    ("strategy", "given"), [("broken", 1), ("broken", 2), ("fixed", 2), ("shared", 2)]
)
def test_what_a_request_leaves_behind(java, kafka_brokers, strategy, given):
    brokers = kafka_brokers.ready["bootstrap"]
    with java.started(strategy, ",".join(brokers[:given])) as service:
        growth = service.growth({port_of(address) for address in brokers})
    assert growth == expected(strategy, given, len(brokers))


def test_the_verdicts_of_a_comparison(java, tmp_path):
    verdicts = compared(java, tmp_path, "--broker=kafka", "--duration=30", "--rate=4")
    expected("broken", 2, 2).expect_told(verdicts["broken"])
