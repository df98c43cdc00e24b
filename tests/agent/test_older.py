"""What is newer than Python 3.9 is put back, and means the same."""

import ast

import pytest

from tidemark.agent.older import SUPPORT_SOURCE, put_back


def run(source):
    """What a module says once it was put back, with the support module in place of an import."""
    text = put_back(source)
    space = {}
    exec(SUPPORT_SOURCE, space)
    space["_either"] = space["Either"]
    exec(text.replace("from tidemark._older import Either as _either", ""), space)
    return space


def test_unions_are_types_still():
    space = run("Real = int | float | None\nPair = tuple[int | None, str]\n")
    assert isinstance(1, space["Real"])
    assert isinstance(None, space["Real"])
    assert not isinstance("1", space["Real"])
    assert run("found = isinstance([1], tuple | list)")["found"]
    assert not run("found = isinstance(1.0, int | None)")["found"]


def test_flags_and_sets_are_left_alone():
    kept = "x = {1} | {2}\ny = A_FLAG | B_FLAG\nz |= given\n"
    assert put_back(kept).endswith(kept)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("@dataclass(frozen=True, slots=True)\nclass A:\n    x: int\n", "dataclass(frozen=True)"),
        ("zip(a, b, strict=True)\n", "zip(a, b)"),
        ("from typing import Any, Self\n", "import Any\n"),
        ("from typing import Self\nx = 1\n", "x = 1"),
        ("dt.datetime.now(dt.UTC)\n", "dt.datetime.now(dt.timezone.utc)"),
        ('"""Text."""\ndef f():\n    """Text."""\n', "def f():\n    pass"),
        ("@typing.dataclass_transform()\nclass A:\n    pass\n", "\nclass A:"),
    ],
)
def test_what_is_put_back(new, old):
    text = put_back(new)
    assert old in text
    for later in ("slots", "strict", "Self", "UTC", "Text", "transform"):
        assert later not in text
    ast.parse(text, feature_version=(3, 9))


def test_a_lone_text_that_is_used_stays():
    assert run('x = """kept"""')["x"] == "kept"
