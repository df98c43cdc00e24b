"""Arrivals and payloads: repeatable, Poisson, on the ramp that was asked for."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tidemark.run.ledger import read_label
from tidemark.run.load import arrival_times, batches, time_of_arrival

RUN = "0a1b2c3d"


def take(count: int, **options: float) -> list[float]:
    rate = options.pop("rate", 10.0)
    seed = int(options.pop("seed", 1))
    return list(itertools.islice(arrival_times(rate, seed, **options), count))


def test_the_same_seed_gives_the_same_arrivals() -> None:
    assert take(100, seed=3) == take(100, seed=3)
    assert take(100, seed=3) != take(100, seed=4)


def test_gaps_are_exponential() -> None:
    times = take(5000, rate=10.0)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert stats.kstest(gaps, stats.expon(scale=0.1).cdf).pvalue > 0.01


@given(st.floats(0.1, 1e3), st.floats(0, 1e3), st.integers(0, 1000))
def test_arrivals_never_go_back(rate: float, ramp_s: float, seed: int) -> None:
    times = list(itertools.islice(arrival_times(rate, seed, ramp_s), 50))
    assert times == sorted(times)
    assert times[0] > 0


@given(st.floats(0.1, 100), st.floats(0.1, 100))
def test_a_ramp_sends_half_of_what_its_time_would(rate: float, ramp_s: float) -> None:
    assert time_of_arrival(rate * ramp_s / 2, rate, ramp_s) == pytest.approx(ramp_s)
    assert time_of_arrival(rate * ramp_s / 8, rate, ramp_s) == pytest.approx(ramp_s / 2)


@given(st.integers(1, 20), st.integers(24, 200), st.integers(0, 99))
def test_a_body_is_an_array_of_strings_of_the_asked_size(size: int, length: int, seed: int) -> None:
    body = json.loads(next(batches(size, length, seed, RUN)))
    assert [len(message.encode()) for message in body] == [length] * size


def test_messages_are_numbered_through_the_run() -> None:
    bodies = itertools.islice(batches(3, 50, 1, RUN), 4)
    messages = [message for body in bodies for message in json.loads(body)]
    assert [read_label(message, RUN) for message in messages] == list(range(12))


def test_the_same_seed_gives_the_same_payloads() -> None:
    first, second, other = (
        list(itertools.islice(batches(3, 50, seed, RUN), 4)) for seed in (7, 7, 8)
    )
    assert first == second
    assert first != other
    assert len(set(first)) == 4
