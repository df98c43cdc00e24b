"""Growth beside that of a control run: what is no more, and what is surely more than twice it."""

import pytest

from tests.analysis.test_decision import growth
from tidemark.analysis.verdict.control import beyond_control, difference
from tidemark.analysis.verdict.decision import Judgement, Pattern
from tidemark.analysis.verdict.model import Interval
from tidemark.analysis.verdict.resource import Rate

STEADY = Judgement("leak", Pattern.STEADY, growth())
FLAT = Judgement("clean", Pattern.FLAT, growth())
SUSPECT, RECENT, SLOWING = (
    Judgement("inconclusive", finding, growth())
    for finding in (Pattern.SUSPECT, Pattern.RECENT, Pattern.SLOWING)
)


def rate(slope, doubt):
    return Rate(slope, Interval(slope - doubt, slope + doubt))


def judged(judgement, own, control):
    found = beyond_control(judgement, own.slope, own.interval, control)
    return found.decision, found.pattern


def unchanged(judgement):
    return judgement.decision, judgement.pattern


def test_the_doubts_of_a_difference_add_up_as_squares_each_on_its_side():
    found = difference(10.0, Interval(7.0, 10.5), 4.0, Interval(2.8, 8.0))
    assert found.low == pytest.approx(6.0 - 5.0)
    assert found.high == pytest.approx(6.0 + 1.3)


@pytest.mark.parametrize("judgement", [STEADY, SUSPECT, RECENT, SLOWING])
def test_growth_that_is_no_more_than_the_controls_is_clean(judgement):
    assert judged(judgement, rate(1.0, 0.1), rate(1.0, 0.1)) == ("clean", Pattern.AS_CONTROL)


@pytest.mark.parametrize(
    ("slope", "decided"), [(1.5, "clean"), (1.625, "clean"), (1.63, "leak")]
)  # the doubt of the difference is 0.625
def test_a_leak_stays_one_if_it_is_surely_more_than_the_controls(slope, decided):
    assert judged(STEADY, rate(slope, 0.375), rate(1.0, 0.5))[0] == decided


@pytest.mark.parametrize(("doubt", "decided"), [(0.9, "clean"), (1.0, "leak"), (1.1, "leak")])
def test_a_control_that_may_not_grow_at_all_excuses_nothing(doubt, decided):
    assert judged(STEADY, rate(1.0, 0.1), rate(1.0, doubt))[0] == decided


@pytest.mark.parametrize("judgement", [SUSPECT, RECENT])
@pytest.mark.parametrize(
    ("slope", "decided"), [(2.5, "inconclusive"), (2.625, "inconclusive"), (2.63, "leak")]
)  # more than twice the control's 1.0, and the doubt of 0.625 on top
def test_doubtful_growth_is_a_leak_if_it_is_surely_more_than_twice_the_controls(
    judgement, slope, decided
):
    found = judged(judgement, rate(slope, 0.375), rate(1.0, 0.5))
    assert found[0] == decided
    assert (found[1] is Pattern.BEYOND_CONTROL) == (decided == "leak")


@pytest.mark.parametrize(("slope", "decided"), [(0.25, "inconclusive"), (0.35, "leak")])
def test_a_control_that_falls_is_taken_for_one_that_is_level(slope, decided):
    control = Rate(-0.1, Interval(-0.5, 0.3))
    assert judged(SUSPECT, rate(slope, 0.0), control)[0] == decided


def test_a_control_says_nothing_against_what_is_clean_or_slows_down():
    assert judged(FLAT, rate(9.0, 0.1), rate(1.0, 0.1)) == unchanged(FLAT)
    assert judged(FLAT, rate(1.0, 0.1), rate(1.0, 0.1)) == unchanged(FLAT)
    assert judged(SLOWING, rate(9.0, 0.1), rate(1.0, 0.1)) == unchanged(SLOWING)


def test_without_a_control_or_without_growth_nothing_changes():
    assert judged(STEADY, rate(1.0, 0.1), None) == unchanged(STEADY)
    unmeasured = Judgement("leak", Pattern.EXHAUSTED, None)
    assert judged(unmeasured, rate(1.0, 0.1), rate(1.0, 0.1)) == unchanged(unmeasured)
