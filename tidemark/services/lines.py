"""On which line of a TOML file a key stands: tomllib reads values and forgets where they were."""

import re
from collections.abc import Iterator, Mapping

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_TABLE = re.compile(rf"[ \t]*\[\[?[ \t]*({_DOTTED})[ \t]*\]")
_ASSIGNMENT = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=[ \t]*")
_ONE_KEY = re.compile(_KEY)
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}\n]',
    re.DOTALL,
)

KeyPath = tuple[str, ...]
"""A key and the tables that it is in."""


def lines_of_keys(text: str) -> Mapping[KeyPath, int]:
    """Each table and each key -> the line that it begins in, from 1.

    Keys within inline tables and arrays are not there: ask for what holds them.

    Args:
        text: A file that tomllib has read.
    """
    found: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, start in _statements(text):
        if heading := _TABLE.match(text, start):
            table = _parts(heading[1])
            for length in range(1, len(table) + 1):
                found.setdefault(table[:length], number)
        elif assignment := _ASSIGNMENT.match(text, start):
            path = (*table, *_parts(assignment[1]))
            for length in range(len(table) + 1, len(path) + 1):
                found.setdefault(path[:length], number)
    return found


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """The number of each line on which something begins, and where that is."""
    number, depth, at = 1, 0, 0
    yield number, 0
    while token := _TOKEN.search(text, at):
        at = token.end()
        what = token[0]
        number += what.count("\n")
        if what in {"[", "{"}:
            depth += 1
        elif what in {"]", "}"}:
            depth -= 1
        elif what == "\n" and depth <= 0:
            yield number, at


def _parts(dotted: str) -> KeyPath:
    return tuple(_plain(part[0]) for part in _ONE_KEY.finditer(dotted))


def _plain(key: str) -> str:
    return key[1:-1] if key[0] in "\"'" else key
