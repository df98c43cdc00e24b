"""Buckets hold of each stretch the lowest, highest and last figure that a slow look finds."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.live.buckets import Buckets

MOST = 8
FINEST_S = 0.5

ROWS = st.lists(
    st.tuples(
        st.floats(0.0, 500.0, allow_nan=False),
        st.one_of(st.just(np.nan), st.integers(-50, 50).map(float)),
        st.one_of(st.just(np.nan), st.integers(0, 9).map(float)),
    ),
    min_size=1,
    max_size=60,
).map(lambda rows: sorted(rows, key=lambda row: row[0]))


def filled(rows, cuts, most=MOST):
    """The buckets of rows that come in parts, each at a revision of its own from 1."""
    buckets = Buckets(most, FINEST_S)
    for revision, part in enumerate(parts_of(rows, cuts), start=1):
        time, a, b = (np.array(column, dtype=float) for column in zip(*part, strict=True))
        buckets.add(time, {"a": a, "b": b}, revision)
    return buckets


def parts_of(rows, cuts):
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(rows)}), len(rows)]
    return [rows[start:end] for start, end in itertools.pairwise(edges)]


def naive(rows, column, width_s):
    """By bucket: last time, lowest, highest and last figure of a column."""
    found = {}
    for row in rows:
        found.setdefault(int(row[0] // width_s), []).append(row)
    return [
        (
            max(row[0] for row in held),
            *([min(known), max(known), known[-1]] if known else [np.nan] * 3),
        )
        for _, held in sorted(found.items())
        for known in [[row[column] for row in held if not np.isnan(row[column])]]
    ]


@given(ROWS, st.lists(st.integers(1, 60)))
def test_buckets_say_what_all_rows_say(rows, cuts):
    buckets = filled(rows, cuts)
    for column, name in ((1, "a"), (2, "b")):
        held = [buckets.time_s, buckets.low(name), buckets.high(name), buckets.last(name)]
        np.testing.assert_array_equal(
            np.array(held).T.reshape(-1, 4), naive(rows, column, buckets.width_s)
        )


@given(ROWS, st.lists(st.integers(1, 60)))
def test_there_are_never_too_many_and_no_wider_ones_than_needed(rows, cuts):
    buckets = filled(rows, cuts)
    assert 0 < len(buckets) <= MOST
    if buckets.width_s > FINEST_S:
        finer = {int(row[0] // (buckets.width_s / 2)) for row in rows}
        assert len(finer) > MOST


def merged(before, change):
    """What a page makes of what it has and of what changed, as live.js does it."""
    keep, series = change["keep"], {}
    for name, given_ in change["series"].items():
        old = before["series"].get(name, {"last": []})

        def held(part, old=old, given_=given_):
            kept = old.get(part, old["last"])[:keep]
            return kept + [None] * (keep - len(kept)) + given_.get(part, given_["last"])

        series[name] = {part: held(part) for part in ("last", "low", "high")}
    return {"time": before["time"][:keep] + change["time"], "series": series}


@given(ROWS, st.lists(st.integers(1, 60)), st.integers(0, 8))
def test_who_asks_for_changes_has_the_same_as_who_asks_for_all(rows, cuts, step):
    buckets = Buckets(MOST, FINEST_S)
    nothing = {"time": [], "series": {}}
    page, seen = nothing, 0
    for revision, part in enumerate(parts_of(rows, cuts), start=1):
        time, a, b = (np.array(column, dtype=float) for column in zip(*part, strict=True))
        columns = {"a": a} if revision < step else {"a": a, "b": b}  # a series may begin later
        buckets.add(time, columns, revision)
        if revision % 2:
            page, seen = merged(page, buckets.changed_since(seen)), revision
    page = merged(page, buckets.changed_since(seen))
    assert page == merged(nothing, buckets.changed_since(0))


def test_a_reader_who_has_seen_all_is_sent_nothing():
    buckets = filled([(0.0, 1.0, 2.0), (9.0, 3.0, np.nan)], [])
    told = buckets.changed_since(1)
    assert told == {"keep": 2, "time": [], "series": {"a": {"last": []}, "b": {"last": []}}}


def test_only_the_end_is_sent_again():
    buckets = filled([(float(at), 1.0, 1.0) for at in range(8)], [7], most=100)
    assert buckets.changed_since(1)["keep"] == 7
    assert buckets.changed_since(1)["time"] == [7]


def test_memory_is_bounded_however_long_it_goes_on():
    buckets = Buckets(64, FINEST_S)
    sizes = set()
    for hour in range(72):
        time = 3600.0 * hour + np.arange(3600.0)
        buckets.add(time, {"a": np.arange(3600.0)}, hour)
        sizes.add(len(buckets))
    assert max(sizes) <= 64
    assert buckets.low("a").min() == 0.0
    assert buckets.high("a").max() == 3599.0


def test_a_peak_of_one_second_outlives_three_days():
    buckets = Buckets(64)
    values = np.full(72 * 3600, 7.0)
    values[1000] = 900.0
    buckets.add(np.arange(72.0 * 3600), {"a": values})
    assert (buckets.high("a") == 900.0).sum() == 1
    assert (buckets.last("a") == 7.0).all()


def test_the_latest_figure_is_the_last_one_known():
    buckets = filled([(0.0, 5.0, np.nan), (9.0, np.nan, np.nan)], [])
    assert buckets.latest("a") == 5.0
    assert buckets.latest("b") is None
    assert buckets.latest("c") is None


@pytest.mark.parametrize("value", [0.5, 3.0])
def test_whole_figures_go_without_a_point(value):
    buckets = Buckets()
    buckets.add(np.array([0.0]), {"a": np.array([value])})
    (sent,) = buckets.changed_since(-1)["series"]["a"]["last"]
    assert sent == value
    assert isinstance(sent, int) == (value == 3.0)
