"""What concerns the tests of every room."""

import os

import pytest

from tidemark.targets.brokers.java import find_installation
from tidemark.targets.errors import TargetError


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `kafka` need Java and the jars; a pipeline has to bring both."""
    if not item.get_closest_marker("kafka"):
        return
    try:
        find_installation()
    except TargetError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true, and Kafka is missing: {error}")
        pytest.skip(str(error))
