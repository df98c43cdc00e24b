"""What a healthy process may do before it is warm, and for how long that has to be waited for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.test_decision import growth
from tests.analysis.test_growth import track
from tidemark.analysis.verdict.first_growth import (
    CACHED_BYTES,
    CACHED_REQUESTS,
    CACHED_S,
    COLLECTED,
    RUNTIMES,
    UNCOUNTED_S,
    UNKNOWN,
    first_growth,
)
from tidemark.analysis.verdict.regression import Points
from tidemark.record.metrics import MIB

GO = RUNTIMES["go"]
EVERY = [*RUNTIMES.values(), UNKNOWN, COLLECTED]


def of(*kinds, begin_x=0.0, begin_s=0.0, per_request=True):
    return first_growth(kinds or [GO], begin_x, begin_s, per_request=per_request)


def part(from_s, to_s, rate=20.0, begin_s=0.0):
    """A judged part between two moments of a load of so many requests a second."""
    at = np.linspace(from_s, to_s, 200)
    x = np.maximum(at - begin_s, 0) * rate
    life = np.zeros(len(at), dtype=np.intp)
    points = Points(at, x, np.ones(len(at)), life, np.empty((len(at), 0)), np.ones(len(at)))
    return growth(points=points)


def at_times(at, x):
    return replace(track(np.ones(len(at)), x=np.asarray(x)), elapsed_s=np.asarray(at))


def test_several_processes_do_it_together_and_the_slowest_is_named():
    found = of(GO, RUNTIMES["node"], GO, begin_x=7.0, begin_s=3.0)
    assert (found.first, found.wander, found.hidden) == (32 * MIB, 8 * MIB, 16 * MIB)
    assert (found.first_s, found.phrase) == (300.0, "a Node process")
    assert (found.begin_x, found.begin_s, found.per_request) == (7.0, 3.0, True)


def test_the_growth_of_the_heap_and_of_caches_is_allowed_from_the_beginning():
    assert of().allowed(part(0, 30)) == pytest.approx(GO.first + CACHED_BYTES * 600)
    assert of().allowed(part(0, 600)) == pytest.approx(GO.first + CACHED_BYTES * CACHED_REQUESTS)


@pytest.mark.parametrize(("from_s", "left"), [(0, 1.0), (30, 0.75), (90, 0.25), (120, 0.0)])
def test_less_and_less_of_the_heaps_growth_is_left(from_s, left):
    slow = replace(of(), cached=0.0, wander=0.0)
    assert slow.allowed(part(from_s, 500)) == pytest.approx(left * GO.first)
    later = replace(slow, begin_s=50.0)
    assert later.allowed(part(50 + from_s, 500)) == pytest.approx(left * GO.first)


@pytest.mark.parametrize(("from_s", "requests"), [(0, 3000), (50, 2000), (149, 20), (150, 0)])
def test_less_and_less_of_the_caches_is_left(from_s, requests):
    cold = replace(of(), first=0.0, wander=0.0)
    assert cold.allowed(part(from_s, 500)) == pytest.approx(CACHED_BYTES * requests)
    later = replace(cold, begin_x=100.0)
    found = replace(part(from_s, 500))
    found = replace(found, points=replace(found.points, x=found.points.x + 100))
    assert later.allowed(found) == pytest.approx(CACHED_BYTES * requests)


def test_caches_are_full_after_half_an_hour_at_whatever_rate():
    cold = replace(of(), first=0.0, wander=0.0)
    assert cold.allowed(part(0, 3600, rate=0.5)) == pytest.approx(CACHED_BYTES * 900, rel=0.02)
    assert cold.allowed(part(CACHED_S, 3600, rate=0.5)) == 0.0


def test_a_warm_process_still_goes_up_and_down():
    assert of().allowed(part(1000, 2000)) == GO.wander


def test_without_requests_any_growth_is_allowed_for_ten_minutes_and_then_none():
    found = of(per_request=False, begin_s=5.0)
    assert found.allowed(part(604, 2000)) == np.inf
    assert found.allowed(part(605, 2000)) == GO.wander


def test_a_control_run_takes_all_away_but_half_of_the_ups_and_downs():
    for per_request in (True, False):
        left = of(per_request=per_request).beyond_control()
        assert left.allowed(part(0, 30)) == 0.5 * GO.wander
        assert left.hidden == GO.hidden


@pytest.mark.parametrize("kind", EVERY)
def test_what_may_go_unseen_is_more_than_what_shows_and_less_than_what_is_hidden(kind):
    found = of(kind)
    assert 0 < found.shown < found.tolerated < found.hidden
    assert (found.tolerated, found.shown) == (kind.hidden / 2, kind.hidden / 4)


@pytest.mark.parametrize(
    ("at_s", "requests", "over"),
    [
        (119, 5000, False),
        (120, 5000, True),
        (120, 2999, False),
        (120, 3000, True),
        (1799, 100, False),
        (1800, 100, True),
    ],
)
def test_it_is_over_once_heap_and_caches_are_full(at_s, requests, over):
    assert of().is_over(at_times([at_s], [requests])).tolist() == [over]
    moved = of(begin_x=40.0, begin_s=70.0)
    assert moved.is_over(at_times([70 + at_s], [40 + requests])).tolist() == [over]


@pytest.mark.parametrize(("at_s", "over"), [(599, False), (600, True)])
def test_without_requests_it_is_over_after_ten_minutes(at_s, over):
    found = of(per_request=False)
    assert found.is_over(at_times([at_s], [at_s])).tolist() == [over]
    assert not of(RUNTIMES["jvm"], per_request=False).is_over(at_times([899], [899])).any()


def test_the_share_that_comes_after_it_is_that_of_the_bins():
    found = of()
    at = np.arange(0.0, 600.0)
    assert found.share_after(at_times(at, 20 * at)) == pytest.approx(450 / 600)
    assert found.share_after(at_times([], [])) == 0.0


SLOPES = st.floats(1.0, 1e9)
RATES = st.floats(0.01, 1e5)
KINDS = st.lists(st.sampled_from(EVERY), min_size=1, max_size=5)


@given(KINDS, SLOPES, RATES, st.floats(1.0, 100.0), st.booleans())
def test_how_long_to_wait_is_bounded_and_falls_with_the_growth(
    kinds, slope, rate, faster, per_request
):
    found = of(*kinds, per_request=per_request)
    after = found.told_after_s(slope, rate)
    assert 0 < after < np.inf
    assert found.told_after_s(faster * slope, rate) <= after * (1 + 1e-9)
    longest = 1.5 * max(found.first_s, CACHED_S if per_request else UNCOUNTED_S)
    assert after <= longest + found.wander / (slope * rate)
    if not per_request:
        assert after >= 1.5 * UNCOUNTED_S
    elif slope <= CACHED_BYTES:
        assert after >= 1.5 * found.first_s
    else:
        assert after <= found.first / ((slope - CACHED_BYTES) * rate)


@given(KINDS, st.floats(-1e9, 0.0), RATES, st.booleans())
def test_what_does_not_grow_is_told_when_it_is_warm(kinds, slope, rate, per_request):
    found = of(*kinds, per_request=per_request)
    filled = min(CACHED_REQUESTS / rate, CACHED_S) if per_request else UNCOUNTED_S
    assert found.told_after_s(slope, rate) == 1.5 * max(found.first_s, filled)
