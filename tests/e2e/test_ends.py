"""However a run ends or fails to begin: nothing is left running, nothing recorded is lost."""

import os
import signal
import socket

import pytest

from tests.eventually import eventually

from .conftest import Workbench, event_names, events, metadata, sampled

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_nothing_but_a_run_that_can_be_reported(
    bench: Workbench, signum: signal.Signals
) -> None:
    locust = bench.locust("--strategy=pooled", "--rate=20", "--no-report")
    run = eventually(lambda: next(iter(bench.runs()), None))
    eventually(lambda: sampled(run, 40))
    locust.signal(signum)
    finished = locust.wait()
    bench.expect_nothing_left()
    if signum == signal.SIGKILL:
        assert finished.code == -signal.SIGKILL
        assert metadata(run)["outcome"] is None
    else:
        assert metadata(run)["outcome"] == "aborted"
        assert event_names(run)[-1] == "run_ended"
    report = bench.run("tidemark", "report", str(run))
    assert report.code == 0, report.err
    assert "aborted" in (run / "report.html").read_text()


def test_a_target_that_dies_ends_the_run(bench: Workbench) -> None:
    locust = bench.locust("--strategy=shared", "--no-report")
    run = eventually(lambda: next(iter(bench.runs()), None))
    eventually(lambda: sampled(run, 20))
    pid = next(e["pid"] for e in events(run) if e["event"] == "target_started")
    os.kill(pid, signal.SIGKILL)
    finished = locust.wait()
    assert finished.code == 1
    assert metadata(run)["outcome"] == "aborted"
    assert "the target ended by itself" in metadata(run)["ended_because"]
    bench.expect_nothing_left()


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
]


@pytest.mark.parametrize(("arguments", "environment", "wanted"), BAD)
def test_what_cannot_work_is_refused_in_one_line(
    bench: Workbench, arguments: tuple[str, ...], environment: dict[str, str], wanted: str
) -> None:
    locust = bench.locust("--run-time=5s", *arguments, **environment).wait()
    assert locust.code == 2, locust.err
    assert wanted in locust.err.strip().splitlines()[-1]
    assert "Traceback" not in locust.err
    bench.expect_nothing_left()


@pytest.mark.parametrize(("arguments", "environment", "wanted"), [*BAD[:3], *BAD[4:6]])
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
