"""When a load is steady, and what of a resource it explains where it is not."""

import numpy as np
import pytest

from tests.analysis.made import make_run, steady, ticks
from tidemark.analysis.verdict.load import describe_load
from tidemark.analysis.verdict.series import bin_run


def load_of(at, requests, users=None, *, begin_s=0.0, end_s=1e9):
    run = make_run(at, np.full(len(at), 20.0), requests=requests, users=users)
    bins, _ = bin_run(run)
    return describe_load(bins, begin_s, end_s)


@pytest.fixture
def at():
    return ticks(480.0)


def counted(rate):
    return np.floor(np.cumsum(rate))


def test_a_load_that_is_always_the_same_is_steady_from_the_beginning(at):
    load = load_of(at, steady(at))
    assert not load.varies
    assert load.steady_from_s == 0.0
    assert load.covariates.shape == (480, 0)


def test_a_load_is_steady_once_the_ramp_has_ended(at):
    users = np.minimum(1 + np.floor(at / 10), 11.0)
    load = load_of(at, counted(users), users)
    assert not load.varies
    assert load.steady_from_s == 100.0


@pytest.mark.parametrize(("begin", "varies"), [(590.0, False), (610.0, True)])
def test_the_steady_part_alone_is_judged_if_it_served_two_fifths_of_the_requests(begin, varies):
    at = ticks(1000.0)
    load = load_of(at, steady(at), np.where(at < begin, 5.0, 10.0))
    assert load.varies == varies
    assert load.steady_from_s == (0.0 if varies else begin)


@pytest.mark.parametrize(("last", "varies"), [(102.0, False), (104.0, True)])
def test_a_load_within_three_hundredths_of_its_level_is_the_same(at, last, varies):
    users = np.where(at < 380, last, 100.0)
    assert load_of(at, steady(at), users).varies == varies


def test_a_load_that_varies_explains_by_its_level_and_by_its_high_water_mark(at):
    users = np.round(20 + 10 * np.sin(at / 40))
    load = load_of(at, counted(users), users)
    assert load.varies
    assert np.array_equal(load.covariates[:, 0][1:-2], users[1:-2])
    assert np.array_equal(load.covariates[:, 1], np.maximum.accumulate(load.covariates[:, 0]))


def test_without_users_the_rate_of_the_requests_is_the_load(at):
    rate = np.where(at < 430, 10.0, 30.0)
    load = load_of(at, counted(rate))
    assert load.varies
    assert load.covariates[100, 0] == pytest.approx(10, rel=0.01)
    assert load.covariates[460, 0] == pytest.approx(30, rel=0.01)
    middle = load.covariates[428:433, 0]  # the rate is taken over 20 s
    assert np.all((middle > 15) & (middle < 25))


def test_a_rate_strays_by_chance_and_is_steady_all_the_same(at, rng):
    for _ in range(20):
        assert not load_of(at, np.cumsum(rng.poisson(2.0, len(at))).astype(float)).varies


@pytest.mark.parametrize(("before", "varies"), [(5.5, False), (9.0, True)])
def test_a_rate_that_strays_by_more_than_chance_varies(at, before, varies):
    rate = np.where(at < 380, before, 5.0)  # 4.5 of the deviations of 100 requests are 45 %
    assert load_of(at, counted(rate)).varies == varies


def test_users_that_have_gone_by_the_last_tick_were_there_until_then(at):
    users = np.r_[np.full(478, 10.0), 10.0, 0.0]
    assert not load_of(at, steady(at), users).varies
    assert load_of(at, steady(at), np.r_[np.full(470, 10.0), np.zeros(10)]).varies


def test_what_lies_outside_of_the_judged_part_does_not_count(at):
    users = np.where(at < 50, 1.0, np.where(at < 400, 10.0, 30.0))
    load = load_of(at, counted(users), users, begin_s=60.0, end_s=390.0)
    assert not load.varies
    assert load.steady_from_s == 60.0


@pytest.mark.parametrize(("bins", "varies"), [(8, True), (7, False)])
def test_nothing_is_said_of_a_load_of_fewer_than_eight_bins(bins, varies):
    at = ticks(float(bins))
    users = np.arange(1.0, bins + 1)
    assert load_of(at, counted(10 * users), users).varies == varies


def test_a_load_of_no_requests_is_none(at):
    load = load_of(at, np.full(len(at), 7.0), 1 + np.floor(at / 10))
    assert not load.varies
    assert load.steady_from_s == 0.0
