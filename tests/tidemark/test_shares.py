"""Shares: a partition whatever the number of generators, which only a lost one's part leaves."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tidemark.routes import Route, read_routes
from tidemark.routes.mix import Mix
from tidemark.run.course import Arrival, Course, Trail, arrival_times
from tidemark.run.shares import Shares

RATE = 50.0


def course(generator: int, count: int, seed: int = 1, routes: tuple[Route, ...] = ()) -> Course:
    mix = Mix(routes, seed, "run")
    return Course(arrival_times(RATE, seed), mix, Shares(seed, count), generator)


def until(given: Course, end_s: float, *, from_now: float = 0.0) -> list[Arrival]:
    """All that it hands out until then."""
    arrivals = []
    while (arrival := given.next(from_now)).due_s < end_s:
        arrivals.append(arrival)
    return arrivals


@given(st.integers(0, 1000), st.integers(1, 9))
def test_the_union_of_the_shares_is_the_whole(seed: int, count: int) -> None:
    whole = until(course(0, 1, seed), 5.0)
    parts = [until(course(generator, count, seed), 5.0) for generator in range(count)]
    assert sorted(itertools.chain(*parts)) == whole


def test_a_share_is_a_poisson_process_of_its_part_of_the_rate() -> None:
    times = [arrival.due_s for arrival in until(course(1, 4), 400.0)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert stats.kstest(gaps, stats.expon(scale=4 / RATE).cdf).pvalue > 0.01


def test_the_shares_are_alike() -> None:
    shares = Shares(3, 5)
    counts = Counter(shares.owner(number, 1.0) for number in range(50_000))
    assert stats.chisquare([counts[one] for one in range(5)]).pvalue > 0.001


def test_every_generator_draws_the_same_routes() -> None:
    from pathlib import Path

    routes = read_routes([{"path": "/a", "weight": 3}, {"path": "/b"}], Path())
    whole = {one.number: one.drawn for one in until(course(0, 1, 1, routes), 5.0)}
    for generator in range(3):
        for one in until(course(generator, 3, 1, routes), 5.0):
            assert one.drawn == whole[one.number]


@given(st.integers(0, 100), st.integers(2, 6), st.data())
def test_what_a_lost_one_had_is_dealt_to_the_others_once(
    seed: int, count: int, data: st.DataObject
) -> None:
    lost = data.draw(st.integers(0, count - 1))
    from_s = 3.0
    before, after = Shares(seed, count), Shares(seed, count)
    after.lose(lost, from_s)
    for number, due_s in enumerate(itertools.takewhile(lambda s: s < 6, arrival_times(RATE, seed))):
        first, then = before.owner(number, due_s), after.owner(number, due_s)
        if first != lost or due_s < from_s:
            assert then == first
        else:
            assert then != lost


@given(st.integers(0, 50), st.floats(0.0, 4.0), st.floats(0.0, 4.0))
def test_a_generator_that_hears_late_of_a_loss_misses_nothing(
    seed: int, heard_s: float, from_s: float
) -> None:
    """Wherever in its course it is when it hears, all that is due later is handed out once."""
    alive = [course(generator, 3, seed) for generator in (0, 2)]
    handed: list[Arrival] = []
    for one in alive:
        handed += until(one, heard_s)
        one.lose(1, from_s)
        handed += until(one, 6.0)
    lost = Shares(seed, 3)
    due = enumerate(itertools.takewhile(lambda s: s < 6, arrival_times(RATE, seed)))
    expected = [n for n, due_s in due if lost.owner(n, due_s) != 1 or due_s >= from_s]
    # The arrival that ended `until` was handed out too.
    missed = set(expected) - {arrival.number for arrival in handed}
    assert len(missed) <= len(alive)
    assert len({arrival.number for arrival in handed}) == len(handed)


def test_who_waits_gets_what_has_come_to_be_due_first() -> None:
    mine = course(0, 2)
    waits_for = mine.next(0.0)
    assert mine.still(waits_for, 0.0) is waits_for
    mine.lose(1, 0.0)
    handed = [mine.still(waits_for, 0.0), *until(mine, 5.0)]
    assert [arrival.number for arrival in handed] == list(range(len(handed)))


def test_nothing_is_handed_out_that_is_due_after_the_end() -> None:
    mine = course(0, 2)
    waits_for = until(mine, 1.0)[-1]
    mine.end(waits_for.due_s)
    assert mine.still(waits_for, 1.0).due_s == pytest.approx(float("inf"))
    assert mine.next(1.0).due_s == float("inf")


def test_the_trail_knows_what_was_due_of_late() -> None:
    trail = Trail(arrival_times(RATE, 1), Mix((), 1, "run"))
    for now_s in (0.0, 5.0, 20.0):
        trail.walk(now_s)
    whole = until(course(0, 1), 20.0)
    assert trail.between(15.0, 20.0) == [one for one in whole if one.due_s >= 15.0]
    assert len(trail.between(0.0, 20.0)) < len(whole)
