"""`examples/sarama`: what a request leaves behind follows from the number of brokers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.eventually import eventually

from .workshop import REQUESTS, WARM_UP, Growth, compared, goroutines, port_of, toolchain

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]

SARAMA = "github.com/IBM/sarama."
RECEIVER = f"{SARAMA}(*Broker).responseReceiver"
UPDATER = f"{SARAMA}(*client).backgroundMetadataUpdater"


@pytest.fixture(scope="module")
def sarama(example):
    toolchain("go")
    return example("sarama")


def expected(strategy: str, brokers: int) -> tuple[int, int]:
    """Connections and goroutines per request.

    An open client has a connection to the broker that it asked first and one to each leader, with a
    goroutine that reads from it, and a goroutine that refreshes its metadata.
    """
    connections = brokers + 1
    return (connections, connections + 1) if strategy == "broken" else (0, 0)


def at_rest(profile: Callable[[], dict[str, int]]) -> dict[str, int]:
    """The goroutines, once those of a client that was closed have ended."""
    last: dict[str, int] = {}

    def same() -> dict[str, int] | None:
        nonlocal last
        former, last = last, profile()
        return last if last == former else None

    return eventually(same, "that the goroutines are at rest")


def measured(sarama, strategy: str, bootstrap: list[str]) -> tuple[Growth, dict[str, float]]:
    with sarama.started(strategy, ",".join(bootstrap)) as service:

        def profile() -> dict[str, int]:
            return goroutines(service.get("/debug/pprof/goroutine?debug=1", service.port2)[1])

        service.expect_written("/interface.php")
        before = at_rest(profile)
        growth = service.growth({port_of(address) for address in bootstrap})
        after = at_rest(profile)
    posted = WARM_UP + REQUESTS
    names = ("total", RECEIVER, UPDATER)
    return growth, {name: (after.get(name, 0) - before.get(name, 0)) / posted for name in names}


def check(sarama, strategy: str, bootstrap: list[str]) -> None:
    connections, stuck = expected(strategy, len(bootstrap))
    growth, profile = measured(sarama, strategy, bootstrap)
    assert growth.connections == connections
    assert growth.fds == connections
    assert profile == {
        "total": pytest.approx(stuck, abs=0.2),  # the server has some of its own
        RECEIVER: connections,
        UPDATER: stuck - connections,
    }


@pytest.mark.parametrize("strategy", ["broken", "fixed", "shared"])
@pytest.mark.parametrize("brokers", [1, 2])
def test_what_a_request_leaves_behind_on_the_embedded_brokers(
    sarama, start_broker, strategy, brokers
):
    check(sarama, strategy, start_broker(f"--brokers={brokers}").ready["bootstrap"])


@pytest.mark.kafka
@pytest.mark.parametrize("strategy", ["broken", "fixed", "shared"])
def test_what_a_request_leaves_behind_on_kafka(sarama, kafka_brokers, strategy):
    check(sarama, strategy, kafka_brokers.ready["bootstrap"])


@pytest.mark.parametrize("kind", ["mock", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_the_verdicts_of_a_comparison(sarama, tmp_path, kind):
    verdicts = compared(sarama, tmp_path, f"--broker={kind}", "--duration=30", "--rate=5")
    connections, _ = expected("broken", 2)
    Growth(connections, connections, threads=0).expect_told(verdicts["broken"])
