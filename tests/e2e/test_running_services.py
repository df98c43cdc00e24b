"""Services of tidemark.toml that somebody else has started: found, driven, judged, left running."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pytest

from tests.eventually import eventually

from .conftest import Workbench, event_names, metadata, sampled

pytestmark = [pytest.mark.e2e, pytest.mark.long]

SERVICE = Path(__file__).parent / "leaky_service.py"
LOAD = """
[load]
rate = 20
interval = 0.2
run_time = "8s"
"""
Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start(bench: Workbench, port: int) -> Iterator[Start]:
    """Starts the service, again too, and ends what it has started."""
    pid_file = bench.folder / "it.pid"
    with ExitStack() as ending:

        def start() -> subprocess.Popen[bytes]:
            pid_file.unlink(missing_ok=True)
            process = subprocess.Popen(
                [sys.executable, str(SERVICE), str(port), "leak-file"],
                env={**os.environ, "PID_FILE": str(pid_file)},
            )
            ending.callback(process.wait)
            ending.callback(process.kill)
            eventually(lambda: pid_file.exists() and pid_file.read_text() == str(process.pid))
            return process

        yield start


def write(bench: Workbench, port: int, clue: str) -> None:
    told = clue.format(port=port, service=SERVICE.name)
    text = f'[service.staging]\nurl = "http://127.0.0.1:{port}"\n{told}\n{LOAD}'
    (bench.folder / "tidemark.toml").write_text(text)


CLUES = ('pid_file = "it.pid"', "target-port = {port}", "target_command = '{service} {port}'")


@pytest.mark.parametrize("clue", CLUES)
def test_the_leak_of_a_service_that_runs_already_is_found(
    bench: Workbench, start: Start, port: int, clue: str
) -> None:
    service = start()
    write(bench, port, clue)
    finished = bench.run("tidemark", "run", "staging")
    assert finished.code == 1, finished.err
    bench.expect_nothing_left()
    assert service.poll() is None, "it is somebody else's"
    (run,) = bench.runs()
    told = metadata(run)
    assert (told["strategy"], told["outcome"]) == ("staging", "completed")
    assert told["target"]["fds_limit"] is None
    assert told["targets"][0]["pids"] == [service.pid]
    assert told["load"]["rate"] == 20
    fds = json.loads((run / "verdict.json").read_text())["resources"]["fds"]
    assert fds["verdict"] == "leak"
    assert fds["per_request"] == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("clue", ["", *CLUES])
def test_its_restart_is_followed(bench: Workbench, start: Start, port: int, clue: str) -> None:
    first = start()
    write(bench, port, clue)
    locust = bench.locust("--service=staging", "--run-time=12s", "--no-report")
    run = bench.run_under_way()
    first.kill()
    first.wait()
    again = start()
    finished = locust.wait()
    assert f"process {again.pid} has taken its place" in finished.err
    assert metadata(run)["outcome"] == "completed"
    assert {"target_exited", "target_restarted"} <= set(event_names(run))
    assert {first.pid, again.pid} <= set(pd.read_csv(run / "samples.csv")["pid"])


def test_it_is_compared_with_one_that_is_started(bench: Workbench, start: Start, port: int) -> None:
    service = start()
    write(bench, port, "")
    with (bench.folder / "tidemark.toml").open("a") as file:
        file.write(
            f'brokers = 3\n[service.after]\ncommand = "{sys.executable} {SERVICE} {{port}}"\n'
        )
    finished = bench.run("tidemark", "compare", "--services=staging,after")
    assert finished.code == 0, finished.err
    assert service.poll() is None
    assert finished.err.startswith("tidemark: staging: runs already and is not started here")
    (folder,) = bench.results.iterdir()
    verdicts = {
        name: json.loads((folder / name / "verdict.json").read_text())["resources"]["fds"]
        for name in ("staging", "after")
    }
    assert verdicts["staging"]["verdict"] == "leak"
    assert verdicts["after"]["verdict"] != "leak"


def test_one_that_does_not_run_is_missed_before_another_is_measured(
    bench: Workbench, port: int
) -> None:
    write(bench, port, "")
    finished = bench.run("tidemark", "compare", "--services=shared,staging")
    assert finished.code == 2
    (line,) = finished.err.strip().splitlines()
    assert line.startswith(f"tidemark: service staging: nobody answers at 127.0.0.1 port {port}")
    assert not bench.results.exists()


def test_a_metrics_page_stands_in_for_a_process(bench: Workbench, port: int, start: Start) -> None:
    service = start()
    with subprocess.Popen(
        [sys.executable, "-c", PAGE, str(service.pid)], stdout=subprocess.PIPE, text=True
    ) as page:
        assert page.stdout is not None
        clue = (
            f'no_target = true\nmetrics_url = "http://127.0.0.1:{page.stdout.readline().strip()}"'
        )
        write(bench, port, clue)
        finished = bench.run("tidemark", "run", "staging")
        page.send_signal(signal.SIGKILL)
    assert finished.code == 1, finished.err
    (run,) = bench.runs()
    assert metadata(run)["watched"] is True
    fds = json.loads((run / "verdict.json").read_text())["resources"]["fds"]
    assert fds["per_request"] == pytest.approx(1, rel=0.1)
    assert sampled(run)


def about(out: str) -> dict[str, str]:
    """What a look at a setup says, by what it is about."""
    return {line.partition(" ")[0]: line.partition(" ")[2].strip() for line in out.splitlines()}


def test_a_look_at_the_setup_sends_one_request_and_leaves_nothing(
    bench: Workbench, start: Start, port: int
) -> None:
    service = start()
    write(bench, port, 'pid_file = "it.pid"')
    before = len(list(Path(f"/proc/{service.pid}/fd").iterdir()))
    finished = bench.run("tidemark", "run", "staging", "--check-setup")
    assert finished.code == 0, finished.err
    told = about(finished.out)
    assert told["request"].startswith(f"POST /ingest at http://127.0.0.1:{port}: 200 after ")
    assert told["process"].startswith(f"leaky_service.py ({service.pid}), descriptor limit ")
    assert told["measured"] == "file descriptors, connections, threads, resident memory"
    assert told["missing"] == "nothing"
    assert len(list(Path(f"/proc/{service.pid}/fd").iterdir())) == before + 1
    assert not bench.results.exists()
    bench.expect_nothing_left()


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("--no-target",), "a process to watch (--no-target): there would be no verdict"),
        (("--route=GET /nowhere",), "success of GET /nowhere at "),
        (("--url=http://127.0.0.1:1",), "service staging: nobody answers at 127.0.0.1 port 1"),
        (("--url=http://192.0.2.1",), "service staging: 192.0.2.1 is not this machine's loopback"),
    ],
)
def test_a_look_at_the_setup_says_what_is_missing(
    bench: Workbench, start: Start, port: int, arguments: tuple[str, ...], wanted: str
) -> None:
    start()
    write(bench, port, "")
    finished = bench.locust("--service=staging", "--check-setup", *arguments).wait()
    assert finished.code == 2
    assert about(finished.out)["missing"].startswith(wanted)
    assert not bench.results.exists()


def test_a_look_at_the_setup_starts_what_a_run_would(bench: Workbench) -> None:
    finished = bench.locust("--strategy=shared", "--brokers=1", "--check-setup").wait()
    assert finished.code == 0, finished.err
    assert about(finished.out)["brokers"].startswith("127.0.0.1:")
    assert not bench.results.exists()
    bench.expect_nothing_left()


PAGE = """
import http.server, os, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        count = len(os.listdir(f"/proc/{sys.argv[1]}/fd"))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"process_open_fds {count}\\nprocess_max_fds 1024\\n".encode())
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Page)
print(server.server_port, flush=True)
server.serve_forever()
"""
