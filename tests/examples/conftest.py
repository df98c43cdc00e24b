"""The examples, built once; brokers as the tests of the targets have them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.targets.conftest import (  # noqa: F401 - fixtures
    _start,
    broker,
    kafka_brokers,
    kafka_installation,
    start_broker,
)

from .workshop import Example, built


@pytest.fixture(scope="session")
def example(request) -> Callable[[str], Example]:
    """An example by its name, built in a folder that later sessions find again."""
    into = request.config.cache.mkdir("tidemark-examples")
    return lambda name: built(name, into)
