"""The panel fits the terminal, and says what the page says."""

import numpy as np
import pytest
from rich.console import Console

from tests.eventually import eventually
from tidemark.live import panel
from tidemark.live.watching import Watched


def drawn(watched, width, height=40):
    console = Console(width=width, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(panel.panel(watched.facts(), watched.run, width, height))
    return capture.get()


@pytest.mark.parametrize("width", [60, 72, 100, 140, 200])
def test_it_fits_the_terminal_and_leaves_out_no_figure(watched, width):
    text = drawn(watched, width)
    assert all(len(line) == width for line in text.splitlines())
    assert " of 1,024 (" in text
    for told in (
        "leak",
        "dies in about",
        "connections",
        "threads",
        "memory",
        "requests",
        "failures",
    ):
        assert told in text


@pytest.mark.parametrize("height", [12, 24])
def test_events_give_way_where_the_terminal_is_low(watched, height):
    assert ("last events" in drawn(watched, 100, height)) == (height > 20)


def test_a_line_for_a_log_says_the_same(watched):
    text = panel.line(watched.facts())
    assert "\n" not in text
    for told in (
        "under way for",
        "descriptors ",
        "of 1,024",
        "leak: File descriptors",
        "dies in about",
    ):
        assert told in text


def test_before_there_is_a_verdict_the_line_says_why_not(writer):
    writer.begin()
    text = panel.line(Watched(writer.path).facts())
    assert "no verdict yet: it is being judged for the first time" in text
    assert "descriptors" not in text, "nobody has measured any"


def test_a_curve_keeps_its_peak_and_its_gaps():
    values = np.concatenate([np.zeros(50), [9.0], np.full(49, np.nan)])
    curve = panel.sparkline(values, 10)
    assert curve == "▁▁▁▁▁█    "
    assert panel.sparkline(np.full(3, 7.0)) == "▁▁▁"
    assert panel.sparkline(np.full(3, np.nan)) == ""


def test_it_ends_with_the_run(writer):
    writer.begin()
    writer.write_until(12)
    watched = Watched(writer.path)
    with watched.followed():
        eventually(lambda: watched.judge.judged, "a verdict", timeout_s=90)
        assert not watched.is_over
        writer.end()
        eventually(lambda: watched.is_over, "that it has ended", timeout_s=90)
        assert watched.facts().outlook.startswith("file descriptors ran out at ")
