"""`targets.batch`: what a request body becomes, and which are refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.targets.batch import BatchError, parse_batch
from tidemark.targets.config import IngestLimits

LIMITS = IngestLimits()
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(JSON_VALUES, min_size=1, max_size=8))
def test_each_element_becomes_one_message_that_reads_back_the_same(elements):
    messages = parse_batch(json.dumps(elements).encode(), LIMITS)
    assert [json.loads(message) for message in messages] == elements


@given(st.binary(max_size=64))
def test_any_bytes_are_either_a_batch_or_refused(body):
    try:
        outcome = parse_batch(body, LIMITS)
    except BatchError as error:
        outcome = error
    assert (isinstance(outcome, BatchError) and outcome.status in (400, 413)) or len(outcome) > 0


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff[1]", 400, "not JSON"),
        (b'{"a": 1}', 400, "not an object"),
        (b'"text"', 400, "not a string"),
        (b"3", 400, "not a number"),
        (b"3.5", 400, "not a number"),
        (b"true", 400, "not a boolean"),
        (b"null", 400, "not null"),
        (b"[]", 400, "empty"),
        (b"[1, NaN]", 400, "message 1 is not JSON"),
        (b"[1e999]", 400, "message 0 is not JSON"),
        (b"[" * 100_000, 400, "nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", 400, "not JSON"),
    ],
)
def test_refusals_say_what_is_wrong(body, status, reason):
    with pytest.raises(BatchError, match=reason) as refusal:
        parse_batch(body, LIMITS)
    assert refusal.value.status == status


def test_limits_hold_exactly():
    limits = IngestLimits(max_body_bytes=20, max_messages=3, max_message_bytes=5)
    assert parse_batch(b'["abc", 2, 3]', limits) == [b'"abc"', b"2", b"3"]
    with pytest.raises(BatchError, match="4 messages are too many: the limit is 3") as refusal:
        parse_batch(b"[1, 2, 3, 4]", limits)
    assert refusal.value.status == 413
    with pytest.raises(BatchError, match="message 1 has 6 bytes: the limit is 5") as refusal:
        parse_batch(b'[1, "abcd"]', limits)
    assert refusal.value.status == 413


def test_the_length_of_the_body_is_limited_exactly():
    limits = IngestLimits(max_body_bytes=4)
    assert parse_batch(b"[12]", limits) == [b"12"]
    with pytest.raises(BatchError, match="the body is too large: the limit is 4 bytes"):
        parse_batch(b"[12] ", limits)


def test_a_lone_surrogate_survives():
    (message,) = parse_batch(b'["\\ud800"]', LIMITS)
    assert message == b'"\\ud800"'


def test_no_infinity_slips_through():
    assert math.isinf(json.loads("1e999")), "what the refusal above is there for"
