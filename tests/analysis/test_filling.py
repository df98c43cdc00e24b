"""Pools that fill, and leaks that look like it: what tells them apart, on both sides."""

import numpy as np
import pytest

from tests.analysis.made import happened, make_run, steady, ticks
from tests.analysis.test_decision import growth
from tidemark.analysis.verdict.decision import Judgement, Pattern
from tidemark.analysis.verdict.filling import FILL_S, PLACES, POOL, Filling
from tidemark.analysis.verdict.limits import read_limits
from tidemark.analysis.verdict.resource import Subject, judge_resource
from tidemark.analysis.verdict.series import bin_run
from tidemark.analysis.verdict.tracks import Track
from tidemark.analysis.verdict.window import find_window
from tidemark.record.events import Emfile

AT = np.arange(1000.0)
TRACK = Track("process 10", 10, AT, AT, AT, AT, np.zeros(1000, int), np.zeros((1000, 0)), AT)
COUNTED = pytest.mark.parametrize("counted", [True, False], ids=["counted", "uncounted"])


def judged(at, rate, per_place, places, resource="fds", *, counted=True):
    """The verdict on a service that makes a place with each request until it has enough."""
    requests = steady(at, rate)
    series = 10.0 + per_place * np.minimum(requests, places)
    run = make_run(at, series, resource=resource, requests=requests if counted else None)
    return _found(run, resource)


def _found(run, resource="fds"):
    bins, processes = bin_run(run)
    subject = Subject(find_window(run, bins, processes), processes, read_limits(run))
    return judge_resource(resource, subject)


@COUNTED
@pytest.mark.parametrize("places", [10, 25])
@pytest.mark.parametrize("per_place", [1, 3, 8])
def test_a_pool_that_is_filling_is_not_a_leak_at_whatever_length(places, per_place, counted):
    """Of each pool: seen until it is half full, nearly full, just full, and full for a while."""
    for share in (0.5, 0.9, 1.0, 1.5):
        at = ticks(15.0, 0.5)
        found = judged(at, share * places / 15.0, per_place, places, counted=counted)
        assert found.verdict != "leak", (share, found.reason)


@COUNTED
def test_a_pool_that_was_filling_says_what_to_do(counted):
    at = ticks(13.0, 0.5)
    found = judged(at, 2.0, 4, 26, counted=counted)
    assert found.verdict == "inconclusive"
    assert "which may be a pool that fills with its first requests; run for" in found.reason
    assert found.run_for_s == (
        pytest.approx(max(2 * PLACES / 2.0, 60.0), rel=0.1) if counted else 2 * FILL_S
    )


@pytest.mark.parametrize("resource", ["fds", "connections", "threads"])
def test_as_long_as_was_said_is_long_enough(resource):
    rate, short = 1.0, ticks(30.0)
    said = judged(short, rate, 1, 10_000, resource)
    assert said.verdict == "inconclusive"
    at = ticks(said.run_for_s)
    assert judged(at, rate, 1, 10_000, resource).verdict == "leak"
    assert judged(at, rate, 1, 32, resource).verdict == "clean"


@COUNTED
@pytest.mark.parametrize(("duration_s", "rate"), [(13.0, 3.5), (13.0, 10.0), (15.0, 10.0)])
def test_a_fast_leak_is_told_within_seconds(duration_s, rate, counted):
    found = judged(ticks(duration_s, 0.5), rate, 8, 10_000, counted=counted)
    assert found.verdict == "leak"
    assert found.forecast is not None


def test_growth_that_goes_on_after_a_pool_is_a_leak_however_little_it_is():
    assert judged(ticks(600.0, 2.0), 10.0, 0.01, 10**9).verdict == "leak"
    assert judged(ticks(600.0, 2.0), 10.0, 0.01, 10**9, counted=False).verdict == "leak"


def test_what_ran_out_of_descriptors_had_no_pool():
    at = ticks(15.0, 0.5)
    requests = steady(at, 10.0)
    series = np.minimum(16.0 + requests, 128.0)
    died = [happened(11.5, Emfile("Too many open files"))]
    run = make_run(at, series, requests=requests, fds_limit=128.0, events=died)
    assert _found(run).verdict == "leak"


@pytest.mark.parametrize(("total", "decision"), [(POOL, "inconclusive"), (POOL + 1, "leak")])
def test_a_pool_explains_so_much_and_no_more(total, decision):
    found = Judgement("leak", Pattern.STEADY, growth(total=total))
    doubt = Judgement("inconclusive", Pattern.THIN, None)
    assert Filling(0.0, 0.0, per_request=True).weighed(TRACK, found, lambda _: doubt).decision == (
        decision
    )


@pytest.mark.parametrize(
    ("later", "pattern"),
    [
        (Judgement("leak", Pattern.STEADY, None), Pattern.STEADY),
        (Judgement("clean", Pattern.FLAT, None), Pattern.FLAT),
        (Judgement("inconclusive", Pattern.NOISY, None), Pattern.FILLING),
    ],
)
def test_what_comes_after_the_pool_decides(later, pattern):
    seen = []
    found = Judgement("leak", Pattern.STEADY, growth(total=20.0))
    filling = Filling(100.0, 10.0, per_request=True)
    weighed = filling.weighed(TRACK, found, lambda track: (seen.append(track), later)[1])
    assert weighed.pattern is pattern
    assert seen[0].x[0] == 100.0 + PLACES
