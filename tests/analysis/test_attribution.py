"""The regression that tells counts apart: exact where it can be, honest where there is noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.analysis.verdict.attribution import Mixture, fit_rates

MEANS = (12.0, 6.0, 2.0)


def counted(rng, n=300, means=MEANS):
    """Running totals of routes that are asked for at random."""
    return np.cumsum(rng.poisson(means, (n, len(means))), axis=0).astype(float)


def mixture(level, counts, *, life=None, load=None, resolution=0.5):
    n = len(counts)
    return Mixture(
        np.asarray(level, dtype=float),
        counts,
        np.empty((n, 0)) if load is None else load,
        np.zeros(n, dtype=np.intp) if life is None else life,
        resolution,
    )


def leaked(rng, counts, shares):
    """What has been left behind: of each request with its chance."""
    steps = np.diff(counts, axis=0, prepend=0.0).astype(int)
    return np.cumsum(rng.binomial(steps, shares).sum(axis=1)).astype(float)


def test_rates_without_noise_are_found_exactly(rng):
    counts = counted(rng)
    found = fit_rates(mixture(40 + counts @ [0.5, 0.0, 2.0], counts))
    assert found.rates == pytest.approx([0.5, 0.0, 2.0], abs=1e-6)
    assert (found.errors < 0.02).all()


@pytest.mark.parametrize("shares", [(0.0, 0.0, 0.2), (0.05, 0.0, 0.5), (0.1, 0.1, 0.1)])
def test_the_intervals_hold(rng, shares):
    trials, held = 60, np.zeros(3)
    for _ in range(trials):
        counts = counted(rng)
        level = leaked(rng, counts, shares) + rng.poisson(0.2, len(counts))
        found = fit_rates(mixture(level, counts))
        held += np.abs(found.rates - shares) <= found.reach(0.95)
    assert (held >= 0.8 * trials).all()
    assert held.sum() >= 0.86 * 3 * trials


def test_an_increment_without_a_leaking_request_is_all_but_exact(rng):
    """The rarer the route that leaks, the surer it is that the others do not."""
    found = []
    for rare in (0.3, 6.0):
        counts = counted(rng, means=(12.0, 6.0, rare))
        found.append(fit_rates(mixture(leaked(rng, counts, (0, 0, 0.5)), counts)).errors[0])
    assert found[0] < 0.001 < 5 * found[0] < found[1]


@pytest.mark.parametrize("memory", [0, 5, 40])
def test_noise_with_a_memory_is_seldom_taken_for_a_leak(rng, ar1, memory):
    found = [
        fit_rates(mixture(np.round(50 + ar1(300, memory, 3.0)), counted(rng))).chance
        for _ in range(60)
    ]
    assert (np.array(found) < 0.002 / 3).sum() <= 1


def test_counts_in_turn_cannot_be_told_apart(rng):
    one = np.cumsum(rng.poisson(8.0, 200)).astype(float)
    counts = np.column_stack([one, one, np.cumsum(rng.poisson(4.0, 200))])
    found = fit_rates(mixture(0.2 * one, counts))
    assert np.isinf(found.errors[:2]).all()
    assert np.isfinite(found.errors[2])
    assert (found.chance[:2] == 0.5).all()


def test_the_less_the_mix_varies_the_wider_the_intervals(rng):
    """The same counts in all, of which ever less is chance."""
    errors = []
    for share in (1.0, 0.3, 0.1):
        steps = np.array(MEANS) + share * (rng.poisson(MEANS, (300, 3)) - MEANS)
        counts = np.cumsum(steps, axis=0)
        level = 0.2 * counts[:, 2] + np.cumsum(rng.normal(0, 0.5, 300))
        errors.append(fit_rates(mixture(level, counts)).errors[2])
    assert errors[2] > 2 * errors[1] > 4 * errors[0]


def test_levels_of_different_lives_have_nothing_in_common(rng):
    counts = counted(rng)
    life = np.repeat(np.arange(3), 100)
    level = counts @ [0.0, 0.0, 0.5] + np.array([0.0, 5000.0, -800.0])[life]
    found = fit_rates(mixture(level, counts, life=life))
    assert found.rates == pytest.approx([0.0, 0.0, 0.5], abs=1e-6)


def test_what_follows_the_load_is_no_growth(rng):
    counts = counted(rng)
    users = rng.integers(1, 20, len(counts)).astype(float)
    level = counts @ [0.0, 0.0, 0.5] + 3 * users
    found = fit_rates(mixture(level, counts, load=users[:, None]))
    assert found.rates == pytest.approx([0.0, 0.0, 0.5], abs=1e-6)


def test_a_level_that_never_moves_has_no_growth(rng):
    found = fit_rates(mixture(np.full(300, 12.0), counted(rng)))
    assert found.rates == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    assert (found.errors > 0).all()


def test_too_few_samples_for_so_many_routes_are_no_ground(rng):
    assert fit_rates(mixture(np.arange(20.0), counted(rng, 20))) is None
    assert fit_rates(mixture(np.arange(60.0), counted(rng, 60, (3.0,) * 10))) is None


seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.permutations(range(4)))
def test_the_order_of_the_routes_makes_no_difference(seed, order):
    rng = np.random.default_rng(seed)
    counts = counted(rng, 120, (9.0, 5.0, 3.0, 1.0))
    level = leaked(rng, counts, (0.0, 0.3, 0.0, 0.5)) + rng.poisson(0.3, len(counts))
    one, other = (fit_rates(mixture(level, each)) for each in (counts, counts[:, order]))
    assert other.rates == pytest.approx(one.rates[order], abs=1e-6)
    assert other.errors == pytest.approx(one.errors[order], rel=1e-4)


@given(seeds, st.lists(st.floats(0, 0.9), min_size=3, max_size=3))
def test_the_routes_account_for_the_whole_growth(seed, shares):
    rng = np.random.default_rng(seed)
    counts = counted(rng, 200)
    level = leaked(rng, counts, shares)
    found = mixture(level, counts)
    told = float(fit_rates(found).rates @ found.totals)
    assert told == pytest.approx(level[-1] - level[0], rel=0.1, abs=12)


@given(seeds, st.floats(1e-3, 1e6), st.floats(-1e6, 1e6))
def test_unit_and_origin_make_no_difference(seed, unit, origin):
    rng = np.random.default_rng(seed)
    counts = counted(rng, 120)
    level = leaked(rng, counts, (0.0, 0.1, 0.4)) + rng.poisson(0.3, len(counts))
    one = fit_rates(mixture(level, counts))
    other = fit_rates(mixture(unit * (level + origin), counts, resolution=0.5 * unit))
    assert other.rates == pytest.approx(unit * one.rates, abs=1e-5 * unit)
    assert other.chance == pytest.approx(one.chance, abs=1e-4)
