import pytest

from tidemark.analysis.verdict.model import RESOURCES, Interval, ResourceVerdict, Verdict
from tidemark.analysis.verdict.thresholds import apply_thresholds, parse_thresholds
from tidemark.record.errors import UnusableRunError


def verdict(**growth):
    resources = {name: ResourceVerdict(name, "clean", "") for name in RESOURCES}
    for name, (low, middle, high) in growth.items():
        resources[name] = ResourceVerdict(
            name, "leak", "", per_request=middle, per_request_interval=Interval(low, high)
        )
    return Verdict("made", "leak", "", resources)


def test_thresholds_are_read():
    assert parse_thresholds(["fds=0.01", " rss_bytes = 2e3"]) == {"fds": 0.01, "rss_bytes": 2000.0}


@pytest.mark.parametrize("text", ["fds", "fds=", "fds=x", "fds=-1", "fds=nan", "files=1", "=1"])
def test_a_malformed_threshold_names_what_is_wanted(text):
    with pytest.raises(UnusableRunError, match=r"as in fds=0\.01") as caught:
        parse_thresholds([text])
    assert caught.value.exit_code == 2


def test_growth_above_its_threshold_is_a_violation():
    found = apply_thresholds(verdict(fds=(0.04, 0.05, 0.06)), {"fds": 0.01})
    assert [violation.resource for violation in found] == ["fds"]
    assert found[0].certain
    assert "at most 0.01 descriptors a request are allowed" in found[0].reason


def test_growth_that_may_be_below_is_a_violation_that_is_not_certain():
    (found,) = apply_thresholds(verdict(fds=(0.005, 0.02, 0.04)), {"fds": 0.01})
    assert not found.certain


@pytest.mark.parametrize("middle", [0.0, 0.01])
def test_growth_up_to_its_threshold_is_none(middle):
    assert apply_thresholds(verdict(fds=(0.0, middle, 0.5)), {"fds": 0.01}) == []


def test_growth_that_is_unknown_cannot_be_allowed():
    (found,) = apply_thresholds(verdict(), {"threads": 1.0})
    assert found.found is None
    assert not found.certain
