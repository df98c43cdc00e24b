"""`examples/node`: a kafkajs producer for each request."""

from __future__ import annotations

import pytest

from .workshop import Growth, compared, toolchain

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def node(example):
    toolchain("node", "npm")
    return example("node")


def expected(strategy: str, brokers: int) -> Growth:
    """A connected producer has a connection to each leader."""
    connections = brokers if strategy == "broken" else 0
    return Growth(fds=connections, connections=connections, threads=0)


def check(node, strategy: str, bootstrap: list[str]) -> None:
    assert node.left_behind(strategy, bootstrap) == expected(strategy, len(bootstrap))


@pytest.mark.parametrize("strategy", ["broken", "fixed", "shared"])
@pytest.mark.parametrize("brokers", [1, 2])
def test_what_a_request_leaves_behind_on_the_embedded_brokers(
    node, start_broker, strategy, brokers
):
    check(node, strategy, start_broker(f"--brokers={brokers}").ready["bootstrap"])


@pytest.mark.kafka
@pytest.mark.parametrize("strategy", ["broken", "fixed", "shared"])
def test_what_a_request_leaves_behind_on_kafka(node, kafka_brokers, strategy):
    check(node, strategy, kafka_brokers.ready["bootstrap"])


def test_the_verdicts_of_a_comparison(node, tmp_path):
    verdicts = compared(node, tmp_path, "--duration=30", "--rate=5")
    expected("broken", 2).expect_told(verdicts["broken"])
