import numpy as np
import pytest

from tests.analysis.made import limits, make_run, ticks
from tidemark.analysis.verdict.limits import read_limits
from tidemark.record.metrics import metric


def of(*events):
    at = ticks(20.0)
    return read_limits(make_run(at, np.ones(len(at)), events=events))


def test_the_lowest_limit_of_any_process_counts():
    found = of(
        limits(threads_limit=4096, threads_limit_source="pids.max"),
        limits(threads_limit=512, threads_limit_source="RLIMIT_NPROC", rss_bytes_limit=2**30),
    )
    assert found.of(metric("threads"), None) == 512.0
    assert found.of(metric("rss_bytes"), None) == 2**30
    assert found.local_ports is None


@pytest.mark.parametrize("value", [None, -1, 0, 2**70])
def test_what_is_no_limit_is_unknown(value):
    assert of(limits(threads_limit=value)).of(metric("threads"), None) is None


def test_local_ports_are_counted_with_both_ends():
    assert of(limits(local_ports_low=1000, local_ports_high=1009)).local_ports == 10
    assert of(limits(local_ports_low=1009, local_ports_high=1000)).local_ports is None
