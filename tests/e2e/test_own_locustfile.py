"""Locustfiles of somebody else's: one import, and a run is recorded, judged and ended like ours."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually

from .conftest import Command, Workbench, event_names, metadata
from .recording import Recording, recording_service, routes_of

pytestmark = [pytest.mark.e2e, pytest.mark.long]
EXAMPLES = Path(__file__).parents[2] / "examples"
OWN, OPEN = EXAMPLES / "locustfile_own.py", EXAMPLES / "locustfile_open.py"


@pytest.fixture
def leaking(bench: Workbench) -> Iterator[Recording]:
    """A service that leaks a descriptor an order."""
    with recording_service(bench, "POST") as service:
        yield service


@pytest.fixture
def bootstrap(bench: Workbench) -> Iterator[str]:
    broker = bench.start("tidemark", "broker")
    assert broker.process.stdout
    yield ",".join(json.loads(broker.process.stdout.readline())["bootstrap"])
    broker.signal(signal.SIGTERM)
    broker.wait()


def drive(bench: Workbench, locustfile: Path, *arguments: str) -> Command:
    return bench.start(
        "locust", f"--locustfile={locustfile}", "--headless", "--only-summary", "--interval=0.2",
        *arguments,
    )  # fmt: skip


def watching(service: Recording, bootstrap: str) -> tuple[str, ...]:
    return f"--host={service.url}", f"--target-pid={service.pid}", f"--bootstrap={bootstrap}"


def of_routes(service: Recording) -> Counter[str]:
    return Counter(
        "POST /v1/orders" if one["method"] == "POST" else "GET /v1/orders/ID"
        for one in service.requests()
    )


def expect_a_leak_found(bench: Workbench, service: Recording, code: int) -> None:
    """Every request is in the record, under its route; the leak is found, and the figure right."""
    assert code == 0
    (run,) = bench.runs()
    sent = of_routes(service)
    assert routes_of(run) == sent
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["resources"]["fds"]["verdict"] == "leak"
    # Of the part that is judged, whose mix of routes is a little another one.
    share = sent["POST /v1/orders"] / sent.total()
    assert verdict["resources"]["fds"]["per_request"] == pytest.approx(share, rel=0.15)
    assert set(verdict["messages"].values()) == {None}
    assert bench.run("tidemark", "check", str(run)).code == 1


@pytest.mark.parametrize("kind", ["HttpUser", "FastHttpUser"])
def test_one_import_is_all_it_takes(
    bench: Workbench, leaking: Recording, bootstrap: str, kind: str
) -> None:
    locustfile = bench.folder / "locustfile.py"
    locustfile.write_text(OWN.read_text().replace("HttpUser", kind))
    finished = drive(
        bench, locustfile, "--users=20", "--spawn-rate=20", "--run-time=10s",
        *watching(leaking, bootstrap),
    ).wait()  # fmt: skip
    expect_a_leak_found(bench, leaking, finished.code)
    (run,) = bench.runs()
    load = metadata(run)["load"]
    assert (load["workload"], load["rate"], load["batch_size"], load["users"]) == (
        "own", None, None, 20,
    )  # fmt: skip


def test_the_same_users_arrive_without_waiting(
    bench: Workbench, leaking: Recording, bootstrap: str
) -> None:
    finished = drive(
        bench, OPEN, "--rate=40", "--run-time=10s", *watching(leaking, bootstrap)
    ).wait()  # fmt: skip
    expect_a_leak_found(bench, leaking, finished.code)
    (run,) = bench.runs()
    load = metadata(run)["load"]
    assert (load["workload"], load["rate"], load["batch_size"]) == ("open", 40.0, None)


def test_a_death_ends_it(bench: Workbench, leaking: Recording, bootstrap: str) -> None:
    locust = drive(
        bench, OWN, "--users=5", "--spawn-rate=5", "--run-time=100s", "--no-report",
        *watching(leaking, bootstrap),
    )  # fmt: skip
    run = bench.run_under_way()
    eventually(leaking.requests)
    os.kill(leaking.pid, signal.SIGKILL)
    finished = locust.wait()
    assert finished.code == 1, finished.err
    assert metadata(run)["outcome"] == "died"


def test_a_service_that_stops_answering_is_silent(
    bench: Workbench, leaking: Recording, bootstrap: str
) -> None:
    """An HttpUser waits for ever and tells of nothing meanwhile."""
    locust = drive(
        bench, OWN, "--users=5", "--spawn-rate=5", "--run-time=100s", "--no-report",
        "--request-timeout=1", *watching(leaking, bootstrap),
    )  # fmt: skip
    run = bench.run_under_way()
    eventually(leaking.requests)
    assert "stalled" not in event_names(run)
    os.kill(leaking.pid, signal.SIGSTOP)
    try:
        eventually(lambda: "stalled" in event_names(run), "that silence is noticed")
    finally:
        os.kill(leaking.pid, signal.SIGCONT)
    locust.signal(signal.SIGINT)
    assert locust.wait().code == 1


def test_the_host_of_the_locustfile_is_driven(bench: Workbench, leaking: Recording) -> None:
    locustfile = bench.folder / "locustfile.py"
    host = f"HttpUser):\n    host = {leaking.url!r}\n"
    locustfile.write_text(OWN.read_text().replace("HttpUser):\n", host))
    finished = drive(bench, locustfile, "--users=5", "--run-time=2s", "--no-target").wait()
    assert finished.code == 0, finished.err
    (run,) = bench.runs()
    assert metadata(run)["target"]["url"] == leaking.url
    assert routes_of(run) == of_routes(leaking)


@pytest.mark.parametrize("argument", ["--route=GET /x", "--header=X-A: 1"])
def test_what_such_users_do_not_heed_is_refused(bench: Workbench, argument: str) -> None:
    finished = drive(
        bench, OWN, "--host=http://127.0.0.1:1", "--no-target", "--run-time=2s", argument
    ).wait()  # fmt: skip
    assert finished.code == 2
    assert "does nothing here" in finished.err.strip().splitlines()[-1]
    assert bench.runs() == []


def test_users_of_several_hosts_are_refused(bench: Workbench) -> None:
    locustfile = bench.folder / "locustfile.py"
    locustfile.write_text(
        OWN.read_text()
        + "\n\nclass Here(Shopper):\n    host = 'http://127.0.0.1:1'\n"
        + "\n\nclass There(Shopper):\n    host = 'http://127.0.0.1:2'\n"
    )
    finished = drive(bench, locustfile, "--run-time=2s", "--no-target").wait()
    assert finished.code == 2
    assert "several hosts" in finished.err.strip().splitlines()[-1]
    assert bench.runs() == []
