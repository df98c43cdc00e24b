"""`record.event_lines`: what is written is read, whatever the event; what is none is refused."""

import dataclasses
import json
import types
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.clock import Instant
from tidemark.record.event_lines import decode, encode
from tidemark.record.events import KINDS, LARGEST, Emfile, Gap, Recorded, Unknown
from tidemark.record.objects import LONGEST_TEXT, parse_object, shown_text

NOW = Instant(1_700_000_000.25, 1.5)
TEXT = st.text(st.characters(codec="utf-8"), max_size=30).filter(str.isprintable)
VALUES = {
    str: TEXT,
    int: st.integers(-(10**12), 10**12),
    float: st.floats(-1e12, 1e12, allow_nan=False),
}
JSON = st.one_of(st.integers(-(10**9), 10**9), TEXT, st.lists(st.booleans(), max_size=2))


def events_of(kind):
    """Events of a type: each field None or of the type that it says."""
    hints = typing.get_type_hints(kind)
    fields = {}
    for field in dataclasses.fields(kind):
        (wanted,) = set(typing.get_args(hints[field.name])) - {types.NoneType}
        fields[field.name] = st.one_of(st.none(), VALUES[wanted])
    return st.builds(kind, **fields)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@given(st.data())
def test_every_event_round_trips(kind, data):
    event = data.draw(events_of(kind))
    assert decode(encode(NOW, event)) == Recorded(NOW.time_s, NOW.elapsed_s, event)


def test_a_line_is_one_object_with_what_is_known():
    line = encode(NOW, Gap(missed_ticks=3))
    assert json.loads(line) == {
        "time_s": NOW.time_s,
        "elapsed_s": NOW.elapsed_s,
        "event": "gap",
        "missed_ticks": 3,
    }
    assert b"\n" not in encode(NOW, Emfile(line="two\nlines"))


@given(
    TEXT.filter(lambda name: name not in KINDS),
    st.dictionaries(TEXT.filter(lambda name: name not in {"time_s", "elapsed_s", "event"}), JSON),
)
def test_an_event_that_is_not_known_keeps_its_fields(name, given_fields):
    event = Unknown(name, given_fields)
    found = decode(encode(NOW, event)).event
    assert found == event
    assert found.name == name


def test_a_field_that_is_not_known_is_left_out_and_a_missing_one_is_none():
    line = b'{"time_s": 1, "elapsed_s": 0, "event": "gap", "missed_ticks": 2, "since": "later"}'
    assert decode(line).event == Gap(missed_ticks=2, interval_s=None)


def test_a_whole_number_will_do_for_a_fraction():
    line = b'{"time_s": 1, "elapsed_s": 0, "event": "gap", "interval_s": 1}'
    assert decode(line).event == Gap(interval_s=1.0)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"event": "gap"}',
        b'{"time_s": 1, "elapsed_s": 0}',
        b'{"time_s": 1, "elapsed_s": 0, "event": 3}',
        b'{"time_s": "1", "elapsed_s": 0, "event": "gap"}',
        b'{"time_s": true, "elapsed_s": 0, "event": "gap"}',
        b'{"time_s": -1, "elapsed_s": 0, "event": "gap"}',
        b'{"time_s": 1e16, "elapsed_s": 0, "event": "gap"}',
        b'{"time_s": 1, "elapsed_s": NaN, "event": "gap"}',
        b'{"time_s": 1, "elapsed_s": Infinity, "event": "gap"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_event(line):
    with pytest.raises(ValueError, match="is not an event"):
        decode(line)


@pytest.mark.parametrize(
    ("event", "field", "value"),
    [
        ("gap", "missed_ticks", "3"),
        ("gap", "missed_ticks", 3.5),
        ("gap", "missed_ticks", True),
        ("gap", "interval_s", 10 * LARGEST),
        ("emfile", "line", 1),
        ("limits_read", "rss_bytes_limit", [1]),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(event, field, value):
    line = json.dumps({"time_s": 1, "elapsed_s": 0, "event": event, field: value}).encode()
    with pytest.raises(ValueError, match=f"an event {event} whose {field} cannot be read"):
        decode(line)


def test_texts_are_made_fit_to_be_shown():
    line = json.dumps({"time_s": 1, "elapsed_s": 1, "event": "emfile", "line": "\x1b[2J\ud800a"})
    assert decode(line.encode()).event.line == "\ufffd[2J\ufffda"
    assert len(shown_text("x" * 100_000)) == LONGEST_TEXT


@pytest.mark.parametrize("value", ["1e400", "1" * 400, "[" * 50 + "]" * 50, "[" * 100_000])
def test_what_nobody_writes_is_no_object(value):
    assert parse_object(b'{"x": %s}' % value.encode()) is None
