"""Placeholders: replaced where they are meant, repeatable, and refused where they are misspelt."""

import datetime as dt
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.routes.template import Values, parse_body_template, parse_template

NOON = dt.datetime(2024, 2, 29, 12, 0, 0, 7000, dt.UTC)


def values(sequence: int = 7, seed: int = 1) -> Values:
    return Values(sequence, "0a1b2c3d", seed, lambda: NOON)


def rendered(text: str, **given: int) -> str:
    return parse_template(text).render(values(**given))


def test_each_placeholder_stands_for_what_it_says() -> None:
    assert rendered("/v1/{seq}") == "/v1/7"
    assert rendered("{run_id}") == "0a1b2c3d"
    assert rendered("{now}") == "2024-02-29T12:00:00.007Z"
    assert re.fullmatch(r"[0-9a-f]{33}", rendered("{random:33}"))
    assert uuid.UUID(rendered("{uuid}")).version == 4


def test_a_request_has_one_number_and_one_moment_and_many_uuids() -> None:
    moments = iter([NOON, NOON + dt.timedelta(seconds=1)])
    template = parse_template("{seq} {seq} {now} {now} {uuid} {uuid}")
    first, second, *_, one, other = template.render(Values(7, "r", 1, lambda: next(moments))).split(
        " "
    )
    assert first == second == "7"
    assert one != other


def test_the_same_seed_and_number_give_the_same_text() -> None:
    text = "{uuid}{random:8}"
    assert rendered(text) == rendered(text)
    assert rendered(text) != rendered(text, seed=2)
    assert rendered(text) != rendered(text, sequence=8)


@given(st.text(alphabet="ab{}", max_size=12))
def test_doubled_braces_are_braces(text: str) -> None:
    assert rendered(text.replace("{", "{{").replace("}", "}}")) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{sequence}", "did you mean {seq}"),
        ("{uid}", "did you mean {uuid}"),
        ("{zzz}", "there are {seq}, {uuid}"),
        ("{seq:3}", "did you mean {seq}"),
        ("{random}", "a whole number from 1 to 1,000,000"),
        ("{random:0}", "a whole number from 1 to 1,000,000"),
        ("{random:1000001}", "a whole number from 1 to 1,000,000"),
        ("{random:\u0663}", "a whole number from 1 to 1,000,000"),
        ("a{", "write {{ for a brace"),
        ("a}", "write }} for a brace"),
    ],
)
def test_what_is_no_placeholder_is_refused(text: str, wanted: str) -> None:
    with pytest.raises(ValueError, match=re.escape(wanted)):
        parse_template(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"id": {seq}}', '{"id": 7}'),
        ('{"a": {"b": {seq}}}', '{"a": {"b": 7}}'),
        ("{{seq}}", "{7}"),
        ('{"sequence": {sequence}}', '{"sequence": {sequence}}'),
        ("{}", "{}"),
        ("{random:x}", "{random:x}"),
        ("", ""),
    ],
)
def test_other_braces_of_a_body_stay(text: str, wanted: str) -> None:
    assert parse_body_template(text).render(values()) == wanted


@given(st.text())
def test_a_body_without_placeholders_is_sent_as_it_is(text: str) -> None:
    template = parse_body_template(text)
    if template.constant is not None:
        assert template.constant == text
    assert template.text == text
