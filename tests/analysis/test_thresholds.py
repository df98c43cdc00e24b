import dataclasses

import pytest

from tidemark.analysis.verdict.model import Interval, ResourceVerdict
from tidemark.analysis.verdict.thresholds import check_threshold, parse_thresholds
from tidemark.record.errors import OptionError


def grows(low, middle, high, name="fds"):
    interval = Interval(low, high)
    return ResourceVerdict(name, "leak", "", per_request=middle, per_request_interval=interval)


def test_thresholds_are_read():
    assert parse_thresholds(["fds=0.01", " rss_bytes = 2e3"]) == {"fds": 0.01, "rss_bytes": 2000.0}


@pytest.mark.parametrize("text", ["fds", "fds=", "fds=x", "fds=-1", "fds=nan", "files=1", "=1"])
def test_a_malformed_threshold_names_what_is_wanted(text):
    with pytest.raises(OptionError, match=r"as in fds=0\.01") as caught:
        parse_thresholds([text])
    assert caught.value.exit_code == 2


def test_growth_above_its_threshold_is_a_violation():
    found = check_threshold(grows(0.04, 0.05, 0.06), 0.01)
    assert found.kept is False
    assert "above the threshold of 0.01 descriptors a request" in found.reason


def test_growth_that_may_be_below_is_a_violation_that_is_not_certain():
    assert check_threshold(grows(0.005, 0.02, 0.04), 0.01).kept is None


@pytest.mark.parametrize("middle", [0.0, 0.01])
def test_growth_up_to_its_threshold_is_none(middle):
    assert check_threshold(grows(0.0, middle, 0.5), 0.01).kept is True


def test_growth_that_is_unknown_cannot_be_allowed():
    found = check_threshold(ResourceVerdict("threads", "clean", ""), 1.0)
    assert found.kept is None
    assert "unknown" in found.reason


@pytest.mark.parametrize(("high", "kept"), [(0.5, None), (0.9, True), (1.0, True), (1.1, None)])
def test_a_doubt_is_not_lifted_by_an_estimate(high, kept):
    """What could be above the threshold stays unknown where growth could not be told."""
    allowed = 0.4 if high == 0.5 else 1.0
    found = dataclasses.replace(grows(0.0, 0.3, high, "threads"), verdict="inconclusive")
    assert check_threshold(found, allowed).kept is kept


def test_one_of_it_is_one_and_memory_grows():
    assert "threshold of 1 descriptor a request" in check_threshold(grows(2, 3, 4), 1.0).reason
    said = check_threshold(grows(2e5, 3e5, 4e5, "rss_bytes"), 1024.0).reason
    assert said.startswith("resident memory: growth of 293 KiB")
