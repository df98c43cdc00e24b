"""What concerns the tests of every room."""

import gc
import os

import pytest
from hypothesis import settings

from tidemark.targets.brokers.java import find_installation
from tidemark.targets.errors import TargetError

# The same examples in every run, in a pipeline and at a desk, so that a failure is one that the
# last change has made; HYPOTHESIS_PROFILE=nightly draws new ones, and more. No example is timed.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("nightly", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "ci")


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


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is imported by now stays: the garbage collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
