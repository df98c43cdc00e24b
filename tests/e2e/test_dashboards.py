"""A real Prometheus server scrapes a run under way, and the dashboard finds in it what it shows."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.prometheus import JOB, PrometheusServer
from tests.eventually import eventually

from .web import Form

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed"),
]

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "tidemark.json"
SLOW_S = 90.0
CHOSEN = {"job": JOB, "instance": ".*", "target": ".*", "ahead": "3600", "__rate_interval": "10s"}


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def asked(server: PrometheusServer, what: str, **given: str) -> Any:
    """The data of an answer of the server's API."""
    found = json.loads(get(f"{server.url}/api/v1/{what}?{urllib.parse.urlencode(given)}"))
    assert found["status"] == "success"
    return found["data"]


def filled(text: str) -> str:
    """A query as Grafana sends it: with what was chosen in the place of variables."""
    for name, value in sorted(CHOSEN.items(), reverse=True):
        text = text.replace(f"${name}", value)
    assert "$" not in text
    return text


def queries() -> Iterator[str]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from (filled(one["expr"]) for one in panel["targets"])


def expect_valid(page: str) -> None:
    """What Prometheus' own linter says of a page."""
    command = ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=page, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("form", [("-u1", "-r1", "--fds-limit=1024", "--plateau=1")], indirect=True)
def test_each_query_of_the_dashboard_finds_the_run(form: Form, tmp_path: Path) -> None:
    page_url = f"{form.url}/tidemark/metrics"
    assert get(page_url) == "", "no run has begun"
    address = form.url.removeprefix("http://")
    server = PrometheusServer(tmp_path, [address], 1.0, "/tidemark/metrics")
    try:
        up = f'up{{job="{JOB}"}} == 1'
        eventually(lambda: asked(server, "query", query=up)["result"], "an empty scrape", SLOW_S)
        assert form.start(tidemark_service="per-request-leaked", rate="3")["success"]
        leaks = 'tidemark_verdict{verdict="leak"} == 1'
        eventually(lambda: asked(server, "query", query=leaks)["result"], "a verdict", SLOW_S)
        for query in queries():
            # A rate needs two scrapes, the end of an interval more of the run.
            eventually(
                lambda query=query: asked(server, "query", query=query)["result"], query, SLOW_S
            )
        for variable in ("job", "instance"):
            assert asked(server, f"label/{variable}/values", **{"match[]": "tidemark_run_info"})
        expect_valid(get(page_url))
        expect_same_page_of_watch(form)
        assert json.loads(get(f"{form.url}/stats/requests"))["state"] == "running"
    finally:
        server.close()
        form.stop()


def expect_same_page_of_watch(form: Form) -> None:
    """`tidemark watch --web` of the same run has the same metrics."""
    (run,) = form.bench.runs()
    watch = form.bench.start("tidemark", "watch", str(run), "--web", "--port=0")
    assert watch.process.stdout is not None
    url = watch.process.stdout.readline().partition(": ")[2].split()[0]
    verdict = 'tidemark_verdict{verdict="leak"} 1'
    page = eventually(lambda: (text := get(f"{url}metrics")) * (verdict in text), "it", SLOW_S)
    expect_valid(page)
    assert names(page) == names(get(f"{form.url}/tidemark/metrics"))
    watch.signal(signal.SIGTERM)
    assert watch.wait().code == 0


def names(page: str) -> set[str]:
    return {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE ")}
