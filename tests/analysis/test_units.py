import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.analysis import units
from tidemark.record.metrics import metric


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (7.8012, 2, "7.8"),
        (0.0004213, 2, "0.00042"),
        (1024.0, 2, "1,024"),
        (0.0, 2, "0"),
        (-3.14159, 3, "-3.14"),
        (None, 2, units.UNKNOWN),
        (math.nan, 2, units.UNKNOWN),
        (math.inf, 2, units.UNKNOWN),
    ],
)
def test_number(value, digits, text):
    assert units.number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(317_440, "310 KiB"), (12, "12 B"), (3 * 2**30, "3 GiB"), (-2_097_152, "-2 MiB")],
)
def test_size(value, text):
    assert units.size(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (16.34, "16.3 s"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (86_400, "24 h"),
        (187_200, "2 d 4 h"),
        (-75, "-1 min 15 s"),
        (math.inf, units.UNKNOWN),
        (None, units.UNKNOWN),
    ],
)
def test_duration(seconds, text):
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("span", "name"),
    [(37, "seconds"), (1_800, "minutes"), (86_400, "hours"), (30 * 86_400, "days")],
)
def test_time_unit(span, name):
    assert units.time_unit(span).name == name


@pytest.mark.parametrize(
    ("value", "text"),
    [(1024, "1,024"), (99_999, "99,999"), (150_000, "150k"), (2_500_000, "2.5M"), (0, "0")],
)
def test_axis_figures_stay_short(value, text):
    assert units.short(value) == text


@given(st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-9), st.integers(1, 6))
def test_a_number_is_what_it_says(value, digits):
    shown = float(units.number(value, digits).replace(",", ""))
    assert shown == pytest.approx(value, rel=0.51 * 10 ** (1 - digits), abs=0)


def test_milliseconds_become_seconds():
    assert units.milliseconds(1.42) == "1.4 ms"
    assert units.milliseconds(5000) == "5 s"
    assert units.milliseconds(None) == units.UNKNOWN


@pytest.mark.parametrize(
    ("value", "text"),
    [(14_799_557, "15,000,000"), (49, "49"), (1.4, "1"), (0, "0"), (None, "\u2013")],
)
def test_a_count_has_no_more_digits_than_it_deserves(value, text):
    assert units.rounded(value) == text


def test_a_level_of_what_is_counted_is_whole():
    assert units.level(metric("fds"), 873.5) == "874"
    assert units.level(metric("rss_bytes"), 1.5 * 2**20) == "1.5 MiB"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("shared", "shared"),
        ("exactly ten", "exactly t…"),
        ("a\nb\tc\x1b", "a b c "),
        ("\u202eabc", " abc"),
    ],
)
def test_a_name_is_cut_and_made_plain(text, short):
    assert units.shortened(text, 10) == short
