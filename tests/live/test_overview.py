"""All runs of a comparison in one panel that fits the terminal."""

from dataclasses import replace

import pytest
from rich.console import Console

from tidemark.live.overview import Entry, overview

NAMES = ("per-request-leaked", "per-request-closed", "per-request-unflushed", "pooled", "shared")


@pytest.fixture
def entries(watched):
    """One that is done, one under way, three to come."""
    facts = watched.facts()
    done = replace(facts, is_final=True, result="clean", verdict="clean", severity="pass")
    return [
        Entry(NAMES[0], "over", "died at request 126", replace(facts, is_final=True)),
        Entry(NAMES[1], "over", "completed", done),
        Entry(NAMES[2], "running", "12 s of 36 s", facts),
        *(Entry(name, "to come", "to come") for name in NAMES[3:]),
    ]


def drawn(entries, watched, width, height=40):
    console = Console(width=width, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(overview("compare", entries, watched.run, width, height))
    return capture.get()


@pytest.mark.parametrize("width", [60, 80, 119, 120, 200])
def test_it_fits_the_terminal_and_cuts_nothing_that_matters(entries, watched, width):
    text = drawn(entries, watched, width)
    lines = text.splitlines()
    assert {len(line) for line in lines} == {width}
    for name, told in zip(
        NAMES, ("leak", "clean", "12 s of 36 s", "to come", "to come"), strict=True
    ):
        (line,) = [one for one in lines if f" {name} " in one and "─" not in one]
        assert told in line
    assert "died at request 126" in text
    assert "completed" in text
    assert "2 of 5 done" in text
    assert "dies in about" in text
    assert text.count(" of 1,024") >= 2
    table = text.partition("─ per-request-unflushed")[0]
    assert "…" not in table


@pytest.mark.parametrize("height", [8, 14, 24])
def test_a_low_terminal_keeps_the_run_under_way(entries, watched, height):
    text = drawn(entries, watched, 80, height)
    assert len(text.splitlines()) <= height
    assert "12 s of 36 s" in text


def test_of_very_many_those_around_the_run_under_way_are_shown(entries, watched):
    many = [Entry(f"done-{number}", "over", "completed") for number in range(60)] + entries[2:]
    text = drawn(many, watched, 80, 20)
    assert len(text.splitlines()) <= 20
    assert "12 s of 36 s" in text
    assert "done-59" in text
    assert "done-0 " not in text
    assert "60 of 63 done" in text


def test_what_cannot_all_be_told_is_not_called_clean(entries, watched):
    doubtful = replace(entries[1].facts, verdict="clean but for threads")
    text = drawn([Entry("pooled", "over", "completed", doubtful)], watched, 80)
    assert "clean (?), completed" in text
