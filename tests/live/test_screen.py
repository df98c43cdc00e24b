"""The panel on a terminal to which the load generator writes as well."""

import contextlib
import os

import pytest

from tests.eventually import eventually
from tests.terminals import terminal
from tidemark.live.screen import Screen


@pytest.fixture
def pipe():
    """What the load generator writes to, and what the screen reads from."""
    lines, writing = os.pipe()
    yield lines, writing
    os.close(lines)


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_its_lines_fit_and_what_is_written_stands_above(watched, pipe, columns):
    lines, writing = pipe
    with terminal(columns) as shown:
        screen = Screen(watched, os.dup(shown.theirs), lines, print)
        with screen.drawn():
            eventually(lambda: "dies in about" in shown.written(), "the panel")
            os.write(writing, b"a line of Locust\nand one that is not ")
            eventually(lambda: "a line of Locust" in shown.written(), "the line")
            before = shown.written().count("╭")
            eventually(lambda: shown.written().count("╭") > before, "the panel below it")
            os.write(writing, b"finished\nlast words")
        screen.expect_well()
        told = shown.lines()
        assert shown.is_left_clean()
    os.close(writing)
    drawn = [one for one in told if one.startswith(("╭", "│", "╰"))]
    assert drawn
    assert {len(one) for one in drawn} == {columns}
    assert "a line of Locust" in told
    assert "and one that is not finished" in told
    assert told.index("last words") > max(
        number for number, one in enumerate(told) if one.startswith("╰")
    )


def test_it_follows_the_size_of_the_terminal(watched, pipe):
    lines, writing = pipe
    with terminal(100) as shown, Screen(watched, os.dup(shown.theirs), lines, print).drawn():
        eventually(lambda: "╰" in shown.written(), "the panel")
        shown.resize(64, 30)
        eventually(lambda: any(one == f"╰{'─' * 62}╯" or len(one) == 64 for one in shown.lines()))
    os.close(writing)


def test_when_nobody_writes_any_more_it_leaves_the_terminal_clean_first(watched, pipe):
    lines, writing = pipe
    found = []
    with terminal(80) as shown:
        screen = Screen(
            watched, os.dup(shown.theirs), lines, lambda: found.append(shown.is_left_clean())
        )
        with screen.drawn():
            eventually(lambda: "╰" in shown.written(), "the panel")
            os.close(writing)
            eventually(lambda: found, "that it leaves")
        screen.expect_well()
    assert found == [True]


def test_a_bug_in_the_drawing_is_not_swallowed(watched, pipe, monkeypatch):
    lines, writing = pipe
    called = []

    def broken(*given):
        called.append(given)
        raise ZeroDivisionError

    monkeypatch.setattr("tidemark.live.panel.panel", broken)
    with terminal(80) as shown:
        screen = Screen(watched, os.dup(shown.theirs), lines, print)
        with screen.drawn():
            eventually(lambda: called, "that it is drawn")
        with pytest.raises(ZeroDivisionError):
            screen.expect_well()
        assert shown.is_left_clean()
    os.close(writing)


def test_a_terminal_that_was_closed_does_not_hold_up_who_writes(watched, pipe):
    lines, writing = pipe
    with terminal(80) as shown:
        screen = Screen(watched, os.dup(shown.theirs), lines, print)
        with screen.drawn():
            eventually(lambda: "╰" in shown.written(), "the panel")
            os.close(shown.ours)
            os.set_blocking(writing, False)
            written = 0

            def has_gone_on() -> bool:
                nonlocal written
                with contextlib.suppress(BlockingIOError):
                    written += os.write(writing, b"x" * 65_535 + b"\n")
                return written > 8 * 65_536  # more than the pipe holds

            eventually(has_gone_on, "that it is read")
        screen.expect_well()
    os.close(writing)
