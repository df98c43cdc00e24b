import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tidemark.analysis.figures import downsample

READINGS = hnp.arrays(
    np.float64,
    st.integers(1, 400),
    elements=st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))),
)


@given(READINGS)
def test_every_reading_of_a_series_survives_and_nothing_is_invented(values):
    kept_times, kept = downsample.with_gaps(np.arange(values.size, dtype=float), values)
    read = np.isfinite(kept)
    assert np.array_equal(kept[read], values[np.isfinite(values)])
    assert np.array_equal(kept[read], values[kept_times[read].astype(int)])


def test_a_missing_reading_breaks_the_line():
    times = np.arange(10.0)
    values = np.arange(10.0)
    values[4] = np.nan
    drawn_times, drawn = downsample.with_gaps(times, values)
    assert np.isnan(drawn).sum() == 1
    assert drawn_times[np.isnan(drawn)][0] == 4.0


def test_a_slower_cadence_is_no_hole():
    times = np.arange(100.0)
    values = np.where(times % 10 == 0, times, np.nan)
    _, drawn = downsample.with_gaps(times, values)
    assert drawn.size == 10
    assert np.isfinite(drawn).all()


def test_a_cadence_that_stretches_is_no_hole():
    times = np.array([0, 1, 2, 3, 5, 7, 9, 13, 17, 21, 29, 37, 45], dtype=float)
    assert np.isfinite(downsample.with_gaps(times, times)[1]).all()


def test_missing_rows_are_a_hole_as_well():
    times = np.concatenate([np.arange(0.0, 5.0, 0.2), np.arange(9.0, 12.0, 0.2)])
    drawn_times, drawn = downsample.with_gaps(times, times.copy())
    assert 4.8 < drawn_times[np.isnan(drawn)][0] < 9.0


def test_an_envelope_holds_every_reading():
    random = np.random.default_rng(3)
    times = np.arange(10_000.0)
    values = random.normal(50, 4, times.size)
    values[5_000] = 500.0
    found = downsample.envelope(times, values, 100)
    assert found.high.max() == 500.0
    assert found.low.min() == values.min()
    assert (found.low <= found.middle).all()
    assert found.middle.max() < 60
    assert found.middle[0] == pytest.approx(np.median(values[:100]))


def test_an_envelope_leaves_out_what_was_not_read():
    times = np.arange(10_000.0)
    values = np.ones(times.size)
    values[3_000:5_000] = np.nan
    found = downsample.envelope(times, values, 100)
    assert np.isnan(found.middle[31:49]).all()
    assert np.isfinite(found.middle[:29]).all()


def test_a_rate_is_counts_by_seconds():
    times = np.arange(0.0, 101.0)
    edges, rates = downsample.rate(times, 8.0 * times, 20)
    assert edges[0] == 0.0
    assert edges[-1] == 100.0
    assert rates == pytest.approx(8.0)


def test_a_rate_is_unknown_where_nothing_was_recorded():
    times = np.concatenate([np.arange(0.0, 40.0), np.arange(60.0, 101.0)])
    edges, rates = downsample.rate(times, 8.0 * times, 20)
    middles = (edges[1:] + edges[:-1]) / 2
    assert np.isnan(rates[(middles > 42) & (middles < 58)]).all()
    assert rates[middles < 35] == pytest.approx(8.0)
    assert rates[middles > 65] == pytest.approx(8.0)


def test_a_tick_that_is_late_or_early_leaves_no_hole_in_a_rate():
    random = np.random.default_rng(7)
    for ticks in (10, 85, 145, 158):
        times = 5.0 * np.arange(ticks) + random.uniform(-0.02, 0.02, ticks)
        _, rates = downsample.rate(times, 8.0 * times, 160)
        assert rates == pytest.approx(8.0), "no bin is empty"


@pytest.mark.parametrize("size", [0, 1])
def test_no_rate_of_fewer_than_two_readings(size):
    edges, rates = downsample.rate(np.zeros(size), np.zeros(size), 10)
    assert rates.size == 0
    assert edges.size == 0
