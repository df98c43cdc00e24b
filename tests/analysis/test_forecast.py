"""When a limit is reached, and how surely, for growth of which everything is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.analysis.made import make_run, steady, ticks
from tidemark.analysis.verdict.forecast import check_early_forecast, forecast_limit
from tidemark.analysis.verdict.growth import measure
from tidemark.analysis.verdict.model import Exhaustion
from tidemark.analysis.verdict.regression import LineFit
from tidemark.analysis.verdict.scope import Approach
from tidemark.analysis.verdict.series import bin_run
from tidemark.analysis.verdict.window import find_window

RATE = 0.02
"""Descriptors per request."""
NORMAL = 1e6
"""Degrees of freedom of a Student distribution that is as good as normal."""


@pytest.fixture(scope="module")
def run():
    """A run of 600 s at 10 requests a second, with its window and its growth."""
    at = ticks()
    made = make_run(at, 30 + RATE * steady(at), requests=steady(at))
    bins, processes = bin_run(made)
    window = find_window(made, bins, processes)
    return window, measure(window.view.of_process(processes[0], "fds"), 0.5)


def known(growth, *, level=150.0, slope=RATE, slope_sd=0.0, level_sd=0.0, walk=0.0, freedom=NORMAL):
    """The growth, with a fit of one error model of which everything is said here."""
    half = 1000.0
    fit = LineFit(
        weights=np.array([1.0]),
        means=np.array([[slope * half, level]]),
        covariances=np.array([[[(slope_sd * half) ** 2, 0.0], [0.0, 0.0]]]),
        freedom=freedom,
        bent=False,
        end_level=np.array([level]),
        end_scale=np.array([level_sd]),
        walk_variance=np.array([walk]),
        half_span=half,
    )
    return replace(growth, fit=fit, slope=slope, spread=0.0)


def alone(growth):
    return Approach(growth, (150.0,), (1.0,))


def test_growth_without_any_doubt_reaches_the_limit_when_it_must(run):
    window, growth = run
    forecast = forecast_limit(alone(known(growth)), window, 1000.0)
    assert forecast.requests == pytest.approx(window.end_x + 850 / RATE, rel=1e-3)
    assert forecast.requests_interval.width < 0.002 * forecast.requests
    assert forecast.elapsed_s == pytest.approx(window.end_s + 850 / RATE / 10, rel=2e-3)
    assert forecast.level == pytest.approx(150.0)
    assert (forecast.made_at_requests, forecast.made_at_elapsed_s) == (window.end_x, window.end_s)
    assert forecast.limit == 1000.0


def test_nine_of_ten_draws_lie_in_the_interval(run):
    window, growth = run
    forecast = forecast_limit(alone(known(growth, slope_sd=0.1 * RATE)), window, 1000.0)
    z = stats.norm.ppf(0.95)
    low, high = (850 / (RATE * (1 + 0.1 * sign * z)) for sign in (1, -1))
    assert forecast.requests_interval.low - window.end_x == pytest.approx(low, rel=0.02)
    assert forecast.requests_interval.high - window.end_x == pytest.approx(high, rel=0.02)
    assert forecast.requests - window.end_x == pytest.approx(850 / RATE, rel=0.02)
    for requests, at in zip(
        (forecast.requests_interval.low, forecast.requests_interval.high),
        (forecast.interval_s.low, forecast.interval_s.high),
        strict=True,
    ):
        assert at - window.end_s == pytest.approx((requests - window.end_x) / 10, rel=0.01)


def test_doubt_about_the_level_is_doubt_about_the_end(run):
    window, growth = run
    forecast = forecast_limit(alone(known(growth, level_sd=20.0)), window, 1000.0)
    z = stats.norm.ppf(0.95)
    assert forecast.requests_interval.width == pytest.approx(2 * z * 20 / RATE, rel=0.05)


def test_few_points_leave_more_doubt_than_many(run):
    window, growth = run
    few = forecast_limit(alone(known(growth, slope_sd=0.1 * RATE, freedom=3.0)), window, 1000.0)
    reach = stats.t.ppf(0.95, 3)
    high = 850 / (RATE * (1 - 0.1 * reach))
    assert few.requests_interval.high - window.end_x == pytest.approx(high, rel=0.05)


def test_uneven_growth_arrives_as_a_random_walk_with_drift_does(run):
    window, growth = run
    room, walk = 850.0, 2.0
    forecast = forecast_limit(alone(known(growth, walk=walk)), window, 1000.0)
    mean, shape = room / RATE, room**2 / walk
    passage = stats.invgauss(mean / shape, scale=shape)
    low, middle, high = passage.ppf([0.05, 0.5, 0.95])
    assert forecast.requests_interval.low - window.end_x == pytest.approx(low, rel=0.03)
    assert forecast.requests - window.end_x == pytest.approx(middle, rel=0.03)
    assert forecast.requests_interval.high - window.end_x == pytest.approx(high, rel=0.05)


def test_what_has_reached_its_limit_has_nothing_left(run):
    window, growth = run
    forecast = forecast_limit(alone(known(growth, level=1200.0)), window, 1000.0)
    assert forecast.requests == window.end_x
    assert forecast.elapsed_s == window.end_s


def test_requests_since_the_last_point_have_passed_already(run):
    window, growth = run
    shifted = replace(growth.points, x=growth.points.x - 1000.0)
    late = forecast_limit(alone(replace(known(growth), points=shifted)), window, 1000.0)
    in_time = forecast_limit(alone(known(growth)), window, 1000.0)
    assert in_time.requests - late.requests == pytest.approx(1000.0)


def test_a_slope_that_is_as_likely_to_fall_has_an_interval_without_an_end(run):
    window, growth = run
    forecast = forecast_limit(alone(known(growth, slope_sd=2 * RATE)), window, 1000.0)
    assert np.isfinite(forecast.requests)
    assert forecast.requests_interval.high == np.inf


@pytest.mark.parametrize("slope", [0.0, -RATE])
def test_what_does_not_grow_has_no_forecast(run, slope):
    window, growth = run
    assert forecast_limit(alone(known(growth, slope=slope)), window, 1000.0) is None


def test_what_most_draws_never_reach_has_no_forecast(run):
    window, growth = run
    falling = replace(known(growth, slope=-RATE), slope=RATE)
    assert forecast_limit(alone(falling), window, 1000.0) is None
    assert forecast_limit(alone(known(growth, slope=1e-13)), window, 1000.0) is None


def test_without_a_fit_or_without_load_there_is_no_forecast(run):
    window, growth = run
    assert forecast_limit(alone(replace(growth, fit=None)), window, 1000.0) is None
    still = replace(window, x=np.zeros(len(window.x)))
    assert forecast_limit(alone(known(growth)), still, 1000.0) is None


def test_the_first_of_several_processes_counts(run):
    window, growth = run
    level, share = (900.0, 200.0), 0.5
    approach = Approach(known(growth), level, (100.0, 100.0))
    forecast = forecast_limit(approach, window, 1000.0)
    first = 100 / (RATE * share)
    assert forecast.requests - window.end_x == pytest.approx(first, rel=0.1)
    assert forecast.requests_interval.contains(window.end_x + first)
    assert forecast.requests_interval.high < window.end_x + 800 / RATE
    assert forecast.level == 900.0


def test_the_process_that_answers_most_arrives_first_from_the_same_level(run):
    window, growth = run
    approach = Approach(known(growth), (200.0, 200.0), (300.0, 100.0))
    forecast = forecast_limit(approach, window, 1000.0)
    assert forecast.requests - window.end_x == pytest.approx(800 / (RATE * 0.75), rel=0.1)


def test_shares_of_which_more_was_seen_are_surer(run):
    window, growth = run
    widths = []
    for stretch in (1.0, 20.0):
        points = replace(growth.points, x=growth.points.x * stretch)
        approach = Approach(replace(known(growth), points=points), (200.0, 200.0), (100.0, 100.0))
        later = replace(window, x=window.x * stretch)
        widths.append(forecast_limit(approach, later, 1000.0).requests_interval.width)
    assert widths[1] < 0.5 * widths[0]


def test_shares_are_those_of_a_dirichlet_distribution(run):
    window, growth = run
    approach = Approach(known(growth), (200.0, 1e-9), (30.0, 10.0))
    forecast = forecast_limit(approach, window, 300.0)
    worth = 5.0 + growth.longest_span / 200.0
    share = stats.beta(1 + 0.75 * worth, 1 + 0.25 * worth)
    low, high = 100 / (RATE * share.ppf(0.95)), 100 / (RATE * share.ppf(0.05))
    assert forecast.requests_interval.low - window.end_x == pytest.approx(low, rel=0.03)
    assert forecast.requests_interval.high - window.end_x == pytest.approx(high, rel=0.05)


def test_processes_that_have_not_grown_yet_are_taken_for_alike(run):
    window, growth = run
    approach = Approach(known(growth), (200.0, 200.0), (0.0, 0.0))
    alike = Approach(known(growth), (200.0, 200.0), (70.0, 70.0))
    assert forecast_limit(approach, window, 1000.0) == forecast_limit(alike, window, 1000.0)


def test_a_request_that_dies_is_not_counted_and_those_on_their_way_blur_the_count(run):
    window, growth = run
    calm = replace(growth.track, busy=np.zeros(len(growth.track)))
    busy = replace(growth.track, busy=np.full(len(growth.track), 40.0))
    near = known(growth, level=998.0)  # 100 requests from the limit
    counted, blurred = (
        forecast_limit(alone(replace(near, track=track)), window, 1000.0).requests_interval
        for track in (calm, busy)
    )
    at = float(growth.points.x[-1])
    assert counted.low - at == pytest.approx(100 - 0.95, abs=0.1)
    assert counted.high - at == pytest.approx(100 - 0.05, abs=0.1)
    assert blurred.width == pytest.approx(2 * stats.norm.ppf(0.95) * 20, rel=0.05)


def test_growth_in_seconds_has_no_requests(run):
    window, growth = run
    forecast = forecast_limit(alone(known(growth)), replace(window, per_request=False), 1000.0)
    assert forecast.requests is None
    assert forecast.requests_interval is None
    assert forecast.made_at_requests is None
    assert forecast.elapsed_s == pytest.approx(window.end_s + 4250, rel=1e-3)


def check(run, growth, *, limit=None, level_at_end=None, **changes):
    window = replace(run[0], **changes)
    measured = None if growth is None else alone(growth)
    return check_early_forecast(window, lambda _: measured, limit, level_at_end, "fds")


def test_the_level_at_the_end_is_expected_in_nine_of_ten_draws(run):
    window, growth = run
    x = np.linspace(500.0, 1490.0, len(growth.points.x))
    early = known(growth, level=50.0, slope_sd=0.1 * RATE, level_sd=3.0, walk=0.01)
    early = replace(early, points=replace(growth.points, x=x), spread=4.0)
    found = check(run, early, level_at_end=140.0)
    ahead = window.end_x - 1490.0
    middle = 50.0 + RATE * ahead
    spread = np.sqrt((0.1 * RATE * ahead) ** 2 + 3.0**2 + 0.01 * ahead + 4.0**2)
    assert (found.subject, found.unit, found.actual) == ("level", "fds", 140.0)
    assert found.predicted == pytest.approx(middle, rel=0.01)
    reach = stats.norm.ppf(0.95) * spread
    assert found.interval.low == pytest.approx(middle - reach, rel=0.02)
    assert found.interval.high == pytest.approx(middle + reach, rel=0.02)
    assert found.relative_error == pytest.approx((middle - 140) / 140, abs=0.01)
    assert found.covered
    assert not check(run, early, level_at_end=middle + 2 * reach).covered


def test_a_level_of_nothing_has_no_relative_error(run):
    found = check(run, known(run[1]), level_at_end=0.0)
    assert np.isnan(found.relative_error)


def test_what_cannot_be_checked_is_not(run):
    growth = known(run[1])
    assert check(run, growth, level_at_end=None) is None
    assert check(run, None, level_at_end=140.0) is None
    assert check(run, replace(growth, fit=None), level_at_end=140.0) is None
    assert check(run, replace(growth, slope=0.0), limit=1000.0) is None


def test_levels_of_several_processes_are_not_checked(run):
    window, growth = run
    several = Approach(known(growth), (10.0, 10.0), (1.0, 1.0))
    assert check_early_forecast(window, lambda _: several, None, 140.0, "fds") is None


@pytest.mark.parametrize(
    ("death", "per_request", "actual", "unit"),
    [
        (Exhaustion("fds", 590.0, 5000.0), True, 5000.0, "requests"),
        (Exhaustion("fds", 590.0, None), True, 5990.0, "requests"),
        (Exhaustion("fds", 590.0, None), False, 590.0, "s"),
    ],
)
def test_a_death_is_checked_in_requests_or_else_in_seconds(run, death, per_request, actual, unit):
    found = check(run, known(run[1]), limit=1000.0, death=death, per_request=per_request)
    assert (found.subject, found.actual, found.unit) == ("exhaustion", actual, unit)
    said = found.forecast.requests if per_request else found.forecast.elapsed_s
    assert found.predicted == said
    assert found.relative_error == pytest.approx((said - actual) / actual)
    assert found.covered == found.interval.contains(actual)


def test_the_first_quarter_is_what_an_early_forecast_is_made_from(run):
    window, _ = run
    seen = []
    check_early_forecast(window, lambda early: seen.append(early.end_x), None, 140.0, "fds")
    assert seen == [pytest.approx(0.25 * window.end_x, abs=10)]
    seen.clear()
    dead = replace(window, death=Exhaustion("fds", 400.0, 2000.0))
    check_early_forecast(dead, lambda early: seen.append(early.end_x), 1000.0, None, "fds")
    assert seen == [pytest.approx(500.0, abs=10)]
