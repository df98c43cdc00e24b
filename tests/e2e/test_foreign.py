"""A service that is already there: driven with --host, sampled by its PID, or only watched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from tests.eventually import eventually

from .conftest import Command, Workbench, event_names, metadata, sampled

pytestmark = pytest.mark.e2e


@dataclass
class Service:
    """A target that somebody else has started."""

    url: str
    pid: int
    bootstrap: str


def _ready(command: Command) -> dict[str, Any]:
    assert command.process.stdout is not None
    ready: dict[str, Any] = json.loads(command.process.stdout.readline())
    return ready


@pytest.fixture
def service(bench: Workbench) -> Iterator[Service]:
    broker = bench.start("tidemark", "broker")
    bootstrap = ",".join(_ready(broker)["bootstrap"])
    target = bench.start("tidemark", "target", "shared", f"--bootstrap={bootstrap}")
    ready = _ready(target)
    yield Service(ready["url"], ready["pid"], bootstrap)
    for command in (target, broker):
        command.signal(signal.SIGTERM)
        assert command.wait().code in {0, -signal.SIGKILL}


def test_a_foreign_service_is_driven_and_sampled(bench: Workbench, service: Service) -> None:
    finished = bench.locust(
        "--run-time=6s", "--rate=20", f"--host={service.url}", f"--target-pid={service.pid}",
        f"--bootstrap={service.bootstrap}",
    ).wait()  # fmt: skip
    assert finished.code == 0, finished.err
    (run,) = bench.runs()
    assert metadata(run)["strategy"] is None
    assert metadata(run)["target"]["url"] == service.url
    (target,) = metadata(run)["targets"]
    assert (target["url"], target["pids"]) == (service.url, [service.pid])
    samples = pd.read_csv(run / "samples.csv")
    assert service.pid in set(samples["pid"])
    assert samples["established"].max() >= 1
    assert (run / "report.png").exists()


@pytest.mark.parametrize(
    "clue",
    [
        "none",
        *(
            pytest.param(clue, marks=pytest.mark.long)
            for clue in ("--target-port", "--pid-file", "--target-command")
        ),
    ],
)
def test_the_process_of_a_foreign_service_is_found(
    bench: Workbench, service: Service, clue: str
) -> None:
    port = service.url.rpartition(":")[2]
    (bench.folder / "it.pid").write_text(str(service.pid))
    given = {
        "none": [],
        "--target-port": [f"--target-port={port}"],
        "--pid-file": [f"--pid-file={bench.folder / 'it.pid'}"],
        "--target-command": [f"--target-command=target shared --bootstrap={service.bootstrap}"],
    }[clue]
    finished = bench.locust(
        "--run-time=2s", f"--host={service.url}", f"--bootstrap={service.bootstrap}",
        "--no-report", *given,
    ).wait()  # fmt: skip
    assert finished.code == 0, finished.err
    (run,) = bench.runs()
    assert service.pid in set(pd.read_csv(run / "samples.csv")["pid"])


@pytest.mark.long
def test_a_service_is_left_running(bench: Workbench, service: Service) -> None:
    run = bench.locust("--run-time=2s", f"--host={service.url}", "--no-target").wait()
    assert run.code == 0, run.err
    assert "no process was watched, so there is no verdict" in run.err.strip().splitlines()[-1]
    (path,) = bench.runs()
    assert metadata(path)["watched"] is False
    assert not (path / "samples.csv").exists()
    for command in ("check", "report"):
        refused = bench.run("tidemark", command, str(path))
        assert refused.code == 2
        assert "no process was watched" in refused.err
        assert refused.err.count("\n") == 1
    watched = bench.start(
        "tidemark", "sample", f"--pid={service.pid}", f"--brokers={service.bootstrap}",
        f"--out={bench.results / 'watched'}", "--interval=0.2",
    )  # fmt: skip
    eventually(lambda: sampled(bench.results / "watched", 30))
    watched.signal(signal.SIGINT)
    assert watched.wait().code == 0
    assert metadata(bench.results / "watched")["outcome"] == "completed"
    check = bench.run("tidemark", "check", "results/watched")
    assert check.code in {0, 3}, check.err


@pytest.mark.long
def test_a_service_that_ends_has_died(bench: Workbench, service: Service) -> None:
    locust = bench.locust(
        "--run-time=60s", "--rate=20", f"--host={service.url}", f"--target-pid={service.pid}",
        f"--bootstrap={service.bootstrap}", "--no-report",
    )  # fmt: skip
    run = bench.run_under_way()
    os.kill(service.pid, signal.SIGKILL)
    finished = locust.wait()
    assert finished.code == 1, finished.err
    told = metadata(run)
    assert told["outcome"] == "died"
    assert f"({service.pid}) has ended after " in told["ended_because"]
    assert "target_exited" in event_names(run)


@pytest.mark.long
def test_a_service_that_is_started_again_is_followed(bench: Workbench, service: Service) -> None:
    """On the same port, by another command line."""
    port = service.url.rpartition(":")[2]
    locust = bench.locust(
        "--run-time=15s", "--rate=20", f"--host={service.url}", f"--bootstrap={service.bootstrap}",
        "--interval=0.2", "--no-report",
    )  # fmt: skip
    run = bench.run_under_way()
    eventually(lambda: sampled(run, 10))
    os.kill(service.pid, signal.SIGKILL)
    again = bench.start(
        "tidemark",
        "target",
        "pooled",
        f"--bootstrap={service.bootstrap}",
        f"--bind=127.0.0.1:{port}",
    )
    pid = _ready(again)["pid"]
    finished = locust.wait()
    assert "has taken its place" in finished.err
    assert metadata(run)["outcome"] == "completed"
    assert {"target_exited", "target_restarted"} <= set(event_names(run))
    samples = pd.read_csv(run / "samples.csv")
    assert {service.pid, pid} <= set(samples["pid"])
    again.signal(signal.SIGTERM)
    again.wait()


NOBODY = "nobody answers at 127.0.0.1 port 1"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("--host=http://127.0.0.1:1",), NOBODY),
        (("--host=http://[::1", "--no-target"), "--host: must be"),
        (("--batch-size=10000", "--payload-bytes=800000"), "16 MiB at most"),
        *(
            pytest.param(*one, marks=pytest.mark.long)
            for one in (
                (("--host=http://127.0.0.1:1", "--target-pid=1"), NOBODY),
                (("--host=http://127.0.0.1:1", "--no-target"), NOBODY),
                (("--host=http://127.0.0.1:99999", "--no-target"), "--host: must be"),
                (("--results=",), "must be a path"),
                (("--users=-5",), "--users: must be a whole number"),
            )
        ),
    ],
)
def test_what_cannot_be_driven_or_judged_is_said_at_the_start(
    bench: Workbench, arguments: tuple[str, ...], wanted: str
) -> None:
    finished = bench.locust(*arguments, "--run-time=2s").wait()
    assert finished.code == 2
    assert wanted in finished.err.strip().splitlines()[-1]
    assert "Traceback" not in finished.err
    assert bench.runs() == []


def test_a_process_that_does_not_serve_the_host_is_refused(
    bench: Workbench, service: Service
) -> None:
    with subprocess.Popen([sys.executable, "-m", "http.server", "0"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as other:  # fmt: skip
        finished = bench.locust(
            "--run-time=2s", f"--host={service.url}", f"--target-pid={other.pid}",
            f"--bootstrap={service.bootstrap}",
        ).wait()  # fmt: skip
        other.kill()
    assert finished.code == 2
    assert f"not by {other.pid} " in finished.err.strip().splitlines()[-1]
    assert bench.runs() == []
