"""Instances that are read in turn, on common ticks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.importing.alignment import aligned
from tidemark.importing.instances import Instance
from tidemark.importing.requests import requests_of
from tidemark.importing.series import Series

TICK_S = 5.0


def instance(name, offset_s=0.0, *, rows=20, first=0, late_s=(), restarts=()):
    """Read at every tick, so much later; its counter counts a request a second."""
    time_s = TICK_S * (first + np.arange(rows, dtype=float)) + offset_s
    time_s[: len(late_s)] += late_s
    counter = Series("c", {}, time_s, time_s - time_s[0])
    requests = requests_of([counter], np.array([]), -np.inf)
    return Instance(name, time_s, [{}] * rows, np.array(restarts), requests=requests)


@given(st.lists(st.floats(-2.4, 2.4), max_size=4), st.lists(st.floats(0, 0.3), max_size=8))
def test_all_are_put_on_the_ticks_of_one(offsets, late_s):
    others = [instance(f"{at}", one, late_s=late_s) for at, one in enumerate(offsets)]
    first, *rest = aligned([instance("a", rows=21), *others], TICK_S)
    assert first.time_s.tolist() == [TICK_S * tick for tick in range(21)]
    for one in rest:
        assert one.time_s.tolist() == first.time_s[:20].tolist()


def test_what_was_read_together_stays_together():
    _, other = aligned([instance("a", rows=21), instance("b", 2.0, restarts=[52.0])], TICK_S)
    assert other.restarts.tolist() == [50.0]
    assert other.lives == [0] * 10 + [1] * 10
    answered = other.requests.at(other.time_s)
    assert answered == pytest.approx(other.time_s)


def test_one_that_comes_later_has_ticks_of_its_own():
    first, later = aligned([instance("a"), instance("b", 1.0, rows=5, first=40)], TICK_S)
    assert later.time_s.tolist() == [201.0 + TICK_S * tick for tick in range(5)]
    assert first.time_s[-1] == 95.0


@pytest.mark.parametrize("rows", [1, 2])
def test_few_rows(rows):
    found = aligned([instance("a", rows=rows), instance("b", 1.0, rows=1)], TICK_S)
    assert [one.time_s[0] for one in found] == [0.0, 0.0]
