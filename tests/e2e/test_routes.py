"""Which route leaks: a real service with three routes, driven for real, of which one does."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from .conftest import REPOSITORY, Command, Workbench

pytestmark = [pytest.mark.e2e, pytest.mark.long]

LOCUSTFILE = REPOSITORY / "benchmarks" / "routes_load.py"


def _said(command: Command) -> dict[str, Any]:
    assert command.process.stdout is not None
    line: dict[str, Any] = json.loads(command.process.stdout.readline())
    return line


def test_the_route_that_leaks_is_named_and_may_be_held_to_a_threshold(bench: Workbench) -> None:
    broker = bench.start("tidemark", "broker")
    bootstrap = ",".join(_said(broker)["bootstrap"])
    service = bench.start(
        "benchmarks.routes_service", "--leak=fds", "--share=1", PYTHONPATH=str(REPOSITORY)
    )
    ready = _said(service)
    finished = bench.start(
        "locust", f"--locustfile={LOCUSTFILE}", "--headless", "--only-summary", "--interval=0.2",
        "--run-time=25s", "--rate=40", "--no-report", f"--host={ready['url']}",
        f"--target-pid={ready['pid']}", f"--bootstrap={bootstrap}",
    ).wait()  # fmt: skip
    assert finished.code == 0, finished.err
    service.signal(signal.SIGTERM)
    counted = _said(service)
    for command in (service, broker):
        command.signal(signal.SIGTERM)
        command.wait()
    assert counted["left"] == counted["requests"]["/ingest"] > 0
    (run,) = bench.runs()
    reported = bench.run("tidemark", "report", str(run), "--json")
    routes = json.loads(reported.out)["resources"]["fds"]["routes"]
    named = {name for name, one in routes.items() if one["verdict"] == "leaks"}
    assert named == {"POST /ingest"}
    low, high = routes["POST /ingest"]["per_request_interval"]
    assert low <= 1 <= high
    gate = ("tidemark", "check", str(run), "--max-per-request")
    above, within = (bench.run(*gate, f"fds@ingest={allowed}") for allowed in (0.1, 3))
    assert (above.code, within.code) == (1, 0), above.out + within.out
    assert above.out.startswith("threshold: file descriptors of POST /ingest: growth of ")
