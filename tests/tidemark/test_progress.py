"""How a run is getting on, read from files that are still being written."""

import io
import re
import time
from pathlib import Path

import pytest
from rich.console import Console

from tidemark.record.layout import REQUESTS, SAMPLES
from tidemark.run.progress import Progress, RunView

ROWS = (
    "time_s,elapsed_s,pid,process,fds,fds_limit\n"
    "1,1.0,10,a,20,1024\n"
    "2,2.0,10,a,5,1024\n2,2.0,11,b,300,1024\n2,2.0,0,kernel,,\n"
)


@pytest.fixture
def view(tmp_path: Path) -> RunView:
    path = tmp_path / "20260101T000000Z-shared"
    path.mkdir()
    return RunView(path, "shared", 30.0)


def test_a_run_without_files_is_starting(view: RunView) -> None:
    assert "starting" in view.line()


def test_the_line_shows_the_process_nearest_to_its_limit(view: RunView) -> None:
    (view.path / SAMPLES.file).write_text(ROWS)
    (view.path / REQUESTS.file).write_text("elapsed_s,requests,failures\n1.0,4,0\n2.0,1234,5\n")
    assert "descriptors 300 of 1,024" in view.line()
    assert "1,234 requests, 5 failed" in view.line()


def test_a_slow_start_is_not_taken_for_the_load(
    view: RunView, monkeypatch: pytest.MonkeyPatch
) -> None:
    began_s = time.monotonic()
    header = "elapsed_s,requests,failures\n"
    for after_s, rows, wanted in (
        (40.0, "40.0,1,0\n", "40 s of about 70 s"),
        (60.0, "60.0,200,0\n", "60 s of about 70 s"),
        (75.0, "70.0,300,0\n", "75 s, finishing"),
    ):
        monkeypatch.setattr(time, "monotonic", lambda now_s=began_s + after_s: now_s)
        (view.path / REQUESTS.file).write_text(header + rows)
        header += rows
        assert wanted in view.line()


def test_a_torn_line_is_not_read(view: RunView) -> None:
    (view.path / SAMPLES.file).write_text(ROWS + "3,3.0,11,b,99")
    assert "descriptors 300 of 1,024" in view.line()


def test_what_was_read_is_not_read_again(view: RunView) -> None:
    samples = view.path / SAMPLES.file
    rows = "".join(f"{n},{n}.0,11,b,{n},1024\n" for n in range(20_000))
    samples.write_text(ROWS.splitlines()[0] + "\n" + rows)
    assert "descriptors 19,999 of 1,024" in view.line()
    with samples.open("r+b") as file:  # what is read once more now is no row any more
        file.write(b"\0" * samples.stat().st_size)
        file.write(b"2e4,2e4,11,b,20000,1024\n")
    assert "descriptors 20,000 of 1,024" in view.line()


def test_a_look_in_the_middle_of_a_tick_goes_on_in_the_next(view: RunView) -> None:
    samples = view.path / SAMPLES.file
    samples.write_text(ROWS)
    with samples.open("a") as file:
        file.write("3,3.0,10,a,400,1024\n")
        file.flush()
        assert "descriptors 400 of 1,024" in view.line()
        file.write("3,3.0,11,b,30,1024\n")
    assert "descriptors 400 of 1,024" in view.line()


def test_a_log_gets_a_line_at_the_beginning_and_the_end(view: RunView) -> None:
    out = io.StringIO()
    progress = Progress(Console(file=out, width=100))
    progress.begin(view)
    progress.show(view)
    progress.end(view)
    assert out.getvalue().count("shared") == 2


def test_beyond_the_planned_time_a_run_is_finishing(tmp_path: Path) -> None:
    view = RunView(tmp_path / "20260101T000000Z-shared", "shared", -1.0)
    (tmp_path / "20260101T000000Z-shared").mkdir()
    (view.path / REQUESTS.file).write_text("elapsed_s,requests,failures\n1.0,1,0\n")
    assert "s, finishing   1 request, 0 failed" in view.line()
    assert "finishing" not in view.line(over=True)
    assert "of about" not in view.line(over=True)


@pytest.mark.parametrize("width", [79, 60, 40, 20])
def test_a_live_line_is_no_wider_than_the_terminal(view: RunView, width: int) -> None:
    (view.path / SAMPLES.file).write_text(ROWS)
    (view.path / REQUESTS.file).write_text("elapsed_s,requests,failures\n1.0,4,0\n2.0,1234,5\n")
    line = view.line(width)
    assert len(line) <= width
    assert line.startswith("shared, fds 300 of"[:width])
    out = io.StringIO()
    progress = Progress(Console(file=out, width=width + 1, force_terminal=True))
    progress.begin(view)
    progress.end(view)
    shown = re.sub(r"\x1b\[[0-9?;]*[A-Za-z]", "", out.getvalue())
    assert max(map(len, re.split(r"[\r\n]", shown))) <= width
