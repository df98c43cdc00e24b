"""What is measured of a track: where it is warm, how fast it grows, and whether that goes on."""

import numpy as np
import pytest
from scipy import stats

from tidemark.analysis.verdict.growth import STARTS, later_parts, measure, measure_from
from tidemark.analysis.verdict.tracks import Track

HALF = 0.5


def track(value, *, floor=None, x=None, life=None, load=None):
    value = np.asarray(value, dtype=float)
    at = np.arange(len(value), dtype=float)
    return Track(
        scope="process 1",
        pid=1,
        elapsed_s=at,
        x=10 * at if x is None else x,
        value=value,
        floor=value if floor is None else np.asarray(floor, dtype=float),
        life=np.zeros(len(value), dtype=np.intp) if life is None else np.asarray(life),
        load=np.empty((len(value), 0)) if load is None else load,
        busy=np.zeros(len(value)),
    )


def share(n=64):
    return np.linspace(0, 1, n)


def bending(ratio, n=64, total=200.0):
    """Growth whose mean rate over the second half is this share of that over the first."""
    bend = (ratio - 1) / (ratio + 1)
    w = 2 * share(n) - 1
    return total / 2 * (w + 1 + bend * w**2 - bend)


def test_a_line_is_measured_as_it_is():
    found = measure(track(5 + 0.3 * 10 * np.arange(64)), HALF)
    assert found.slope == pytest.approx(0.3)
    assert found.interval.low == pytest.approx(0.3, rel=0.01)
    assert found.interval.high == pytest.approx(0.3, rel=0.01)
    assert found.total == pytest.approx(0.3 * (found.points.x[-1] - found.points.x[0]))
    assert found.mean_slope == pytest.approx(found.slope, rel=0.01)
    assert found.spread == pytest.approx(0.0, abs=1e-9)
    assert max(found.chance, found.chance_late, found.monotonic_chance) < 1e-6
    assert found.start == 0.05
    assert not any([found.slowing, found.slowed, found.speeding])


def test_rises_and_falls_are_counted_within_lives_alone():
    up, down = np.r_[0, 1, 2, 3, 3, 3, 4, 5], np.r_[9, 8, 9, 8, 7, 7, 6, 5]
    found = measure_from(track(np.r_[up, down], life=np.repeat([0, 1], 8)), HALF, 0.0, "value")
    assert (found.ups, found.downs) == (5 + 1, 5)


def test_what_never_moved_may_still_grow_by_three_steps():
    found = measure(track(np.full(64, 21.0)), HALF)
    span = found.longest_span
    assert found.upper == found.interval.high == pytest.approx(3.0 / span)
    assert (found.slope, found.interval.low, found.total, found.mean_slope) == (0, 0, 0, 0)
    assert (found.chance, found.chance_late, found.monotonic_chance) == (0.5, 0.5, 0.5)
    assert not any([found.slowing, found.speeding])


def test_what_moved_once_may_grow_by_three_steps_as_well():
    found = measure_from(track(np.where(np.arange(64) == 30, 22.0, 21.0)), HALF, 0.0, "value")
    assert found.upper * found.longest_span == pytest.approx(3.0)
    assert found.interval.high * found.longest_span < 1.0


def test_what_grew_by_more_than_three_steps_is_excluded_by_its_interval_alone():
    found = measure_from(track(np.floor(share() * 3.5)), HALF, 0.0, "value")
    assert found.upper == found.interval.high
    assert found.upper * found.longest_span > 3.0


@pytest.mark.parametrize(("ratio", "slows"), [(0.5, True), (0.8, True), (0.9, False), (1.2, False)])
def test_growth_that_keeps_most_of_its_rate_does_not_slow_down(ratio, slows):
    found = measure_from(track(bending(ratio)), HALF, 0.0, "value")
    assert found.slowing == slows


@pytest.mark.parametrize(("ratio", "speeds"), [(0.9, False), (1.1, False), (1.25, True), (2, True)])
def test_growth_that_gains_little_does_not_speed_up(ratio, speeds):
    found = measure_from(track(bending(ratio)), HALF, 0.0, "value")
    assert found.speeding == speeds


@pytest.mark.parametrize(
    ("ratio", "doubt", "alone", "after_slowing"),
    [
        (0.65, 5.0, True, True),  # slows down with a probability of 99 %
        (0.65, 9.0, False, True),  # 96 %
        (0.85, 5.0, False, True),  # 82 %
        (0.9, 9.0, False, False),  # 76 %
    ],
)
def test_a_hint_of_slowing_down_is_enough_once_it_was_seen_before(
    ratio, doubt, alone, after_slowing
):
    noise = np.random.default_rng(3).normal(0, doubt, 64)
    series = track(bending(ratio, total=60.0) + noise)
    told = [measure_from(series, HALF, 0.0, "value", slowed=s).slowing for s in (False, True)]
    assert told == [alone, after_slowing]


def test_growth_is_judged_from_where_it_has_stopped_slowing_down():
    warm = 60 * (1 - np.exp(-share(600) / 0.05))
    found = measure(track(20 + warm + 100 * share(600)), HALF)
    assert 0.1 <= found.start <= 0.4
    assert found.slowed
    assert not found.slowing
    assert found.slope * 6000 == pytest.approx(100, rel=0.05)


def test_a_fill_without_an_end_slows_down_from_every_start():
    found = measure(track(300 * (1 - np.exp(-share(600) / 0.5))), HALF)
    assert found.slowing
    assert found.start == STARTS[-1] == 0.8


def test_growth_that_speeds_up_is_judged_on_no_less_than_its_last_two_fifths():
    found = measure(track(np.exp(4 * share(600)) * 10), HALF)
    assert found.speeding
    assert found.start == 0.6


def test_a_sawtooth_is_judged_by_its_floor(rng):
    floor = 20 + 30 * share(640)
    teeth = rng.uniform(0, 40, 640)
    found = measure(track(floor + teeth, floor=floor), HALF)
    assert found.envelope == "floor"
    assert found.slope * 6400 == pytest.approx(30, rel=0.1)


def test_a_floor_that_is_no_clearer_than_the_medians_does_not_count(rng):
    value = 20 + 30 * share(640) + rng.normal(0, 1, 640)
    assert measure(track(value), HALF).envelope == "value"


def test_what_slows_down_in_one_envelope_alone_is_judged_by_the_other():
    steady, fill = 20 + 100 * share(640), 150 * (1 - np.exp(-share(640) / 0.4))
    assert measure(track(fill, floor=steady), HALF).envelope == "floor"
    assert measure(track(steady, floor=fill), HALF).envelope == "value"


@pytest.mark.parametrize(("points", "fewest", "measured"), [(8, 8, 8), (7, 8, None), (7, 5, 7)])
def test_fewer_than_eight_points_are_not_judged(points, fewest, measured):
    found = measure_from(track(np.arange(points)), HALF, 0.0, "value")
    assert len(found.points) == points
    at_the_beginning = track(np.arange(points), x=np.r_[0.0, 1000.0 + np.arange(points - 1)])
    found = measure(at_the_beginning, HALF, fewest)
    assert (found is None) == (measured is None or points - 1 < fewest)


def test_six_points_are_the_fewest_that_anything_can_be_measured_on():
    assert measure_from(track(np.arange(6)), HALF, 0.0, "value") is not None
    assert measure_from(track(np.arange(5)), HALF, 0.0, "value") is None


def test_what_happened_at_one_moment_is_no_growth():
    assert measure_from(track(np.arange(20), x=np.zeros(20)), HALF, 0.0, "value") is None


def test_lives_of_a_track_are_measured_each_from_its_own_level():
    lives = np.repeat([0, 1, 2], 20)
    within = np.tile(np.arange(20.0), 3)
    found = measure_from(track(np.r_[90, 50, 10][lives] + within, life=lives), HALF, 0.0, "value")
    assert found.slope == pytest.approx(0.1)
    assert found.longest_span == 190.0
    assert found.total == pytest.approx(19.0)
    assert found.spread == pytest.approx(0.0, abs=1e-9)


def test_longer_lives_count_by_the_square_of_their_span():
    x = np.r_[np.linspace(0, 300, 31), 1000 + np.linspace(0, 100, 31)]
    slopes = np.r_[np.linspace(0, 30, 31), np.linspace(0, 50, 31)]  # 0.1 and 0.5 per x
    found = measure_from(track(slopes, x=x, life=np.repeat([0, 1], 31)), HALF, 0.0, "value")
    assert found.slope == pytest.approx((0.1 * 9 + 0.5 * 1) / 10)
    assert found.longest_span == 300.0


@pytest.mark.parametrize(("lives", "chance"), [(4, 0.0), (5, 1 / 32), (6, 1 / 64)])
def test_five_lives_are_enough_for_signed_ranks(lives, chance):
    life = np.repeat(np.arange(lives), 12)
    rising = np.tile(np.arange(12.0), lives) * (1 + 0.1 * life)
    found = measure_from(track(rising, life=life), HALF, 0.0, "value")
    assert found.monotonic_chance == pytest.approx(chance)


def test_of_few_lives_the_longest_is_ranked(rng):
    life = np.repeat([0, 1], [12, 40])
    shorter_rises = np.r_[np.arange(12.0), 50 + rng.permutation(40)]
    found = measure_from(track(shorter_rises, life=life), HALF, 0.0, "value")
    assert found.monotonic_chance > 0.05


def swapped(n, pairs):
    """Rising ranks of which the first and the last few have changed places."""
    ranks = np.arange(float(n))
    ranks[:pairs], ranks[-pairs:] = ranks[-pairs:].copy(), ranks[:pairs].copy()
    return ranks


@pytest.mark.parametrize(("pairs", "agree"), [(3, True), (4, False)])
def test_ranks_that_nearly_all_rise_agree_without_any_correction(pairs, agree):
    values = swapped(64, pairs)
    tau = stats.kendalltau(np.arange(64), values).statistic
    assert (tau > 0.6) == agree
    found = measure_from(track(values), HALF, 0.0, "value")
    assert (found.monotonic_chance == 0.0) == agree


def test_what_the_load_explains_is_neither_growth_nor_spread(rng):
    load = np.r_[rng.uniform(0, 20, 64)]
    value = 30 + 3 * load + 0.5 * np.arange(64)
    found = measure_from(track(value, load=load[:, None]), HALF, 0.0, "value")
    assert found.slope == pytest.approx(0.05, rel=0.02)
    assert found.spread < 1.0


def test_later_parts_begin_after_what_was_judged_and_come_in_both_envelopes():
    found = list(later_parts(track(np.arange(640)), HALF, 0.4))
    assert [(part.start, part.envelope) for part in found] == [
        (start, envelope) for start in (0.5, 0.6, 0.7, 0.8) for envelope in ("value", "floor")
    ]


def test_later_parts_of_fewer_than_eight_points_are_left_out():
    found = list(later_parts(track(np.arange(24)), HALF, 0.5))
    assert {part.start for part in found} == {0.6}
    assert all(len(part.points) >= 8 for part in found)
