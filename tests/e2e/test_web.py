"""The web UI: each start is a run of its own, and the form is checked like a command line."""

import json
import signal
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from tests.eventually import eventually

from .conftest import LOCUSTFILE, Command, Workbench, metadata, sampled

pytestmark = pytest.mark.e2e


class Form:
    """Locust's web form, as a browser posts it."""

    def __init__(self, bench: Workbench, port: int, locust: Command) -> None:
        self.bench = bench
        self.locust = locust
        self._url = f"http://127.0.0.1:{port}"

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(self._url, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def post(self, path: str, **fields: str) -> dict[str, Any]:
        body = urllib.parse.urlencode(fields).encode()
        with urllib.request.urlopen(f"{self._url}{path}", body, timeout=60) as answer:
            content: dict[str, Any] = json.load(answer)
        return content

    def start(self, **fields: str) -> dict[str, Any]:
        return self.post("/swarm", user_count="1", spawn_rate="1", **fields)

    def stop(self) -> None:
        assert self.post("/stop")["success"]


@pytest.fixture
def form(bench: Workbench) -> Iterator[Form]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    locust = bench.start(
        "locust",
        f"--locustfile={LOCUSTFILE}",
        f"--web-port={port}",
        "--interval=0.2",
        "--no-report",
    )
    web = Form(bench, port, locust)
    eventually(web.is_up)
    yield web
    locust.signal(signal.SIGTERM)
    locust.wait()
    bench.expect_nothing_left()


def test_each_start_is_a_run_on_a_fresh_target(form: Form) -> None:
    url = ""
    for number, strategy in enumerate(("shared", "pooled"), start=1):
        planned = {"run_time": "90s"} if number == 1 else {}
        # The form shows the target of the run before as the host, and hands it back.
        assert form.start(strategy=strategy, rate="20", host=url, **planned)["success"]
        run = form.bench.runs()[-1]
        eventually(lambda run=run: sampled(run, 30))
        form.stop()
        eventually(lambda run=run: metadata(run)["outcome"])
        assert metadata(run)["outcome"] == "completed"
        assert metadata(run)["strategy"] == strategy
        assert metadata(run)["load"]["rate"] == 20.0
        assert metadata(run)["load"]["run_time_s"] == (90 if planned else None)
        assert len(form.bench.runs()) == number
        url = metadata(run)["target"]["url"]


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("strategy", "nope", "unknown strategy"),
        ("rate", "0", "greater than 0"),
        ("fds_limit", "12", "limit"),
        ("target_port", "99999", "65,535"),
        ("results", "/proc/nowhere", "cannot be"),
        ("topic", "a b", "letters"),
        ("host", "ftp://127.0.0.1", "--host"),
    ],
)
def test_the_form_refuses_what_the_command_line_refuses(
    form: Form, field: str, value: str, wanted: str
) -> None:
    answer = form.start(**{"strategy": "shared", field: value})
    assert not answer["success"]
    assert wanted in answer["message"]
    assert "\n" not in answer["message"]
    assert form.bench.left()  # the web UI itself goes on


def test_a_start_in_the_middle_of_another_is_refused(form: Form) -> None:
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(lambda rate: form.start(strategy="shared", rate=rate), "89"))
    accepted, refused = sorted(answers, key=lambda answer: not answer["success"])
    assert accepted["success"]
    assert "another run is being started" in refused["message"]
    (run,) = form.bench.runs()
    form.stop()
    eventually(lambda: metadata(run)["outcome"])


def test_a_run_that_locust_refuses_to_load_ends_with_the_next_start(form: Form) -> None:
    form.post("/swarm", user_count="abc", spawn_rate="1", strategy="shared")
    assert form.start(strategy="shared")["success"]
    first, second = form.bench.runs()
    assert metadata(first)["ended_because"] == "its load never began"
    assert metadata(second)["ended_at"] is None
    form.stop()
    eventually(lambda: metadata(second)["outcome"])


def test_the_web_ui_listens_on_loopback_alone(form: Form) -> None:
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(form.locust.process.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
