"""`examples/java`: a KafkaProducer for each request, on brokers that its client can talk to."""

from __future__ import annotations

import pytest

from .workshop import Growth, port_of, toolchain

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.kafka, pytest.mark.timeout(900)]

SELECTOR = 2
"""The epoll descriptor of a selector, and the eventfd that wakes it up."""


@pytest.fixture(scope="module")
def java(example):
    toolchain("java", "mvn")
    return example("java")


def expected(strategy: str, brokers: int) -> Growth:
    """An open producer has a connection to the broker that it asked first and one to each leader."""
    if strategy != "broken":
        return Growth(0, 0, 0)
    connections = brokers + 1
    return Growth(fds=connections + SELECTOR, connections=connections, threads=1)


@pytest.mark.parametrize("strategy", ["broken", "fixed", "shared"])
def test_what_a_request_leaves_behind(java, kafka_brokers, strategy):
    bootstrap = kafka_brokers.ready["bootstrap"]
    with java.started(strategy, ",".join(bootstrap)) as service:
        growth = service.growth({port_of(address) for address in bootstrap})
    assert growth == expected(strategy, len(bootstrap))
