"""How far clocks are apart is told within half a round trip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.agent.clocks import ClockEstimate, Exchange

DELAYS = st.floats(0.0, 0.5)


def exchange(ahead_s, there, back, at_s=100.0):
    return Exchange(at_s, at_s + there + back, at_s + there + ahead_s, ahead_s)


@given(st.floats(-1e6, 1e6), st.lists(st.tuples(DELAYS, DELAYS), min_size=1, max_size=100))
def test_it_is_never_off_by_more_than_it_says(ahead_s, delays):
    estimate = ClockEstimate()
    for there, back in delays:
        estimate.learn(exchange(ahead_s, there, back))
        assert abs(estimate.held.ahead_s - ahead_s) <= estimate.held.uncertainty_s + 1e-6


def test_it_stays_until_it_is_wrong_or_much_better_is_known():
    estimate = ClockEstimate()
    assert estimate.learn(exchange(2.5, 0.02, 0.0))
    assert not estimate.learn(exchange(2.5, 0.0, 0.01))
    assert estimate.held.uncertainty_s == pytest.approx(0.01)
    assert estimate.learn(exchange(2.5, 0.002, 0.002))
    assert not estimate.learn(exchange(2.5015, 0.001, 0.001))
    assert estimate.learn(exchange(2.6, 0.0005, 0.0005))  # it has drifted away
    assert estimate.held.ahead_s == pytest.approx(2.6)


def test_what_is_long_ago_is_forgotten():
    estimate = ClockEstimate()
    estimate.learn(exchange(1.0, 0.001, 0.001))
    for _ in range(64):
        estimate.learn(exchange(1.5, 0.01, 0.01))
    assert estimate.held.ahead_s == pytest.approx(1.5)
