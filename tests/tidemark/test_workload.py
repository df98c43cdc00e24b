"""Arrivals and payloads: repeatable, Poisson, on the ramp that was asked for."""

import itertools
import json
import zlib

from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tidemark.run.batches import Batches
from tidemark.run.course import arrival_times
from tidemark.run.curve import CONSTANT
from tidemark.run.ledger import read_label

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
    times = list(itertools.islice(arrival_times(rate, seed, CONSTANT.after_ramp(ramp_s)), 50))
    assert times == sorted(times)
    assert times[0] > 0


@given(st.integers(1, 20), st.integers(24, 200), st.integers(0, 99), st.integers(0, 10**9))
def test_a_body_is_an_array_of_labelled_strings_of_the_asked_size(
    size: int, length: int, seed: int, number: int
) -> None:
    body = Batches(size, length, seed, RUN).body(number)
    messages = json.loads(body)
    assert body == json.dumps(messages).encode()
    assert [len(message) for message in messages] == [length] * size
    sequences = list(range(number * size, (number + 1) * size))
    assert [read_label(message, RUN) for message in messages] == sequences


def test_a_label_is_whole_where_it_leaves_no_room() -> None:
    (message,) = json.loads(Batches(1, 24, 1, RUN).body(10**20))
    assert message == f"{RUN}:{10**20}:"


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_body_is_the_same_whoever_makes_it_and_whatever_was_made_before(
    number: int, other: int
) -> None:
    assert (ONES.body(other), ONES.body(number))[1] == OTHERS.body(number)


ONES, OTHERS = (Batches(3, 50, 7, RUN) for _ in range(2))


def test_another_seed_gives_other_fillings() -> None:
    first, second = (Batches(3, 50, seed, RUN) for seed in (7, 8))
    assert all(first.body(number) != second.body(number) for number in range(100))


def test_no_filling_comes_again_soon() -> None:
    batches = Batches(1, 64, 1, RUN)
    fillings = {json.loads(batches.body(number))[0][-32:] for number in range(20_000)}
    assert len(fillings) == 20_000


def test_a_batch_does_not_compress_better_than_random_hexadecimal_digits() -> None:
    body = Batches(500, 100, 1, RUN).body(12)
    assert len(zlib.compress(body)) > 0.5 * len(body)  # four bits of eight
