from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.analysis.figures.labels import EndLabel, label_ends, spread
from tidemark.analysis.figures.style import new_figure

PLACES = st.lists(st.floats(-50, 150), min_size=1, max_size=12)


@given(PLACES)
def test_labels_keep_apart_inside_their_room_and_in_order(wanted):
    placed = spread(wanted, (0.0, 200.0), 12.0)
    ordered = sorted(placed)
    assert all(b - a >= 12.0 - 1e-6 for a, b in pairwise(ordered))
    assert ordered[0] >= -1e-6
    assert ordered[-1] <= 200 + 1e-6
    ranks = [sorted(wanted).index(value) for value in wanted]
    for rank, place in zip(ranks, placed, strict=True):
        assert all(place >= other for r, other in zip(ranks, placed, strict=True) if r < rank)


def test_labels_that_do_not_touch_stay_where_they_are():
    assert spread([10.0, 90.0, 50.0], (0.0, 100.0), 12.0) == pytest.approx([10.0, 90.0, 50.0])


def test_labels_that_touch_move_both_ways():
    assert spread([50.0, 50.0], (0.0, 100.0), 10.0) == pytest.approx([45.0, 55.0])


def test_too_many_labels_are_squeezed_evenly():
    assert spread([5.0] * 11, (0.0, 100.0), 30.0) == pytest.approx([10.0 * i for i in range(11)])


def test_a_moved_label_has_a_leader_and_a_steady_one_has_none():
    axes = new_figure(4.0).add_axes((0.1, 0.1, 0.6, 0.8))
    axes.set_ylim(0, 100)
    label_ends(axes, [EndLabel(50, "a", "k"), EndLabel(50.1, "b", "k"), EndLabel(90, "c", "k")])
    leaders = {text.get_text(): text.arrow_patch is not None for text in axes.texts}
    assert leaders == {"a": True, "b": True, "c": False}
