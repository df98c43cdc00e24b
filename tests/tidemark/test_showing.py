"""How a run is shown while it goes on: by whom, where, and only where there is anything to show."""

import io
import re
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from tests.analysis.rundirs import write_run
from tests.eventually import eventually
from tests.live.conftest import Writer
from tests.terminals import plain
from tidemark.commands import showing
from tidemark.commands.showing import HeartbeatProgress, PanelProgress, progress_of
from tidemark.run import showing as of_a_run
from tidemark.run.display import wants_panel
from tidemark.run.progress import Progress, RunView
from tidemark.run.showing import Showing


@dataclass
class Companion:
    """Notes what it is asked for."""

    asked: list[str] = field(default_factory=list)
    is_given_up: bool = False

    def ask_for(self, **given):
        self.asked += given

    def start(self):
        self.asked.append("start")

    def stop(self):
        self.asked.append("stop")


class Lent:
    """A terminal that was lent."""

    is_back = False
    has_errors = True

    def take_back(self):
        self.is_back = True


@pytest.mark.parametrize(
    ("heartbeat_s", "lasts_s", "asked"),
    [
        (60.0, 600.0, ["heartbeat_s", "start", "stop"]),
        (60.0, None, ["heartbeat_s", "start", "stop"]),
        (60.0, 60.0, []),
        (0.0, 600.0, []),
    ],
)
def test_a_run_that_ends_before_its_first_heartbeat_has_no_companion(heartbeat_s, lasts_s, asked):
    companion = Companion()
    shown = Showing(companion)
    shown.begin(heartbeat_s=heartbeat_s, lasts_s=lasts_s, has_panel=False)
    shown.end()
    assert companion.asked == asked


@pytest.mark.parametrize(
    ("has_errors", "asked"),
    [(True, ["terminal", "start"]), (False, ["terminal", "heartbeat_s", "start"])],
)
def test_below_a_panel_there_are_no_heartbeats(monkeypatch, has_errors, asked):
    lent = Lent()
    lent.has_errors = has_errors
    monkeypatch.setattr(of_a_run.LentTerminal, "lend", lambda: lent)
    companion = Companion()
    shown = Showing(companion)
    shown.begin(heartbeat_s=60.0, lasts_s=None, has_panel=True)
    assert companion.asked == asked
    assert not lent.is_back
    shown.end()
    shown.end()
    assert lent.is_back


def test_when_nobody_draws_any_more_the_terminal_is_taken_back(monkeypatch):
    lent, companion = Lent(), Companion()
    monkeypatch.setattr(of_a_run.LentTerminal, "lend", lambda: lent)
    shown = Showing(companion)
    shown.begin(heartbeat_s=0.0, lasts_s=None, has_panel=True)
    companion.is_given_up = True
    eventually(lambda: lent.is_back, "that it is taken back")
    shown.end()


@dataclass
class Given:
    """Options of Locust."""

    headless: bool = True
    print_stats: bool = False
    no_panel: object = False
    processes: int | None = None


@pytest.mark.parametrize(
    ("given", "wants"),
    [
        (Given(), True),
        (Given(headless=False), False),
        (Given(print_stats=True), False),
        (Given(no_panel="true"), False),
        (Given(processes=2), False),
    ],
)
def test_the_panel_gives_way_to_the_statistics_of_locust(given, wants):
    assert wants_panel(given) == wants


# Commands that drive runs


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"force_terminal": True}, PanelProgress),
        ({"force_terminal": True, "has_panel": False}, Progress),
        ({"force_terminal": True, "has_panel": False, "lasts_s": 61.0}, HeartbeatProgress),
        ({}, Progress),
        ({"lasts_s": 61.0}, HeartbeatProgress),
        ({"heartbeat_s": 0.0}, HeartbeatProgress),
    ],
)
def test_a_panel_on_a_terminal_and_heartbeats_of_what_lasts(monkeypatch, given, kind):
    monkeypatch.setenv("TERM", "xterm")
    asked = {"heartbeat_s": 60.0, "lasts_s": 60.0, "has_panel": True, **given}
    console = Console(file=io.StringIO(), force_terminal=asked.pop("force_terminal", None))
    assert type(progress_of(console, ["shared"], "compare", **asked)) is kind


@pytest.fixture
def writer(tmp_path):
    source = write_run(tmp_path / "source", strategy="per-request-leaked", outcome="completed")
    return Writer(source, tmp_path / "leaked")


def drawn(out, since=0):
    """What was drawn since then, line by line."""
    return [line for line in plain(out.getvalue()[since:]).split("\n") if line]


@pytest.mark.long
def test_a_comparison_is_one_panel_of_what_is_done_under_way_and_to_come(writer):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=60, height=40)
    progress = PanelProgress(console, ["leaked", "shared", "pooled"], "a comparison")

    def shows(view, *what, width):
        console.width = width

        def seen():
            before = len(out.getvalue())
            progress.show(view)
            last = "\n".join(line for line in drawn(out, before) if len(line) == width)
            return all(re.search(each, last) for each in what)

        eventually(seen, f"{what} at {width} columns", timeout_s=90)

    first = RunView(writer.path, "leaked", 30.0)
    progress.begin(first)
    shows(first, r"▶ +leaked .*starting", width=60)
    writer.begin()
    writer.write_until(12)
    shows(first, r"▶ +leaked .*12 s of 30 s", "dies in about", width=80)
    writer.end()
    progress.end(first)
    second = RunView(writer.path.parent / "shared", "shared", 30.0)
    progress.begin(second)
    shows(second, r"✓ +leaked .*died at request 128", "▶ +shared .*starting", width=120)
    shows(second, r"· +pooled .*to come", "1 of 3 done", width=200)
    progress.close()
    assert {len(line) for line in drawn(out) if line[0] in "╭│╰"} == {60, 80, 120, 200}
    assert out.getvalue().endswith("\x1b[2K"), "nothing of it is left"


def test_a_panel_that_fails_ends_alone(writer, monkeypatch, capsys):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(showing.panel, "framed", broken)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    progress, view = PanelProgress(console, ["leaked"], "leaked"), RunView(writer.path, "leaked", 9)
    progress.begin(view)
    progress.show(view)
    progress.end(view)
    assert (
        "there is no live panel any more (ZeroDivisionError()); the run" in capsys.readouterr().err
    )
    assert "leaked" in drawn(out)[-1]


def test_a_log_is_told_the_beginning_heartbeats_and_the_end(writer, monkeypatch, capsys):
    out = io.StringIO()
    progress = HeartbeatProgress(Console(file=out, width=100), 0.05)
    view = RunView(writer.path, "leaked", 3600.0)
    writer.begin()
    writer.write_until(12)
    progress.begin(view)
    told = ""

    def is_told():
        nonlocal told
        progress.show(view)
        told += capsys.readouterr().err
        return "leak so far; dies in about" in told

    eventually(is_told, "a heartbeat with a forecast", timeout_s=90)
    progress.end(view)
    assert all(line.startswith("tidemark: ") for line in told.splitlines())
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["leaked", "leaked"]


def test_heartbeats_that_fail_end_alone(writer, monkeypatch, capsys):
    def broken(_):
        raise ZeroDivisionError

    monkeypatch.setattr(showing, "heartbeat", broken)
    writer.begin()
    progress = HeartbeatProgress(Console(file=io.StringIO(), width=100), 0.001)
    view = RunView(writer.path, "leaked", 3600.0)
    progress.begin(view)
    said = ""

    def is_said():
        nonlocal said
        progress.show(view)
        said += capsys.readouterr().err
        return "no heartbeats any more" in said

    eventually(is_said, "that they have ended")
    progress.show(view)
    progress.end(view)
    assert said.count("no heartbeats any more (ZeroDivisionError())") == 1
