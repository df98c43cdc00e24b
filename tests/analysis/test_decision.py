"""What is decided on a measured growth, on both sides of every threshold."""

from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.test_growth import track
from tidemark.analysis.verdict import decision
from tidemark.analysis.verdict.decision import Pattern
from tidemark.analysis.verdict.first_growth import Runtime, first_growth
from tidemark.analysis.verdict.growth import Growth
from tidemark.analysis.verdict.model import Interval
from tidemark.analysis.verdict.regression import Points
from tidemark.record.metrics import Measure

FDS = Measure(resolution=0.5, least_growth=2.0)
MEMORY = Measure(resolution=1.0, least_growth=10.0, least_share=0.05)
SPAN = 1000.0


def points(level, span=SPAN):
    x = np.linspace(0.0, span, 20)
    alike = np.ones(len(x))
    life = np.zeros(len(x), dtype=np.intp)
    return Points(x, x, level * alike, life, np.empty((len(x), 0)), alike)


def growth(*, level=10.0, unseen=0.0, **changes):
    """A leak as sure as can be, if not changed; `unseen` is the growth that is not excluded."""
    certain = Growth(
        start=0.05,
        track=None,
        envelope="value",
        slope=0.1,
        interval=Interval(0.09, 0.11),
        upper=unseen / SPAN,
        chance=1e-9,
        chance_late=1e-9,
        monotonic_chance=1e-9,
        slowing=False,
        slowed=False,
        speeding=False,
        ups=10,
        downs=0,
        total=100.0,
        spread=0.1,
        points=points(level),
        fit=None,
    )
    return replace(certain, **changes)


def flat(**changes):
    return growth(**{"chance": 0.5, "chance_late": 0.5, "monotonic_chance": 0.5} | changes)


@pytest.fixture
def decide(monkeypatch):
    """Decides on a growth as if it had been measured, and on those of later parts."""

    def decide(measured, later=(), *, scale=FDS, room=None, tests=1):
        monkeypatch.setattr(decision, "measure", lambda *_: measured)
        monkeypatch.setattr(decision, "later_parts", lambda *_: iter(later))
        return decision.decide(None, scale, room, tests)

    return decide


def test_what_grows_surely_and_to_the_end_is_a_leak(decide):
    found = decide(growth())
    assert (found.decision, found.pattern) == ("leak", Pattern.STEADY)


def test_what_could_not_be_measured_is_not_told(decide):
    found = decide(None)
    assert (found.decision, found.pattern) == ("inconclusive", Pattern.THIN)


@pytest.mark.parametrize(
    ("chance", "tests", "finding"),
    [
        (0.0019, 1, Pattern.STEADY),
        (0.002, 1, Pattern.SUSPECT),
        (0.00099, 2, Pattern.STEADY),
        (0.00101, 2, Pattern.SUSPECT),
        (0.00039, 5, Pattern.STEADY),
        (0.00041, 5, Pattern.SUSPECT),
        (0.029, 1, Pattern.SUSPECT),
        (0.03, 1, Pattern.FLAT),
        (0.0149, 2, Pattern.SUSPECT),
        (0.0151, 2, Pattern.FLAT),
    ],
)
def test_each_of_several_tests_has_to_be_surer_than_one_alone(decide, chance, tests, finding):
    assert decide(growth(chance=chance), tests=tests).pattern is finding


@pytest.mark.parametrize(("late", "decided"), [(0.099, "leak"), (0.1, "inconclusive")])
def test_growth_has_to_go_on_in_the_second_half(decide, late, decided):
    assert decide(growth(chance_late=late)).decision == decided


@pytest.mark.parametrize(("ranks", "decided"), [(0.049, "leak"), (0.05, "inconclusive")])
def test_the_ranks_have_to_agree(decide, ranks, decided):
    assert decide(growth(monotonic_chance=ranks)).decision == decided


@pytest.mark.parametrize(
    ("start", "slowed", "finding"),
    [
        (0.65, False, Pattern.STEADY),
        (0.66, False, Pattern.RECENT),
        (0.55, True, Pattern.STEADY),
        (0.56, True, Pattern.RECENT),
    ],
)
def test_growth_that_began_late_is_too_recent_for_a_leak(decide, start, slowed, finding):
    assert decide(growth(start=start, slowed=slowed)).pattern is finding


@pytest.mark.parametrize(("total", "decided"), [(2.0, "leak"), (1.99, "clean")])
def test_growth_of_less_than_two_descriptors_is_no_leak(decide, total, decided):
    assert decide(growth(total=total)).decision == decided
    assert decide(growth(total=total, chance=0.01)).pattern is (
        Pattern.SUSPECT if decided == "leak" else Pattern.FLAT
    )


@pytest.mark.parametrize(
    ("level", "total", "decided"),
    [(400.0, 20.0, "leak"), (400.0, 19.9, "clean"), (50.0, 10.0, "leak"), (50.0, 9.9, "clean")],
)
def test_growth_of_less_than_a_share_of_the_level_is_no_leak(decide, level, total, decided):
    assert decide(growth(level=level, total=total), scale=MEMORY).decision == decided


@pytest.mark.parametrize(
    ("late", "total", "finding"),
    [
        (0.099, 2.0, Pattern.SLOWING),
        (0.1, 2.0, Pattern.SUSPECT),
        (0.099, 1.9, Pattern.FLAT),
    ],
)
def test_growth_that_slows_down_but_goes_on_is_a_fill(decide, late, total, finding):
    assert decide(growth(slowing=True, chance_late=late, total=total)).pattern is finding


@pytest.mark.parametrize(
    ("hidden", "said"),
    [
        ({"level": 10.0}, 4.0),
        ({"level": 100.0}, 20.0),
        ({"level": 10.0, "spread": 7.0}, 21.0),
    ],
)
def test_growth_that_noise_may_hide_is_measured_by_steps_by_the_level_and_by_the_noise(
    decide, hidden, said
):
    assert decide(flat(unseen=said - 0.01, **hidden)).pattern is Pattern.FLAT
    assert decide(flat(unseen=said + 0.01, **hidden)).pattern is Pattern.NOISY


@pytest.mark.parametrize(
    ("room", "said"), [(None, 4.0), (60.0, 4.0), (400.0, 20.0), (900.0, 45.0), (60_000.0, 50.0)]
)
def test_the_more_room_there_is_the_more_may_go_unseen_up_to_a_hundred_steps(decide, room, said):
    assert decide(flat(unseen=said - 0.01), room=room).pattern is Pattern.FLAT
    assert decide(flat(unseen=said + 0.01), room=room).pattern is Pattern.NOISY


def test_a_later_part_that_is_flat_makes_clean_what_could_not_be_told(decide):
    later = flat(start=0.5)
    found = decide(growth(chance=0.01), [later])
    assert (found.decision, found.pattern) == ("clean", Pattern.FLAT)
    assert found.growth is later


def test_the_first_later_part_that_is_flat_counts(decide):
    growing, level, leveller = growth(start=0.3), flat(start=0.4), flat(start=0.5)
    assert decide(growth(slowing=True), [growing, level, leveller]).growth is level


def test_a_flat_later_part_does_not_excuse_a_leak(decide):
    assert decide(growth(), [flat(start=0.5)]).decision == "leak"


@pytest.mark.parametrize(
    ("later", "decided"),
    [
        ({"chance": 0.051}, "clean"),
        ({"chance": 0.05}, "inconclusive"),
        ({"slowing": True}, "inconclusive"),
        ({"unseen": 4.0}, "clean"),
        ({"unseen": 4.01}, "inconclusive"),
    ],
)
def test_a_later_part_is_flat_if_hardly_anything_speaks_for_growth(decide, later, decided):
    assert decide(growth(chance=0.01), [flat(start=0.5, **later)]).decision == decided


@pytest.mark.parametrize(("share", "decided"), [(0.59, "clean"), (0.6, "inconclusive")])
def test_a_later_part_has_to_grow_surely_slower_than_the_whole(decide, share, decided):
    whole = growth(chance=0.01, slope=0.02, level=1000.0)
    assert decide(whole, [flat(upper=share * 0.02, level=1000.0)]).decision == decided


@pytest.mark.parametrize(("rate", "decided"), [(0.00399, "clean"), (0.00401, "inconclusive")])
def test_a_later_part_need_not_be_slower_than_next_to_nothing(decide, rate, decided):
    whole = growth(chance=0.01, slope=rate)
    assert decide(whole, [flat(unseen=3.9)]).decision == decided


GO = Runtime("a Go process", first=80.0, first_s=100.0, wander=20.0, hidden=8.0)


def of_go(cached=0.0, **changes):
    return replace(first_growth([GO], 0.0, 0.0, per_request=True), cached=cached, **changes)


def seen(seconds=400):
    """A track at 30 requests a second, of which all but the first 100 s come after the growth."""
    at = np.arange(float(seconds))
    return replace(track(np.ones(len(at)), x=30 * at), elapsed_s=at)


@pytest.fixture
def decide_on(monkeypatch):
    """Decides on memory as if the whole, and then its warm part, had been measured so."""

    def decide_on(*measured, first, seconds=400, scale=MEMORY):
        following = iter(measured)
        lengths = []
        monkeypatch.setattr(
            decision, "measure", lambda part, _: (lengths.append(len(part)), next(following))[1]
        )
        monkeypatch.setattr(decision, "later_parts", lambda *_: iter(()))
        return decision.decide(seen(seconds), scale, None, 1, first), lengths

    return decide_on


@pytest.mark.parametrize(("total", "decided"), [(80.0, "inconclusive"), (80.1, "leak")])
def test_growth_that_is_no_more_than_the_first_one_is_no_leak_yet(decide_on, total, decided):
    first = of_go()
    thin = None
    found, _ = decide_on(growth(total=total), thin, first=first)
    assert found.decision == decided
    assert found.pattern is (Pattern.STEADY if decided == "leak" else Pattern.EARLY)
    assert found.growth.total == total


def test_what_comes_after_the_first_growth_is_judged_by_itself(decide_on):
    found, lengths = decide_on(growth(total=50.0), growth(total=30.0), first=of_go())
    assert (found.decision, found.pattern) == ("leak", Pattern.STEADY)
    assert found.growth.total == 30.0
    assert lengths == [400, 300]


def test_a_level_after_the_first_growth_is_clean(decide_on):
    found, _ = decide_on(growth(total=50.0), flat(total=0.0), first=of_go())
    assert (found.decision, found.pattern) == ("clean", Pattern.FLAT)


@pytest.mark.parametrize(("total", "finding"), [(20.0, Pattern.EARLY), (20.1, Pattern.STEADY)])
def test_warm_growth_has_to_be_more_than_ups_and_downs(decide_on, total, finding):
    found, _ = decide_on(growth(total=50.0), growth(total=total), first=of_go())
    assert found.pattern is finding


def test_where_nothing_comes_after_the_first_growth_it_cannot_be_told(decide_on):
    found, lengths = decide_on(growth(total=50.0), first=of_go(), seconds=90)
    assert (found.decision, found.pattern) == ("inconclusive", Pattern.EARLY)
    assert lengths == [90]


@pytest.mark.parametrize(
    ("seconds", "total", "decided"),
    [
        (150, 2.1, "inconclusive"),
        (150, 2.0, "clean"),
        (153, 2.1, "inconclusive"),
        (154, 2.1, "clean"),
    ],
)
def test_sure_growth_that_shows_early_is_not_called_clean(decide_on, seconds, total, decided):
    found, _ = decide_on(growth(total=total), first=of_go(), seconds=seconds)
    assert found.decision == decided
    assert found.pattern is (Pattern.FLAT if decided == "clean" else Pattern.EARLY)


@pytest.mark.parametrize("changes", [{"chance": 0.0021}, {"chance_late": 0.1}])
def test_growth_that_is_not_sure_does_not_show(decide_on, changes):
    found, _ = decide_on(growth(total=9.0, **changes), first=of_go(), seconds=150)
    assert found.decision == "clean"


@pytest.mark.parametrize(
    ("seconds", "unseen", "finding"),
    [
        (150, 8.1, Pattern.NOISY),
        (150, 7.9, Pattern.FLAT),
        (400, 8.1, Pattern.FLAT),
    ],
)
def test_less_may_go_unseen_before_the_first_growth_is_over(decide_on, seconds, unseen, finding):
    found, _ = decide_on(flat(level=1000.0, unseen=unseen), first=of_go(), seconds=seconds)
    assert found.pattern is finding


@pytest.mark.parametrize("measured", [flat(unseen=4.0), growth(total=500.0, unseen=4.0)])
def test_what_a_heap_hides_is_not_excluded(decide_on, measured):
    found, _ = decide_on(measured, first=of_go())
    assert found.hidden == GO.hidden
    assert found.excluded == pytest.approx((4.0 + 8.0) / SPAN)


def test_nothing_is_hidden_where_nothing_is_known_to_grow_at_first(decide):
    found = decide(flat(unseen=4.0))
    assert (found.hidden, found.excluded) == (0.0, pytest.approx(4.0 / SPAN))
    assert decide(None).excluded is None
