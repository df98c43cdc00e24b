"""Headers: their values come from the environment, and stand in no message."""

import pytest

from tidemark.routes.headers import Header, parse_header, read_header
from tidemark.routes.template import Values

VALUES = Values(7, "0a1b2c3d", 1)
SECRET = "hunter2{seq}"


def value(header: Header) -> str:
    return header.value.render(VALUES)


def test_a_variable_of_the_environment_is_put_in_as_it_is() -> None:
    header = parse_header("Authorization", "Bearer ${TOKEN}", {"TOKEN": SECRET})
    assert value(header) == "Bearer hunter2{seq}"
    assert "hunter2" not in repr(header)


def test_a_value_may_hold_placeholders() -> None:
    assert value(read_header("X-Request: {run_id}-{seq}", {})) == "0a1b2c3d-7"
    assert value(read_header("X-Colon:a:b", {})) == "a:b"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hunter2", "must be 'Name: value'"),
        ("X Y: hunter2", "no name of a header"),
        (": hunter2", "no name of a header"),
        ("Content-Length: 3", "set by the HTTP client"),
        ("Authorization: Bearer ${NO_SUCH}", "there is no NO_SUCH in the environment"),
        ("Authorization: ${BROKEN}", "the value of BROKEN must be printable ASCII"),
        ("Authorization: hunter2\x00", "must be printable ASCII"),
        ("Authorization: {hunter2}", "no placeholder"),
        ("Authorization: {hunter2", "no placeholder"),
    ],
)
def test_what_is_wrong_is_said_without_the_value(text: str, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted) as caught:
        read_header(text, {"BROKEN": "hunter2\r\nX: y"})
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
