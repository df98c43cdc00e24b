"""However a run ends or fails to begin: nothing is left running, nothing recorded is lost."""

import contextlib
import os
import pty
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually

from .conftest import LOCUSTFILE, TAG, Workbench, event_names, metadata, sampled

pytestmark = pytest.mark.e2e


def expect_whole(run: Path, reason: str = "interrupted") -> None:
    """Fail unless a run says how it ended."""
    told = metadata(run)
    assert (told["outcome"], told["ended_because"]) == ("aborted", reason)
    assert told["ended_at"]
    assert event_names(run)[-1] == "run_ended"


HANG_UP = pytest.param(signal.SIGHUP, marks=pytest.mark.long)
"""What a terminal that is closed sends as well."""
TERMINATE = pytest.param(signal.SIGTERM, marks=pytest.mark.long)


@pytest.mark.parametrize("signum", [signal.SIGINT, TERMINATE, HANG_UP])
def test_a_signal_ends_a_run_in_order(bench: Workbench, signum: signal.Signals) -> None:
    locust = bench.locust("--strategy=pooled", "--rate=20", "--run-time=60s", "--no-report")
    run = bench.run_under_way()
    locust.signal(signum)
    finished = locust.wait()
    bench.expect_nothing_left()
    assert finished.code == 1, finished.err
    assert "Traceback" not in finished.err
    expect_whole(run)
    assert metadata(run)["load"]["run_time_s"] == 60
    assert metadata(run)["messages"]["lost"] == 0


def test_a_kill_leaves_nothing_but_a_run_that_can_be_reported(bench: Workbench) -> None:
    locust = bench.locust("--strategy=pooled", "--rate=20", "--no-report")
    run = bench.run_under_way(40)
    locust.signal(signal.SIGKILL)
    assert locust.wait().code == -signal.SIGKILL
    bench.expect_nothing_left()
    assert metadata(run)["outcome"] is None
    assert metadata(run)["load"]["run_time_s"] is None
    report = bench.run("tidemark", "report", str(run))
    assert report.code == 0, report.err
    assert "aborted" in (run / "report.html").read_text()


@pytest.mark.parametrize("signum", [signal.SIGINT, TERMINATE])
def test_a_second_signal_ends_at_once_but_whole(bench: Workbench, signum: signal.Signals) -> None:
    locust = bench.locust("--strategy=pooled", "--rate=20")
    run = bench.run_under_way()

    def insist() -> bool:
        locust.signal(signum)
        return locust.process.poll() is not None

    eventually(insist, "the end")
    finished = locust.wait()
    bench.expect_nothing_left()
    assert finished.code == 1, finished.err
    assert "Traceback" not in finished.err
    expect_whole(run)
    assert not (run / "report.html").exists()  # nothing is waited for any more


@pytest.mark.parametrize("signum", [signal.SIGINT, TERMINATE, HANG_UP])
def test_a_signal_in_the_middle_of_the_start_leaves_it_whole(
    bench: Workbench, signum: signal.Signals
) -> None:
    locust = bench.locust("--strategy=shared")
    run = eventually(lambda: next(iter(bench.runs()), None))
    assert run
    locust.signal(signum)
    finished = locust.wait()
    bench.expect_nothing_left()
    assert finished.code == 1, finished.err
    assert "Traceback" not in finished.err
    expect_whole(run, "interrupted while it was being started")


@pytest.mark.long
def test_a_terminal_that_is_closed_ends_the_run_in_order(bench: Workbench) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(bench.folder)
        command = ["-m", "locust", f"--locustfile={LOCUSTFILE}", "--headless", "--interval=0.2"]
        os.execve(
            sys.executable,
            [sys.executable, *command, "--strategy=shared", "--no-report"],
            {**os.environ, TAG: bench.tag},
        )
    os.set_blocking(terminal, False)
    try:
        eventually(lambda: _read(terminal) and any(sampled(run, 20) for run in bench.runs()))
    finally:
        os.close(terminal)
    bench.expect_nothing_left()
    (run,) = bench.runs()
    expect_whole(run)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def _read(terminal: int) -> bool:
    """Read what is there: a terminal that nobody reads holds up who writes."""
    with contextlib.suppress(BlockingIOError):
        os.read(terminal, 65_536)
    return True


BAD = [
    (("--strategy=nope",), {}, "unknown strategy 'nope'"),
    (("--rate=0",), {}, "greater than 0"),
    ((), {"TIDEMARK_RATE": "0"}, "greater than 0"),
    ((), {"TIDEMARK_STRATEGY": "nope"}, "unknown strategy 'nope'"),
    (("--fds-limit=12",), {}, "limit"),
    (("--results=/proc/nowhere",), {}, "cannot be"),
    (("--bootstrap=127.0.0.1:1",), {}, "127.0.0.1:1"),
    (("--host=ftp://127.0.0.1",), {}, "--host"),
    (("--target-pid=1",), {}, "--host"),
    (("--users=-5",), {}, "--users: must be a whole number of at least 1"),
    (("--users=0",), {}, "--users: must be a whole number of at least 1"),
    (("--tags=nope",), {}, "--tags: IngestUser has no task"),
    (("--run-time=0s",), {}, "--run-time: must be longer"),
    ((), {"TIDEMARK_NO_REPORT": "maybe" * 1000}, "5,000 characters"),
]
AT_ONCE = (0, 2, 5, 7, 11)
"""Those of which each is refused by another part; the others say the same of other options."""


def cases(*numbers: int) -> list[Any]:
    """Some of what is bad; starting a program for each takes long."""
    return [
        pytest.param(*BAD[number], marks=() if number in AT_ONCE else pytest.mark.long)
        for number in numbers
    ]


@pytest.mark.parametrize(("arguments", "environment", "wanted"), cases(*range(len(BAD))))
def test_what_cannot_work_is_refused_in_one_line(
    bench: Workbench, arguments: tuple[str, ...], environment: dict[str, str], wanted: str
) -> None:
    locust = bench.locust("--run-time=5s", *arguments, **environment).wait()
    assert locust.code == 2, locust.err
    assert wanted in locust.err.strip().splitlines()[-1]
    assert "Traceback" not in locust.err
    bench.expect_nothing_left()


@pytest.mark.parametrize(("arguments", "environment", "wanted"), cases(0, 1, 2, 4, 5))
def test_compare_refuses_in_the_same_words(
    bench: Workbench, arguments: tuple[str, ...], environment: dict[str, str], wanted: str
) -> None:
    arguments = tuple(a.replace("--strategy=", "--strategies=") for a in arguments)
    compare = bench.run("tidemark", "compare", "--duration=3", *arguments, **environment)
    assert compare.code == 2, compare.err
    (line,) = (line for line in compare.err.splitlines() if line.startswith("tidemark: "))
    assert wanted in line
    assert "Traceback" not in compare.err


def test_a_port_already_taken_is_told(bench: Workbench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        locust = bench.locust("--run-time=5s", f"--target-port={port}").wait()
    assert locust.code == 2
    assert str(port) in locust.err.strip().splitlines()[-1]
    bench.expect_nothing_left()
