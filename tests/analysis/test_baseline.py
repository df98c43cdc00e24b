import numpy as np
import pytest

from tests.analysis.made import make_run, steady, ticks
from tidemark.analysis.verdict.baseline import compare_verdicts
from tidemark.analysis.verdict.judge import judge
from tidemark.analysis.verdict.model import Interval, ResourceVerdict, Verdict
from tidemark.record.metrics import RESOURCES


def changes(current, baseline):
    return {change.resource: change for change in compare_verdicts(current, baseline)}


def compare_runs(current, baseline):
    return changes(judge(current), judge(baseline))


def verdict(decision, low, middle, high):
    resources = {
        name: ResourceVerdict(
            name,
            decision,
            "",
            per_request=middle,
            per_request_interval=Interval(low, high),
            per_hour=middle,
            per_hour_interval=Interval(low, high),
        )
        for name in RESOURCES
    }
    return Verdict("made", decision, "", resources)


@pytest.mark.parametrize(
    ("now", "then", "change"),
    [
        (("leak", 0.9, 1.0, 1.1), ("clean", 0.0, 0.0, 0.01), "worse"),
        (("clean", 0.0, 0.0, 0.01), ("leak", 0.9, 1.0, 1.1), "better"),
        (("leak", 0.99, 1.0, 1.01), ("leak", 0.98, 0.99, 1.0), "same"),
        (("clean", 0.0, 0.0, 0.02), ("clean", 0.0, 0.0, 0.02), "same"),
        (("inconclusive", -1.0, 0.5, 2.0), ("clean", 0.0, 0.0, 0.01), "cannot tell"),
    ],
)
def test_the_interval_of_the_difference_decides(now, then, change):
    found = changes(verdict(*now), verdict(*then))["fds"]
    assert found.change == change
    assert found.difference == pytest.approx(now[2] - then[2])
    assert found.interval.contains(found.difference)


def test_a_version_that_leaks_is_worse_than_one_that_does_not():
    at = ticks()
    leaking = make_run(at, 30 + np.floor(0.05 * steady(at)), requests=steady(at))
    fixed = make_run(at, np.full(len(at), 30.0), requests=steady(at))
    found = compare_runs(leaking, fixed)
    assert found["fds"].change == "worse"
    assert found["threads"].change == "same"
    assert "faster growth, by 0.05" in found["fds"].reason
    assert compare_runs(fixed, leaking)["fds"].change == "better"


def test_growth_is_compared_per_hour_where_requests_are_unknown():
    at = ticks()
    leaking = make_run(at, 30 + np.floor(at / 10), requests=steady(at))
    found = compare_runs(leaking, make_run(at, np.full(len(at), 30.0)))
    assert not found["fds"].per_request
    assert found["fds"].change == "worse"
    assert "an hour" in found["fds"].reason


def test_growth_that_is_unknown_cannot_be_compared():
    unknown = Verdict("made", "clean", "", {n: ResourceVerdict(n, "clean", "") for n in RESOURCES})
    found = compare_verdicts(unknown, unknown)
    assert {change.change for change in found} == {"cannot tell"}


@pytest.mark.parametrize(
    ("now", "then", "change"),
    [
        ((0.0299, 0.03, 0.0301), (0.0199, 0.02, 0.0201), "same"),
        ((0.0309, 0.031, 0.0311), (0.0199, 0.02, 0.0201), "worse"),
        ((0.0199, 0.02, 0.0201), (0.0309, 0.031, 0.0311), "better"),
        ((1.039, 1.04, 1.041), (0.999, 1.0, 1.001), "same"),
        ((1.059, 1.06, 1.061), (0.999, 1.0, 1.001), "worse"),
    ],
)
def test_a_difference_that_nobody_would_act_on_is_none(now, then, change):
    """A hundredth of a descriptor per request, or a twentieth of the larger growth."""
    found = changes(verdict("leak", *now), verdict("leak", *then))
    assert found["fds"].change == change


def test_a_kilobyte_per_request_is_no_difference_in_memory():
    for more, change in ((1000.0, "same"), (1050.0, "worse")):
        low, high = 5000 + more - 1, 5000 + more + 1
        now = verdict("leak", low, 5000 + more, high)
        found = changes(now, verdict("leak", 4999.0, 5000.0, 5001.0))
        assert found["rss_bytes"].change == change


@pytest.mark.parametrize(
    ("now", "decision", "change"),
    [
        ((0.992, 1.0, 1.008), "leak", "same"),
        ((0.5, 1.0, 1.5), "leak", "cannot tell"),
        ((0.5, 1.0, 1.5), "clean", "same"),
        ((0.9, 1.0, 1.01), "leak", "cannot tell"),
        ((0.99, 1.0, 1.1), "leak", "cannot tell"),
    ],
)
def test_growth_is_the_same_if_a_difference_is_excluded_or_both_are_clean(now, decision, change):
    then = verdict(decision, 0.992, 1.0, 1.008)
    assert changes(verdict(decision, *now), then)["fds"].change == change


def test_one_clean_run_of_two_does_not_make_them_the_same():
    found = changes(verdict("clean", 0.5, 1.0, 1.5), verdict("leak", 0.9, 1.0, 1.1))
    assert found["fds"].change == "cannot tell"
