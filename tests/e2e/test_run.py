"""Whole runs: Locust as a child process, gunicorn, the embedded broker."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from .conftest import Workbench, event_names, events, metadata

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def leaked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of the story's bug, at a limit that it reaches after some thirty requests."""
    bench = Workbench(tmp_path_factory.mktemp("leaked"))
    finished = bench.locust(
        "--run-time=40s", "--strategy=broken", "--fds-limit=256", "--rate=8", "--plateau=3",
        "--request-timeout=2", "--verify-messages",
    ).wait()  # fmt: skip
    bench.expect_nothing_left()
    (run,) = bench.runs()
    assert finished.code == 1, finished.err
    assert "per-request-leaked" in finished.out
    return run


def test_the_bug_ends_exhausted_with_the_line_that_says_so(leaked: Path) -> None:
    assert metadata(leaked)["outcome"] == "exhausted"
    (emfile,) = (event for event in events(leaked) if event["event"] == "emfile")
    assert "too many open files" in emfile["line"].lower()
    assert emfile["line"] in (leaked / "target.log").read_text()
    assert event_names(leaked)[0] == "run_started"
    assert event_names(leaked)[-1] == "run_ended"


def test_the_bug_leaves_its_connections_established(leaked: Path) -> None:
    samples = pd.read_csv(leaked / "samples.csv")
    worker = samples[samples["pid"] == samples.loc[samples["fds"].idxmax(), "pid"]]
    assert worker["fds"].max() >= 250
    assert worker["established"].dropna().iloc[-1] >= 1.2 * _requests_at_death(leaked)


def test_routes_sum_to_the_requests_of_each_tick(leaked: Path) -> None:
    requests, routes = (pd.read_csv(leaked / f"{name}.csv") for name in ("requests", "routes"))
    assert set(routes["route"]) == {"POST /ingest"}
    by_tick = routes.groupby("elapsed_s")[["requests", "failures"]].sum()
    counts = requests.set_index("elapsed_s")[["requests", "failures"]]
    assert counts["failures"].iloc[-1] > 0
    assert by_tick.reindex(counts.index, fill_value=0).equals(counts)


def test_how_late_requests_left_is_told_by_tick_and_for_the_run(leaked: Path) -> None:
    requests = pd.read_csv(leaked / "requests.csv").dropna(subset="late_p50_ms")
    assert len(requests)
    assert (requests["late_p50_ms"] <= requests["late_p99_ms"]).all()
    assert (requests["late_p99_ms"] <= requests["late_max_ms"]).all()
    of_run = metadata(leaked)["lateness_ms"]
    assert of_run["max"] == pytest.approx(requests["late_max_ms"].max(), rel=0.01, abs=0.001)


def test_what_is_sampled_is_the_target_of_the_run(leaked: Path) -> None:
    (target,) = metadata(leaked)["targets"]
    started = next(event for event in events(leaked) if event["event"] == "target_started")
    assert (target["url"], target["pids"]) == (started["url"], [started["pid"]])
    assert target["command"] == metadata(leaked)["target"]["command"]
    samples = pd.read_csv(leaked / "samples.csv")
    assert set(samples["target"]) == {target["id"]}
    assert started["pid"] in set(samples["pid"])


def test_requests_at_death_follow_from_limit_and_growth(leaked: Path) -> None:
    verdict = json.loads((leaked / "verdict.json").read_text())
    fds = verdict["resources"]["fds"]
    assert verdict["verdict"] == "leak"
    assert verdict["exhausted"]["resource"] == "fds"
    assert 5 < fds["per_request"] < 11
    expected = (fds["limit"] - fds["baseline"]) / fds["per_request"]
    # One request more or less is three percent at this small limit.
    assert math.isclose(verdict["exhausted"]["requests"], expected, rel_tol=0.12)


def test_the_check_fails_and_the_report_can_be_rebuilt(bench: Workbench, leaked: Path) -> None:
    check = bench.run("tidemark", "check", str(leaked))
    assert check.code == 1
    assert "descriptors" in check.out
    for name in ("verdict.json", "report.png", "report.html"):
        (leaked / name).unlink()
    report = bench.run("tidemark", "report", str(leaked), "--json")
    assert report.code == 0, report.err
    assert json.loads(report.out)["verdict"] == "leak"
    assert (leaked / "report.png").read_bytes().startswith(b"\x89PNG")
    assert (leaked / "report.html").stat().st_size > 10_000


@pytest.mark.long
def test_one_producer_per_process_is_flat(bench: Workbench) -> None:
    finished = bench.locust(
        "--run-time=12s", "--strategy=shared", "--rate=20", "--verify-messages"
    ).wait()
    assert finished.code == 0, finished.err
    (run,) = bench.runs()
    assert metadata(run)["outcome"] == "completed"
    requests = pd.read_csv(run / "requests.csv").iloc[-1]
    assert requests["requests"] > 150
    assert requests["failures"] == 0
    assert requests["messages_accepted"] == 10 * requests["requests"]
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["resources"]["fds"]["verdict"] == "clean"
    accepted = verdict["messages"]["accepted"]
    assert accepted == requests["messages_accepted"]
    assert verdict["messages"]["delivered"] == accepted
    assert verdict["messages"]["lost"] == verdict["messages"]["undecided"] == 0
    bench.expect_nothing_left()


@pytest.mark.parametrize("verify", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_producer_dropped_without_flush_loses_what_it_accepted(
    bench: Workbench, verify: bool
) -> None:
    arguments = ("--run-time=4s", "--strategy=per-request-unflushed", "--rate=20", "--no-report")
    finished = bench.locust(*arguments, *(["--verify-messages"] if verify else [])).wait()
    assert finished.code == 0, finished.err
    messages = metadata(bench.runs()[0])["messages"]
    assert messages["verified"] == verify
    assert messages["lost"] > 0.8 * messages["accepted"]
    assert messages["delivered"] == messages["accepted"] - messages["lost"]


def test_a_death_leaves_messages_undecided_and_the_ledger_adds_up(leaked: Path) -> None:
    messages = metadata(leaked)["messages"]
    assert messages["undecided"] > 0
    assert messages["delivered"] == (
        messages["accepted"] - messages["lost"] + messages["undecided_delivered"]
        + messages["duplicated"] + messages["unknown"]
    )  # fmt: skip


@pytest.mark.long
def test_the_same_seed_sends_the_same_load(bench: Workbench) -> None:
    arguments = ("--run-time=4s", "--strategy=shared", "--rate=25", "--seed=7", "--no-report")
    counts = []
    for _ in range(2):
        assert bench.locust(*arguments).wait().code == 0
        counts.append(int(pd.read_csv(bench.runs()[-1] / "requests.csv")["requests"].iloc[-1]))
    # The last arrivals may fall on either side of the end.
    assert counts[0] == pytest.approx(counts[1], abs=3)


@pytest.mark.long
def test_a_closed_workload_reaches_its_rate(bench: Workbench) -> None:
    finished = bench.locust(
        "--run-time=6s", "--strategy=shared", "--workload=closed", "--users=5",
        "--spawn-rate=5", "--rate=20", "--no-report",
    ).wait()  # fmt: skip
    assert finished.code == 0, finished.err
    (run,) = bench.runs()
    requests = pd.read_csv(run / "requests.csv")
    assert 60 < requests["requests"].iloc[-1] < 160
    assert requests["late_max_ms"].isna().all()  # nothing is due in it
    assert metadata(run)["load"]["workload"] == "closed"
    assert metadata(run)["lateness_ms"] is None


@pytest.mark.long
def test_two_runs_at_once_do_not_disturb_each_other(
    bench: Workbench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Workbench(tmp_path_factory.mktemp("other"))
    arguments = ("--run-time=5s", "--strategy=shared", "--no-report")
    both = [bench.locust(*arguments), other.locust(*arguments)]
    assert [command.wait().code for command in both] == [0, 0]
    first, second = (metadata(b.runs()[0]) for b in (bench, other))
    assert not set(first["brokers"]) & set(second["brokers"])
    assert first["target"]["url"] != second["target"]["url"]
    other.expect_nothing_left()


def _requests_at_death(run: Path) -> int:
    return next(int(event["requests"]) for event in events(run) if event["event"] == "emfile")
