"""Braces in a command: what they stand for, and what is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.services.placeholders import (
    MEANINGS,
    check,
    fill,
    literal,
    placeholders_in,
    show,
    variables_in,
)

VALUES = {name: f"<{name}>" for name in MEANINGS}
VARIABLES = {"HOME": "/home/me", "TOKEN": "{port}"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("127.0.0.1:{port}", "127.0.0.1:<port>"),
        ("{port}{port2}", "<port><port2>"),
        ("{{port}", "{port}"),
        ("{{{port}", "{<port>"),
        ('{"a": {}, "b": [{1}]}', '{"a": {}, "b": [{1}]}'),
        ("${HOME}/x", "/home/me/x"),
        ("${TOKEN}", "{port}"),  # what stands in a variable is not looked at
        ("$${HOME}", "${HOME}"),
        ("$HOME $", "$HOME $"),
        ("{ port }", "{ port }"),
        ("}}{", "}}{"),
    ],
)
def test_what_a_text_becomes(text: str, filled: str) -> None:
    assert fill(check(text), VALUES, VARIABLES) == filled


def test_a_variable_is_shown_by_its_name() -> None:
    assert show("--token=${TOKEN} --port={port} $${X}", VALUES) == (
        "--token=${TOKEN} --port=<port> ${X}"
    )


def test_what_a_text_names() -> None:
    text = "{port} ${HOME} {{topic} $${X} {bootstrap}"
    assert placeholders_in(text) == {"port", "bootstrap"}
    assert variables_in(text) == {"HOME"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{bootstraps}", "did you mean {bootstrap}?"),
        ("{zzzzzz}", "there are {port}, {port2}"),
        ("${}", "names no variable"),
        ("${A B}", "names no variable"),
    ],
)
def test_what_cannot_be_known_is_refused(text: str, wanted: str) -> None:
    with pytest.raises(ValueError, match=r"no placeholder|no variable") as caught:
        check(text)
    assert wanted in str(caught.value)


@given(st.text(alphabet="${}aport_ \n"))
def test_a_literal_text_comes_back(text: str) -> None:
    assert fill(check(literal(text)), {}, {}) == text
