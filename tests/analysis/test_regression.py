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
