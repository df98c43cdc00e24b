"""What an answer means: success, and how many messages were accepted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.routes.answers import MISSING, Success, accepted_count, find, parse_path, show_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("$.ok", ("ok",)),
        ("ok", ("ok",)),
        ("$", ()),
        ("data.items[0].id", ("data", "items", 0, "id")),
        ("$[2][1]", (2, 1)),
        ("a-b.c d", ("a-b", "c d")),
    ],
)
def test_a_path_is_keys_and_indexes(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["", ".ok", "a..b", "a[", "a[*]", "a[-1]", "a.", "$.", "a[x]"])
def test_another_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"data\.items\[0\]\.id"):
        parse_path(text)


@given(st.lists(st.from_regex(r"[a-z_]+", fullmatch=True) | st.integers(0, 99), min_size=1))
def test_a_path_is_shown_as_it_is_read(path: list[str | int]) -> None:
    assert parse_path(show_path(tuple(path))) == tuple(path)


def test_what_stands_at_a_path() -> None:
    document = {"data": {"items": [{"id": None}]}}
    assert find(document, ("data", "items", 0, "id")) is None
    assert find(document, ("data", "items", 1)) is MISSING
    assert find(document, ("data", 0)) is MISSING
    assert find(document, ("data", "items", "id")) is MISSING
    assert find(document, ()) is document


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"10", 10),
        (b" 10\n", 10),
        (b'{"accepted": 3}', 3),
        (b'{"status": "ok", "accepted": 0}', 0),
        (b'{"accepted": true}', None),
        (b'{"accepted": "3"}', None),
        (b'{"accepted": -3}', None),
        (b'{"accepted": 3.0}', None),
        (b'[{"accepted": 3}]', None),
        (b'{"count": 3}', None),
        (b"ok", None),
        (b"", None),
        (b"-1", None),
        ("\u0663".encode(), None),
        (b"9" * 5000, None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_accepted_count_of_an_answer(content: bytes, count: int | None) -> None:
    assert accepted_count(content) == count


def test_the_accepted_count_stands_where_it_is_said_to() -> None:
    content = b'{"accepted": 3, "data": [{"written": 7}]}'
    assert accepted_count(content, parse_path("data[0].written")) == 7
    assert accepted_count(content, parse_path("data[1].written")) is None
    assert accepted_count(b"12", parse_path("$")) == 12


@pytest.mark.parametrize(
    ("success", "status", "content", "wanted"),
    [
        (Success(), 204, b"", None),
        (Success(), 302, b"", "HTTP 302"),
        (Success((range(404, 405),)), 404, b"", None),
        (Success((range(404, 405),)), 200, b"", "HTTP 200"),
        (Success(path=("ok",), equals=True), 200, b'{"ok": true}', None),
        (Success(path=("ok",), equals=True), 200, b'{"ok": 1}', "ok of the answer is not true"),
        (Success(path=("n",), equals=1), 200, b'{"n": true}', "n of the answer is not 1"),
        (Success(path=("n",), equals=1), 200, b'{"n": 1.0}', None),
        (Success(path=("ok",)), 200, b'{"ok": null}', None),
        (Success(path=("ok",)), 200, b"{}", "the answer has no ok"),
        (Success(path=("ok",)), 200, b"<html>", "the answer is not JSON"),
        (Success(path=("ok",)), 500, b'{"ok": true}', "HTTP 500"),
    ],
)
def test_success(success: Success, status: int, content: bytes, wanted: str | None) -> None:
    assert success.failure(status, content) == wanted


@given(st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner),
).map(lambda document: json.dumps(document).encode()))  # fmt: skip
def test_no_answer_is_too_odd(content: bytes) -> None:
    count = accepted_count(content)
    assert count is None or count >= 0
    assert Success(path=("a", 0), equals=1).failure(200, content) is not None
