"""A service that answers no request is not tested, and that is said within seconds."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .conftest import Workbench, metadata

pytestmark = pytest.mark.e2e

LOAD = ("--no-target", "--rate=20", "--run-time=60s", "--request-timeout=1", "--no-report")


class Refusing(BaseHTTPRequestHandler):
    """Answers every request with the status that its path names."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def expect_no_test(bench: Workbench, host: str, *wanted: str) -> None:
    finished = bench.locust(*LOAD, f"--host={host}").wait()
    assert finished.code == 3, finished.err
    (line,) = (line for line in finished.err.splitlines() if "the run ends as" in line)
    (run,) = bench.runs()
    assert metadata(run)["outcome"] == "aborted"
    assert line == f"tidemark: the run ends as aborted: {metadata(run)['ended_because']}"
    for words in ("requests failed: ", *wanted):
        assert words in line
    bench.expect_nothing_left()


@pytest.mark.parametrize(
    ("status", "hint"), [(404, "is the path right?"), (500, "what does the service's own log say?")]
)
def test_nothing_but_refusals(bench: Workbench, url: str, status: int, hint: str) -> None:
    expect_no_test(bench, f"{url}/{status}", f"HTTP {status} on POST /ingest", hint)


def test_nobody_on_that_port_any_more(bench: Workbench) -> None:
    port = socket.create_server(("127.0.0.1", 0))

    def open_once() -> None:
        with port:
            port.accept()[0].close()  # who starts a run looks whether anybody is there

    threading.Thread(target=open_once, daemon=True).start()
    host = f"http://127.0.0.1:{port.getsockname()[1]}"
    expect_no_test(bench, host, "connection refused on POST")


def test_no_answer_at_all(bench: Workbench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        expect_no_test(bench, f"http://127.0.0.1:{port}", "no answer within 1 s on POST")


def test_who_wants_to_go_on_does(bench: Workbench, url: str) -> None:
    arguments = ("--no-target", "--rate=20", "--run-time=4s", "--no-report", "--keep-going")
    finished = bench.locust(*arguments, f"--host={url}/500").wait()
    assert finished.code == 3, finished.err  # and still nothing was tested
    (run,) = bench.runs()
    assert metadata(run)["outcome"] == "completed"
    assert "requests failed: HTTP 500" in metadata(run)["ended_because"]
