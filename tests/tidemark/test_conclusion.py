"""How a recording ends: with a verdict, or why there is none, and with the next command."""

import os
import sys

import pytest

from tests.analysis.rundirs import write_run
from tidemark.commands import conclusion
from tidemark.commands.sample import watch_and_judge
from tidemark.record.errors import DiskFullError


@pytest.fixture
def said(capsys, monkeypatch):
    """The lines that are said at the end of a recording; priorities stay as they are."""
    monkeypatch.setattr(os, "nice", lambda _: 0)

    def lines(path):
        conclusion.conclude_recording(path)
        return capsys.readouterr().out.splitlines()

    return lines


def test_a_recording_ends_with_its_verdict_and_the_next_command(said, tmp_path, monkeypatch):
    path = write_run(tmp_path / "a night", strategy="per-request-leaked")
    monkeypatch.chdir(tmp_path)
    first, *_, last = said(path)
    assert first.startswith("exhausted: File descriptors")
    assert last == f"next: tidemark report 'a night/{path.name}'"


def test_what_holds_nothing_to_judge_says_so(said, tmp_path):
    path = write_run(tmp_path)
    samples = path / "samples.csv"
    samples.write_text(samples.read_text().partition("\n")[0] + "\n")
    first, last = said(path)
    assert first.startswith("no verdict yet: ")
    assert "samples.csv" in first
    assert last == f"next: tidemark report {path}"


def test_a_long_recording_is_not_judged_where_the_service_needs_the_memory(
    said, tmp_path, monkeypatch
):
    monkeypatch.setattr(conclusion, "MOST_BYTES", 1)
    path = write_run(tmp_path)
    first, last = said(path)
    assert "are left for where there is memory to judge them" in first
    assert last == f"next: tidemark report {path}"


def test_ctrl_c_while_it_is_judged_ends_that_alone(said, tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(conclusion, "judge_so_far", interrupted)
    path = write_run(tmp_path)
    assert said(path) == [
        "no verdict yet: interrupted while it was being judged",
        f"next: tidemark report {path}",
    ]


@pytest.mark.parametrize("join", [True, False])
def test_whoever_writes_into_the_run_of_another_judges_nothing(
    capsys, tmp_path, monkeypatch, *, join
):
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr("tidemark.commands.sample.watch", lambda _: None)
    watch_and_judge({"join": join, "out": write_run(tmp_path)})
    assert ("next: tidemark report" in capsys.readouterr().out) == (not join)


def test_a_full_disk_is_an_error_and_what_was_recorded_is_judged(capsys, tmp_path, monkeypatch):
    def full(_):
        raise DiskFullError("the disk is full")

    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr("tidemark.commands.sample.watch", full)
    with pytest.raises(DiskFullError):
        watch_and_judge({"join": False, "out": write_run(tmp_path)})
    assert "next: tidemark report" in capsys.readouterr().out


def test_where_packages_are_missing_the_next_command_is_said_all_the_same(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr("tidemark.commands.sample.watch", lambda _: None)
    monkeypatch.setitem(sys.modules, "tidemark.commands.conclusion", None)
    watch_and_judge({"join": False, "out": tmp_path})
    assert capsys.readouterr().out.endswith(f"; next: tidemark report {tmp_path}\n")
