"""How a run is getting on, read from files that are still being written."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tidemark.record.layout import REQUESTS_CSV, SAMPLES_CSV
from tidemark.run.progress import Progress, RunView

SAMPLES = (
    "time_s,elapsed_s,pid,process,fds,fds_limit\n"
    "1,1.0,10,a,20,1024\n"
    "2,2.0,10,a,5,1024\n2,2.0,11,b,300,1024\n2,2.0,0,kernel,,\n"
)


@pytest.fixture
def view(tmp_path: Path) -> RunView:
    return RunView("shared", tmp_path, 30.0)


def test_a_run_without_files_is_starting(view: RunView) -> None:
    assert "starting" in view.line()


def test_the_line_shows_the_process_nearest_to_its_limit(view: RunView) -> None:
    (view.path / SAMPLES_CSV).write_text(SAMPLES)
    (view.path / REQUESTS_CSV).write_text("elapsed_s,requests,failures\n1.0,4,0\n2.0,1234,5\n")
    assert "descriptors 300 of 1,024" in view.line()
    assert "1,234 requests, 5 failed" in view.line()


def test_a_torn_line_is_not_read(view: RunView) -> None:
    (view.path / SAMPLES_CSV).write_text(SAMPLES + "3,3.0,11,b,99")
    assert "descriptors 300 of 1,024" in view.line()


def test_only_the_end_of_a_long_file_is_read(view: RunView) -> None:
    rows = "".join(f"{n},{n}.0,11,b,{n},1024\n" for n in range(20_000))
    (view.path / SAMPLES_CSV).write_text(SAMPLES.splitlines()[0] + "\n" + rows)
    assert "descriptors 19,999 of 1,024" in view.line()


def test_a_log_gets_a_line_at_the_beginning_and_the_end(view: RunView) -> None:
    out = io.StringIO()
    progress = Progress(Console(file=out, width=100))
    progress.begin(view)
    progress.show(view)
    progress.end(view)
    assert out.getvalue().count("shared") == 2
