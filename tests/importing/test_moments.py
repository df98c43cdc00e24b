"""Moments as a person names them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.importing.moments import parse_duration, parse_moment, shown_moment

NOW_S = 1_795_685_400.0  # 2026-11-26T09:30:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW_S),
        ("-2h", NOW_S - 7200),
        ("now-1d12h", NOW_S - 129_600),
        ("-90s", NOW_S - 90),
        ("-500ms", NOW_S - 0.5),
        ("-1w", NOW_S - 604_800),
        ("1795685400", NOW_S),
        ("1795685400.5", NOW_S + 0.5),
        (1_795_685_400.0, NOW_S),
        ("2026-11-26T09:30:00Z", NOW_S),
        ("2026-11-26T09:30:00", NOW_S),
        ("2026-11-26T10:30:00+01:00", NOW_S),
        ("2026-11-26", NOW_S - 9.5 * 3600),
    ],
)
def test_a_moment(text, expected):
    assert parse_moment(text, NOW_S) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2h", "-2", "-2x", "--2h", "-h", "1e9", "0001-01-01", "1960-01-01"]
)
def test_no_moment(text):
    with pytest.raises(ValueError, match="must be a time"):
        parse_moment(text, NOW_S)


@given(st.integers(0, 4_000_000_000))
def test_what_is_shown_is_read_again(seconds):
    assert parse_moment(shown_moment(seconds)) == seconds


@given(st.text(max_size=30))
def test_no_text_is_another_error(text):
    for parse in (lambda one: parse_moment(one, NOW_S), parse_duration):
        with contextlib.suppress(ValueError):
            assert parse(text) >= 0


@pytest.mark.parametrize(
    ("text", "expected"), [("15", 15), ("0.5", 0.5), ("15s", 15), ("1m30s", 90), ("100ms", 0.1)]
)
def test_a_duration(text, expected):
    assert parse_duration(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["0", "-5", "5x", "s", "1m 30s", "0s"])
def test_no_duration(text):
    with pytest.raises(ValueError, match="must be"):
        parse_duration(text)
