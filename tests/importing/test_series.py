"""Series put together, and totals that outlive a restart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.importing.series import Series, joined, running_total, total_at

NONE = np.array([])


def series(values, first=0.0, name="c", **labels):
    time_s = first + 5.0 * np.arange(len(values))
    return Series(name, labels, time_s, np.array(values, dtype=float))


def test_where_two_answers_meet_a_sample_counts_once():
    (found,) = joined([series([1, 2, 3]), series([3, 4], first=10.0)])
    assert found.time_s.tolist() == [0, 5, 10, 15]
    assert found.value.tolist() == [1, 2, 3, 4]


def test_labels_keep_series_apart():
    found = joined([series([1], code="200"), series([2], code="500"), series([1], name="d")])
    assert len(found) == 3


@pytest.mark.parametrize(
    ("values", "restarts", "new_from_s", "expected"),
    [
        ([7, 9, 12], [], None, [0, 2, 5]),
        ([7, 9, 2, 3], [], None, [0, 2, 4, 5]),
        ([7, 9, 20, 21], [10.0], None, [0, 2, 22, 23]),
        ([7, 9, 2, 3], [10.0], None, [0, 2, 4, 5]),
        ([7, 9], [], -np.inf, [7, 9]),
        ([7, 9], [], 0.0, [0, 2]),
        ([7, 9, np.nan, 10], [], None, [0, 2, 3]),
        ([], [], None, []),
    ],
    ids=["plain", "falls", "unseen reset", "both", "new", "at first", "hole", "empty"],
)
def test_a_running_total(values, restarts, new_from_s, expected):
    found = running_total(series(values), np.array(restarts), new_from_s)
    assert found.value.tolist() == expected


def test_one_that_is_first_seen_late_has_counted_from_zero():
    found = running_total(series([3, 4], first=50.0), NONE, 0.0)
    assert found.value.tolist() == [3, 4]


@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=6), min_size=1, max_size=4))
def test_a_total_is_what_was_added_whatever_the_restarts(lives):
    """Each life counts from 0; its end is told by a restart, seen or not."""
    values, restarts = [], []
    for life in lives:
        if values:
            restarts.append(5.0 * len(values))
        values += np.cumsum(life).tolist()
    found = running_total(series(values), np.array(restarts), -np.inf)
    assert found.value[-1] == sum(map(sum, lives))
    assert (np.diff(found.value) >= 0).all()


def test_totals_are_added_up_as_they_were_last_read():
    totals = [series([1, 2, 3]), series([10, 20], first=7.0)]
    at = np.array([-1.0, 0.0, 6.0, 7.0, 30.0])
    assert total_at(totals, at).tolist() == [0, 1, 2, 12, 23]
