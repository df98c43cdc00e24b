"""The terminal that is lent to whoever draws: nothing that is written meanwhile is lost."""

import os
import subprocess
import sys

import pytest

from tests.terminals import terminal

LENDS = """
import os, sys
from tidemark.run.terminal import LentTerminal
lent = LentTerminal.lend()
print("meanwhile", flush=True)
sys.stderr.write("an error\\n")
os.write(lent.terminal, b"\\x1b[?25la panel\\n")
print("errors too" if lent.has_errors else "no errors", flush=True)
if "take" in sys.argv:
    lent.take_back()
    lent.take_back()
print("at last")
"""
ASKS = "from tidemark.run.terminal import can_be_lent; print('yes' if can_be_lent() else 'no')"


def environment(term="xterm"):
    return {**os.environ, "TERM": term}


@pytest.mark.parametrize("how", ["take", "leave it to the end of the process"])
def test_what_was_written_while_nobody_read_it_is_shown_when_it_is_taken_back(how):
    with terminal(80) as shown:
        lends = shown.start(sys.executable, "-c", LENDS, how, env=environment())
        assert lends.wait(60) == 0
        lines = [line for line in shown.lines() if line]
        assert shown.is_left_clean()
    assert lines == ["a panel", "meanwhile", "an error", "errors too", "at last"]


def test_what_goes_elsewhere_still_does(tmp_path):
    with terminal(80) as shown, (tmp_path / "errors").open("w+") as errors:
        lends = shown.start(sys.executable, "-c", LENDS, "take", stderr=errors, env=environment())
        assert lends.wait(60) == 0
        assert "no errors" in shown.lines()
        assert "an error" not in shown.lines()
    assert (tmp_path / "errors").read_text() == "an error\n"


@pytest.mark.parametrize(("term", "answer"), [("xterm", "yes"), ("dumb", "no"), ("", "no")])
def test_a_terminal_that_cannot_move_its_cursor_is_not_drawn_on(term, answer):
    with terminal(80) as shown:
        asks = shown.start(sys.executable, "-c", ASKS, env=environment(term))
        assert asks.wait(60) == 0
        assert answer in shown.lines()


def test_a_pipe_is_no_terminal():
    asked = subprocess.run(
        [sys.executable, "-c", ASKS], env=environment(), capture_output=True, text=True, check=True
    )
    assert asked.stdout == "no\n"


def test_a_process_in_the_background_does_not_draw():
    with terminal(80) as shown:
        in_background = f"import os; os.setpgid(0, 0) if os.fork() == 0 else os.wait()\n{ASKS}"
        asks = shown.start(sys.executable, "-c", in_background, env=environment())
        assert asks.wait(60) == 0
        assert [line for line in shown.lines() if line] == ["no", "yes"]
