"""Faults in whole runs: they happen, they end, and the ledger adds up all the same."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from .conftest import Workbench, event_names, events, metadata

pytestmark = [pytest.mark.e2e, pytest.mark.long]

LOAD = ("--strategy=shared", "--rate=20", "--verify-messages", "--request-timeout=2")


def balanced(messages: dict[str, Any]) -> bool:
    return bool(
        messages["delivered"]
        == messages["accepted"]
        - messages["lost"]
        + messages["undecided_delivered"]
        + messages["duplicated"]
        + messages["unknown"]
    )


def faulty_run(bench: Workbench, fault: str, *arguments: str, seconds: int = 14) -> Path:
    finished = bench.locust(
        *LOAD, f"--run-time={seconds}s", f"--fault={fault}", "--no-report", *arguments
    ).wait()
    assert finished.code in {0, 1}, finished.err
    bench.expect_nothing_left()
    (run,) = bench.runs()
    assert metadata(run)["outcome"] == "completed"
    assert metadata(run)["faults"] == [fault]
    assert balanced(metadata(run)["messages"])
    return run


@pytest.mark.parametrize("fault", ["outage@3+3", "broker-kill@3+3", "broker-freeze@3+4"])
def test_brokers_go_and_come_back(bench: Workbench, fault: str) -> None:
    run = faulty_run(bench, fault)
    brokers = 2 if fault.startswith("outage") else 1
    names = [name for name in event_names(run) if name.startswith(("fault", "broker"))]
    assert names == [
        "fault_started", *["broker_down"] * brokers, *["broker_up"] * brokers, "fault_ended",
    ]  # fmt: skip
    assert metadata(run)["messages"]["undecided"] > 0
    assert bench.run("tidemark", "report", str(run)).code == 0
    # It has recovered: the last ticks of the load bring successes.
    rows = (run / "requests.csv").read_text().splitlines()
    middle, last = (
        dict(zip(rows[0].split(","), row.split(","), strict=True)) for row in rows[-6::5]
    )
    assert int(last["requests"]) > int(middle["requests"])
    assert last["failures"] == middle["failures"]


def test_a_killed_worker_is_replaced(bench: Workbench) -> None:
    run = faulty_run(bench, "target-kill@3", seconds=8)
    killed = next(event["pid"] for event in events(run) if event["event"] == "worker_killed")
    pids = set(pd.read_csv(run / "samples.csv")["pid"])
    assert killed in pids
    assert len(pids - {0}) == 3  # the master, the one that was killed, the one after it


def test_a_run_may_end_in_the_middle_of_a_fault(bench: Workbench) -> None:
    run = faulty_run(bench, "outage@2+600", seconds=6)
    assert event_names(run).count("broker_up") == 2


@pytest.mark.kafka
def test_the_ledger_is_exact_on_real_brokers(bench: Workbench) -> None:
    run = faulty_run(bench, "broker-kill@4+2", "--broker=kafka", seconds=20)
    messages = metadata(run)["messages"]
    assert messages["verified"]
    assert messages["lost"] == 0
    assert messages["accepted"] > 0


@pytest.mark.kafka
def test_a_brokers_own_limit_is_recorded_as_what_it_is(bench: Workbench) -> None:
    finished = bench.locust(
        "--strategy=broken", "--rate=10", "--run-time=10s", "--request-timeout=2", "--no-report",
        "--broker=kafka", "--broker-option=max.connections.per.ip=20",
    ).wait()  # fmt: skip
    assert finished.code == 1, finished.err
    (run,) = bench.runs()
    (refused,) = (event for event in events(run) if event["event"] == "refused_by_broker")
    assert "configured maximum of 20" in refused["line"]
    assert "emfile" not in event_names(run)
    assert metadata(run)["outcome"] == "completed"
