"""Shapes of a load: what can be said of them, and that arrivals are due as they say."""

import itertools
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.errors import OptionError, TidemarkError
from tidemark.record.options import duration, duration_text
from tidemark.routes.mix import Mix
from tidemark.run.course import Course, arrival_times
from tidemark.run.curve import CONSTANT, Curve, Piece
from tidemark.run.load import Load
from tidemark.run.options import RunOptions
from tidemark.run.orders import Orders
from tidemark.run.plan import Plan
from tidemark.run.shapes import NAMES, Shape
from tidemark.run.shares import Shares

DAY_S = 86_400.0


def curve(text: str) -> Curve:
    return Shape.read(text).curve


def between(text: str, start_s: float, end_s: float) -> float:
    """Requests that are due on average, at a rate of 1."""
    return curve(text).area_until(end_s) - curve(text).area_until(start_s)


# -- what they are -----------------------------------------------------------------------------


def test_a_ramp_rises_and_stays() -> None:
    assert between("ramp:over=10m", 0, 300) == pytest.approx(75)
    assert between("ramp:over=10m", 0, 600) == pytest.approx(300)
    assert between("ramp:over=10m", 600, 700) == pytest.approx(100)


def test_steps_rise_to_the_rate_and_stay_there() -> None:
    each = [between("steps:count=4,each=1m", 60 * step, 60 * (step + 1)) for step in range(6)]
    assert each == pytest.approx([15, 30, 45, 60, 60, 60])


def test_spikes_come_again_for_ever() -> None:
    text = "spikes:every=10m,for=30s,factor=5"
    for hour in (0, 100):
        at = 3600 * hour + 600
        assert between(text, at - 30, at) == pytest.approx(30)
        assert between(text, at, at + 30) == pytest.approx(150)
        assert between(text, at + 30, at + 60) == pytest.approx(30)
    assert curve(text).peak == 5


def test_a_day_begins_at_its_height_and_is_lowest_after_half_a_period() -> None:
    text = "day-night:night=20%"
    assert between(text, 0, DAY_S) == pytest.approx(0.6 * DAY_S)
    assert between(text, DAY_S, 2 * DAY_S) == pytest.approx(0.6 * DAY_S)
    assert between(text, 0, 60) == pytest.approx(60, rel=1e-3)
    assert between(text, DAY_S / 2 - 30, DAY_S / 2 + 30) == pytest.approx(12, rel=1e-2)


def test_what_is_not_said_of_a_shape_is_as_its_text_says() -> None:
    assert Shape.read("constant").text == "constant"
    assert Shape.read("spikes:for=90").text == "spikes:every=10m,for=1m30s,factor=5"
    assert Shape.read("day-night").text == "day-night:night=20%,period=1d"
    for name in NAMES:
        shape = Shape.read(name)
        assert Shape.read(shape.text) == shape


@given(st.integers(1, 365 * 86_400))
def test_a_time_is_read_as_it_is_told(seconds: int) -> None:
    assert duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "must be one of constant, ramp, steps, spikes, day-night"),
        ("spikez", "not 'spikez'"),
        ("constant:over=3s", "constant takes nothing more, not 'over=3s'"),
        ("spikes:evry=3s", "spikes takes every= and for= and factor=, not 'evry=3s'"),
        ("spikes:", "spikes takes every="),
        ("spikes:every", "not 'every'"),
        ("spikes:every=soon", "spikes: every must be a time such as"),
        ("spikes:every=30s,for=30s", "for must be shorter than every"),
        ("spikes:factor=1", "factor must be a number greater than 1"),
        ("spikes:factor=1e9", "factor must be a number greater than 1, 1,000 at most"),
        ("steps:count=1", "count must be a whole number from 2"),
        ("ramp:over=0s", "longer than 0 s"),
        ("day-night:night=0.2", "night must be a percentage"),
        ("day-night:night=101%", "night must be a percentage"),
        ("x" * 100_000, "100,000 characters"),
    ],
)
def test_a_bad_shape_is_one_line(text: str, wanted: str) -> None:
    with pytest.raises(OptionError) as caught:
        RunOptions.parse({"shape": text})
    assert str(caught.value).startswith("--shape: ")
    assert wanted in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 320


# -- when arrivals are due ---------------------------------------------------------------------

PIECES = st.builds(Piece, st.floats(0.01, 1e4), st.floats(0, 10), st.floats(0, 10))
CURVES = st.builds(
    lambda last, cycle, lead: Curve((*cycle, last), tuple(lead)),
    st.builds(Piece, st.floats(0.01, 1e4), st.floats(0.1, 10), st.floats(0, 10)),
    st.lists(PIECES, max_size=4),
    st.lists(PIECES, max_size=4),
)


@given(CURVES, st.floats(0, 1e5))
def test_the_time_of_an_area_is_where_so_much_is_below_the_curve(one: Curve, area: float) -> None:
    assert one.area_until(one.time_of(area)) == pytest.approx(area, rel=1e-6, abs=1e-6)


@given(CURVES, st.integers(0, 1000), st.floats(0.1, 1e3), st.floats(0, 1e3))
def test_arrivals_never_go_back(one: Curve, seed: int, rate: float, ramp_s: float) -> None:
    times = list(itertools.islice(arrival_times(rate, seed, one.after_ramp(ramp_s)), 200))
    assert all(later - earlier >= -1e-9 * later for earlier, later in itertools.pairwise(times))
    assert times[0] >= 0


def test_as_many_arrivals_are_due_in_each_part_as_the_shape_says() -> None:
    text, rate = "spikes:every=100s,for=10s,factor=5", 20.0
    times = itertools.takewhile(lambda at: at < 2000, arrival_times(rate, 1, curve(text)))
    counts = Counter(int(at // 10) for at in times)
    for tenth in range(200):
        expected = rate * between(text, 10 * tenth, 10 * (tenth + 1))
        assert abs(counts[tenth] - expected) < 5 * expected**0.5


@pytest.mark.parametrize(
    "text", ["steps:count=3,each=5s", "spikes:every=5s,for=1s", "day-night:period=20s"]
)
def test_all_generators_together_send_what_one_would(text: str) -> None:
    def course(count: int, generator: int) -> Course:
        times = arrival_times(30.0, 5, curve(text))
        return Course(times, Mix((), 5, "run"), Shares(5, count), generator)

    def sent(count: int) -> list[tuple[int, float]]:
        found = []
        for generator in range(count):
            one = course(count, generator)
            one.end(20.0)
            while (arrival := one.next(0.0)).number >= 0:
                found.append((arrival.number, arrival.due_s))
        return sorted(found)

    assert sent(1) == sent(2) == sent(4)
    assert len(sent(1)) > 100


class _NoBooks:
    """Nothing of a load is written down."""

    record = ledger = None


def test_the_closed_workload_thinks_longer_at_night() -> None:
    options = RunOptions.parse(
        {"workload": "closed", "rate": 10, "shape": "steps:count=2,each=1h", "seed": 3}
    )

    def mean_think_s(began_s: float) -> float:
        load = Load(Orders(options, "run"), _NoBooks(), began_s)  # type: ignore[arg-type]
        return sum(load.think_s(5) for _ in range(2000)) / 2000

    now_s = time.monotonic()
    assert mean_think_s(now_s) == pytest.approx(1.0, rel=0.1)
    assert mean_think_s(now_s - 7200) == pytest.approx(0.5, rel=0.1)


# -- beside other options ----------------------------------------------------------------------


def test_a_ramp_comes_before_the_shape() -> None:
    options = RunOptions.parse({"ramp": 10, "shape": "steps:count=2,each=10s"})
    assert options.curve.area_until(10) == pytest.approx(2.5)
    assert options.curve.area_until(20) == pytest.approx(7.5)
    assert options.curve.area_until(30) == pytest.approx(17.5)
    assert RunOptions.parse({}).curve == CONSTANT


def test_a_ramp_that_is_said_twice_is_refused() -> None:
    options = RunOptions.parse({"ramp": 10, "shape": "ramp", "no_target": True})
    with pytest.raises(TidemarkError, match="say the same"):
        Plan.of(options, "http://127.0.0.1:1")


def test_spikes_count_for_the_rate_that_another_host_gets_unasked() -> None:
    given = {"rate": 50, "allow_host": "192.0.2.1", "no_target": True}
    assert Plan.of(RunOptions.parse(given), "http://192.0.2.1:80")
    with pytest.raises(TidemarkError, match="250 requests a second"):
        Plan.of(RunOptions.parse({**given, "shape": "spikes"}), "http://192.0.2.1:80")
