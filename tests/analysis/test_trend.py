import numpy as np
import pymannkendall
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tidemark.analysis.verdict.trend import hamed_rao, theil_sen


@pytest.mark.parametrize("memory", [0, 3, 20])
@pytest.mark.parametrize("slope", [0.0, 0.02])
def test_hamed_rao_agrees_with_pymannkendall(ar1, memory, slope):
    values = ar1(150, memory, 2.0) + slope * np.arange(150)
    ours, theirs = hamed_rao(values), pymannkendall.hamed_rao_modification_test(values)
    assert ours.score == theirs.s
    assert ours.variance == pytest.approx(theirs.var_s)
    assert ours.z == pytest.approx(theirs.z)


def test_hamed_rao_agrees_on_whole_numbers_with_ties(rng):
    values = rng.integers(0, 5, 80).astype(float)
    ours, theirs = hamed_rao(values), pymannkendall.hamed_rao_modification_test(values)
    assert ours.variance == pytest.approx(theirs.var_s)
    assert ours.p_rising == pytest.approx(stats.norm.sf(theirs.z))


def test_correlated_noise_is_called_a_trend_less_often_than_by_the_plain_test(ar1):
    plain = corrected = 0
    for _ in range(60):
        values = ar1(120, 8, 1.0)
        plain += pymannkendall.original_test(values, alpha=0.05).h
        corrected += hamed_rao(values).p_rising < 0.025
    assert plain > 15
    assert corrected < plain / 2


def test_a_constant_series_has_no_trend():
    found = hamed_rao(np.full(20, 7.0))
    assert (found.score, found.z, found.p_rising) == (0.0, 0.0, 0.5)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(-9, 9)), min_size=2, max_size=30).filter(
        lambda points: len({x for x, _ in points}) > 1
    )
)
def test_theil_sen_agrees_with_scipy(points):
    x, y = (np.array(column, dtype=float) for column in zip(*sorted(points), strict=True))
    with np.errstate(invalid="ignore"):  # its own interval, which nobody looks at here
        expected = stats.theilslopes(y, x).slope
    assert theil_sen(x, y) == pytest.approx(expected)


def test_theil_sen_of_one_moment_is_no_growth():
    assert theil_sen(np.array([3.0, 3.0]), np.array([1.0, 9.0])) == 0.0
