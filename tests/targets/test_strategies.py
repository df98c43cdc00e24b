"""`targets.strategies`: the registry, and that the fix is one line."""

from __future__ import annotations

import ast
import inspect

import pytest

from tidemark.targets import strategies
from tidemark.targets.config import KafkaConfig, Settings
from tidemark.targets.errors import PoolExhaustedError, TargetError
from tidemark.targets.strategies import ALIASES, STRATEGIES, resolve
from tidemark.targets.strategies.per_request_closed import PerRequestClosed
from tidemark.targets.strategies.per_request_leaked import PerRequestLeaked
from tidemark.targets.strategies.pooled import Pooled
from tidemark.targets.strategies.shared import Shared


def test_the_order_is_that_of_the_report():
    assert list(STRATEGIES) == [
        "per-request-leaked",
        "per-request-closed",
        "per-request-unflushed",
        "pooled",
        "shared",
    ]


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_name_resolves_to_itself(name):
    assert resolve(name) == name
    assert STRATEGIES[name].name == name


def test_the_recommended_way_alone_is_what_the_others_are_measured_against():
    assert [name for name, kind in STRATEGIES.items() if kind.is_reference] == ["shared"]


def test_aliases():
    assert ALIASES == {"broken": "per-request-leaked", "fixed": "per-request-closed"}
    assert resolve("broken") == "per-request-leaked"
    assert resolve("fixed") == "per-request-closed"


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(TargetError, match="unknown strategy 'brokne': choose one of per-req"):
        resolve("brokne")
    assert TargetError.exit_code == 2


def test_every_module_in_the_package_is_registered():
    modules = {type_.__module__ for type_ in STRATEGIES.values()}
    assert len(modules) == len(STRATEGIES), "one small file each"
    assert all(module.startswith(strategies.__name__ + ".") for module in modules)


def test_the_fix_is_the_one_line_of_the_story():
    leaked, closed = (statements(cls.ingest) for cls in (PerRequestLeaked, PerRequestClosed))
    assert [line for line in closed if line not in leaked] == ["deferred.callback(client.close)"]
    assert [line for line in closed if line != "deferred.callback(client.close)"] == leaked


def statements(function) -> list[str]:
    """The source of a method, line by line, without its docstring."""
    source = inspect.getsource(function)
    tree = ast.parse(inspect.cleandoc("\n" + source)).body[0]
    assert isinstance(tree, ast.FunctionDef)
    tree.body = tree.body[1:]
    return [line.strip() for line in ast.unparse(tree).splitlines()]


def test_making_a_strategy_connects_to_nothing(open_descriptors):
    before = open_descriptors()
    for strategy in STRATEGIES.values():
        strategy(Settings(KafkaConfig("127.0.0.1:1"))).close()
    assert open_descriptors() == before


def test_an_exhausted_pool_says_so(kafka):
    settings = Settings(KafkaConfig(kafka.bootstrap, dial_timeout_s=1.0), pool_size=1)
    pool = Pooled(settings)
    with (
        pool._borrowed(),
        pytest.raises(PoolExhaustedError, match="all 1 pooled producers were in use for 1 s"),
    ):
        pool.ingest([b"1"])
    assert pool.ingest([b"1"]) == 1, "the producer came back"
    pool.close()


def test_the_pool_is_bounded_and_made_lazily(kafka, open_descriptors, wait_until):
    pool = Pooled(Settings(kafka, pool_size=3))
    before = open_descriptors()
    for number in range(1, 8):
        pool.ingest([b"message"] * 40)
        expected = before + 8 * min(number, 3)
        wait_until(lambda: open_descriptors() == expected, "the connections are settled")  # noqa: B023
    pool.close()
    assert open_descriptors() == before


def test_a_pool_survives_a_cluster_that_is_not_there(unreachable):
    pool = Pooled(Settings(unreachable, pool_size=1))
    for _ in range(2):  # the second one would wait for ever for a place that got lost
        with pytest.raises(TargetError, match=r"no broker of 127\.0\.0\.1:1 answered within 1 s"):
            pool.ingest([b"1"])
    pool.close()


def test_shared_is_flushed_on_close(broker, kafka):
    before = broker.end_offset()
    shared = Shared(Settings(KafkaConfig(kafka.bootstrap, options={"linger.ms": 2000})))
    producer = shared._shared_producer()
    for _ in range(25):
        producer.produce(kafka.topic, b"queued, and nobody waits for it")
    shared.close()
    assert broker.end_offset() == before + 25
