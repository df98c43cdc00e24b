"""How fast requests come, and how long so many of them take."""

import numpy as np
import pytest

from tests.analysis.made import make_run, ticks
from tidemark.analysis.verdict.judge import judge
from tidemark.analysis.verdict.pace import LEAST_DISPERSION, Pace, measure_pace
from tidemark.analysis.verdict.series import bin_run
from tidemark.analysis.verdict.window import find_window


def arrivals(rng, at, rate):
    return np.r_[0.0, np.cumsum(rng.poisson(rate * np.diff(at)))]


def pace_of(at, x, stretch=None, *, counted=True):
    stretch = np.zeros(len(at), dtype=np.intp) if stretch is None else stretch
    return measure_pace(at, x, stretch, counted=counted)


def test_poisson_arrivals_have_a_dispersion_of_one(rng):
    at = ticks(300.0)
    found = [pace_of(at, arrivals(rng, at, 10.0)) for _ in range(50)]
    assert np.mean([one.dispersion for one in found]) == pytest.approx(1.0, abs=0.1)
    assert np.mean([one.per_s for one in found]) == pytest.approx(10.0, rel=0.01)


def test_users_who_wait_are_more_even(rng):
    at = ticks(300.0)
    assert pace_of(at, 10 * at).dispersion < 0.7
    assert pace_of(at, 10 * at).dispersion >= LEAST_DISPERSION


def test_what_comes_between_two_stretches_is_not_counted():
    at = ticks(40.0)
    x = np.where(at < 20, at, at + 500)
    assert pace_of(at, x, (at >= 20).astype(np.intp)).per_s == pytest.approx(1.0)


@pytest.mark.parametrize("x", [np.zeros(10), np.zeros(1), np.zeros(0)])
def test_nothing_that_came_is_no_pace(x):
    assert pace_of(ticks(float(len(x))), x).per_s == 0.0


def test_seconds_have_no_chance_in_them(rng):
    pace = pace_of(ticks(60.0), ticks(60.0), counted=False)
    assert pace.seconds(np.array([5.0, np.inf]), rng).tolist() == [5.0, np.inf]


def test_the_time_of_many_requests_varies_by_their_arrivals_and_by_what_is_known(rng):
    drawn = Pace(10.0, 400.0, 1.0).seconds(np.full(20_000, 1_000.0), rng)
    assert drawn.mean() == pytest.approx(100.0, rel=0.01)
    assert drawn.std() == pytest.approx(100 * np.sqrt(1 / 1_000 + 1 / 400), rel=0.05)
    assert Pace(10.0, 400.0, 1.0).seconds(np.array([0.0, np.inf]), rng).tolist() == [0.0, np.inf]


@pytest.mark.long
def test_nine_of_ten_deaths_fall_within_the_interval_of_time():
    """Poisson arrivals, seen for 30 s, of which the 1,247th is the last: after some 125 s."""
    covered = []
    for seed in range(200):
        rng = np.random.default_rng([seed, 10])
        arrived = np.cumsum(rng.exponential(0.1, 2_000))
        at = ticks(30.0, 0.5)
        run = make_run(at, 20.0 + at, requests=np.searchsorted(arrived, at).astype(float))
        window = find_window(run, *bin_run(run))
        drawn = window.pace.seconds(np.full(1_000, 1_247 - window.end_x), rng)
        low, high = np.quantile(window.end_s + drawn, [0.05, 0.95])
        covered.append(low <= arrived[1_247] <= high)
    assert 0.85 <= np.mean(covered) <= 0.97


def test_the_time_of_a_forecast_is_less_sure_than_its_requests(rng):
    at = ticks(60.0)
    requests = arrivals(rng, at, 10.0)
    run = make_run(at, 20 + 8 * requests, requests=requests, fds_limit=10_000.0)
    forecast = judge(run).resources["fds"].forecast
    in_requests = forecast.requests_interval.width / (forecast.requests - requests[-1])
    in_time = forecast.interval_s.width / (forecast.elapsed_s - at[-1])
    assert in_time > 3 * in_requests
    assert forecast.interval_s.contains(forecast.elapsed_s)


def test_what_came_all_at_once_may_not_come_again():
    pace = Pace(per_s=1.0, counted=10.0, dispersion=1e6)
    found = pace.seconds(np.full(100, 5.0), np.random.default_rng(1))
    assert np.isinf(found).any()
    assert not np.isnan(found).any()
