import numpy as np
import pytest

from tidemark.analysis.verdict.regression import Points, enough, fit_line


def points(y, *, life=None, load=None, x=None, doubt=None):
    n = len(y)
    at = np.arange(n, dtype=float)
    return Points(
        at,
        at if x is None else x,
        np.asarray(y, dtype=float),
        np.zeros(n, dtype=np.intp) if life is None else np.asarray(life),
        np.empty((n, 0)) if load is None else load,
        np.ones(n) if doubt is None else doubt,
    )


def slope_interval(series, **options):
    fit = fit_line(points(series, **options), 0.5)
    return tuple(fit.slope.quantile(q) / fit.half_span for q in (0.05, 0.95))


@pytest.mark.parametrize("memory", [0, 2, 10])
def test_the_interval_holds_under_autocorrelation(ar1, memory):
    trials, held = 60, 0
    for _ in range(trials):
        low, high = slope_interval(ar1(64, memory, 5.0) + 0.3 * np.arange(64))
        held += low <= 0.3 <= high
    assert held >= 0.85 * trials


def test_the_interval_holds_for_a_staircase_of_chance_steps(rng):
    trials, held = 60, 0
    for _ in range(trials):
        low, high = slope_interval(np.cumsum(rng.poisson(0.5, 64)))
        held += low <= 0.5 <= high
    assert held >= 0.75 * trials


def test_correlated_noise_is_seldom_taken_for_growth(ar1):
    wrong = sum(fit_line(points(ar1(64, 6, 5.0)), 0.5).slope.below(0.0) < 0.002 for _ in range(150))
    assert wrong <= 1


def test_an_exact_line_is_found():
    fit = fit_line(points(4.0 + 2.5 * np.arange(40)), 0.5)
    assert fit.slope.mean / fit.half_span == pytest.approx(2.5, rel=1e-3)
    assert fit.slope.below(0.0) < 1e-6
    assert fit.end_level @ fit.weights == pytest.approx(4.0 + 2.5 * 39, abs=0.5)


def test_a_bend_tells_the_first_half_from_the_second():
    x = np.linspace(0, 1, 60)
    fit = fit_line(points(100 * (1 - np.exp(-3 * x))), 0.5, bent=True)
    assert fit.contrast(1.0, -1.0).mean > 2 * fit.contrast(1.0, 1.0).mean > 0


def test_what_the_load_explains_is_no_growth(rng):
    load = np.r_[np.linspace(0, 20, 40), np.full(20, 20.0)]
    series = 3 * load + rng.normal(size=60)
    blind, seeing = slope_interval(series), slope_interval(series, load=load[:, None])
    assert blind[0] > 0
    assert max(abs(seeing[0]), abs(seeing[1])) < 0.2 * blind[1]


def test_every_life_has_a_level_of_its_own():
    life = np.repeat([0, 1, 2], 20)
    within = np.tile(np.arange(20.0), 3)
    levels = np.array([90.0, 40.0, 10.0])[life]
    low, high = slope_interval(levels + 0.7 * within, life=life)
    assert low < 0.7 < high
    assert low > 0.5


def test_quiet_moments_weigh_more_than_busy_ones(rng):
    busy = np.arange(40) % 4 != 0
    noise = np.where(busy, rng.normal(0, 8, 40), 0.0)
    series = 2.0 * np.arange(40) + noise
    alike = slope_interval(series)
    told = slope_interval(series, doubt=np.where(busy, 1.3, 0.01))
    assert told[1] - told[0] < 0.5 * (alike[1] - alike[0])
    assert told[0] < 2.0 < told[1]


def test_quantiles_are_those_of_the_mixture(ar1):
    slope = fit_line(points(ar1(30, 3, 2.0)), 0.5).slope
    for probability in (0.02, 0.5, 0.9):
        assert slope.below(slope.quantile(probability)) == pytest.approx(probability, abs=1e-6)


def test_enough_counts_lives_load_and_bend():
    assert enough(points(np.zeros(5)))
    assert not enough(points(np.zeros(4)))
    assert not enough(points(np.zeros(5)), bent=True)
    assert not enough(points(np.zeros(6), load=np.zeros((6, 2))))


def test_a_random_walk_is_seldom_taken_for_growth(rng):
    walks = rng.normal(0, 3, (60, 64)).cumsum(axis=1)
    wrong = sum(fit_line(points(walk), 0.5).slope.below(0.0) < 0.002 for walk in walks)
    assert wrong <= 1


def test_the_interval_of_a_random_walk_is_that_of_its_end(rng):
    """The slope of a walk is known as well as its last point is: n steps of one step's spread."""
    widths = [np.ptp(slope_interval(walk)) for walk in rng.normal(0, 3, (20, 64)).cumsum(axis=1)]
    by_its_end = 2 * 1.645 * 3 * np.sqrt(63) / 63
    assert np.median(widths) == pytest.approx(by_its_end, rel=0.3)


def test_the_interval_of_white_noise_is_hardly_wider_than_that_of_least_squares(rng):
    widths = [np.ptp(slope_interval(noise)) for noise in rng.normal(0, 3, (20, 64))]
    least_squares = 2 * 1.645 * 3 / np.sqrt(64 * np.var(np.arange(64)))
    assert least_squares < np.median(widths) < 1.6 * least_squares


def test_the_walk_of_a_staircase_has_the_variance_of_its_steps(rng):
    stairs = rng.poisson(0.5, (20, 64)).cumsum(axis=1)
    fits = [fit_line(points(steps), 0.5) for steps in stairs]
    found = [fit.walk_variance @ fit.weights for fit in fits]
    assert 0.2 < np.median(found) < 0.6


def test_white_noise_has_hardly_a_walk_in_it(rng):
    fits = [fit_line(points(noise), 0.5) for noise in rng.normal(0, 3, (20, 64))]
    walked = [63 * (fit.walk_variance @ fit.weights) for fit in fits]
    assert np.median(walked) < 0.3 * 9


def test_the_level_at_the_end_follows_a_walk_and_not_a_wild_last_point(rng):
    walk = rng.normal(0, 3, 64).cumsum()
    walk[-1] = walk[-2] + 3
    level = np.arange(64) * 0.5 + rng.normal(0, 3, 64)
    level[-1] = 0.5 * 63 + 8
    ends = [fit_line(points(series), 0.5) for series in (walk, level)]
    followed, passed = (fit.end_level @ fit.weights for fit in ends)
    assert followed == pytest.approx(walk[-1], abs=3)
    assert passed == pytest.approx(0.5 * 63, abs=3)


def test_the_doubt_about_the_end_is_that_of_the_mean_of_what_is_flat(rng):
    fits = [fit_line(points(20 + noise), 0.5) for noise in rng.normal(0, 3, (20, 64))]
    doubts = [fit.end_scale @ fit.weights for fit in fits]
    assert np.median(doubts) == pytest.approx(2 * 3 / np.sqrt(64), rel=0.5)  # a line's end: twice


def test_no_more_precision_is_believed_than_the_resolution_allows():
    exact = points(4.0 + 2.5 * np.arange(40))
    coarse, fine = (fit_line(exact, resolution) for resolution in (0.5, 0.005))
    widths = [fit.slope.quantile(0.95) - fit.slope.quantile(0.05) for fit in (coarse, fine)]
    assert widths[0] == pytest.approx(100 * widths[1], rel=0.01)


def test_gaps_do_no_harm_to_what_is_told_of_the_memory(ar1):
    noise = ar1(160, 6, 4.0)
    kept = np.r_[0:20, 60:70, 100:134]
    x = kept.astype(float)
    with_gaps = Points(
        x, x, noise[kept], np.zeros(64, dtype=np.intp), np.empty((64, 0)), np.ones(64)
    )
    fit = fit_line(with_gaps, 0.5)
    assert fit.slope.quantile(0.05) < 0 < fit.slope.quantile(0.95)
    assert fit.half_span == 66.5


def test_the_end_of_a_life_says_nothing_of_another(rng):
    life = np.repeat([0, 1], 32)
    series = np.r_[1000 + rng.normal(0, 1, 32), 10 + rng.normal(0, 1, 32)]
    fit = fit_line(points(series, life=life), 0.5)
    assert fit.end_level @ fit.weights == pytest.approx(10, abs=1.5)
    assert abs(fit.slope.mean) < 2


def test_noise_with_a_memory_is_not_taken_for_a_walk_of_the_same_steps(ar1):
    widths = [np.ptp(slope_interval(ar1(64, 2, 3.0))) for _ in range(20)]
    step = 3 * np.sqrt(2 * (1 - np.exp(-1 / 2)))
    if_it_were_a_walk = 2 * 1.645 * step * np.sqrt(63) / 63
    assert np.median(widths) < 0.6 * if_it_were_a_walk


def test_points_that_all_but_coincide_are_not_enough():
    """All requests but the last came at once, as far as a float can tell."""
    x = np.r_[np.arange(20.0), 1e15]
    made = points(np.arange(21.0), x=x)
    assert enough(made)
    assert not enough(made, bent=True)
