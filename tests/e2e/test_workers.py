"""A load from many workers: the same arrivals, exact totals, and what becomes of it without one."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.eventually import eventually

from .conftest import LOCUSTFILE, Command, Workbench, event_names, events, metadata
from .recording import recording_service
from .test_web import Form

pytestmark = [pytest.mark.e2e, pytest.mark.long]

ROUTES = ("--route=POST /a {seq} {uuid}", "--route=GET /b/{seq}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def at_port(port: int) -> list[str]:
    return [f"--master-port={port}", f"--master-bind-port={port}"]


def of_processes(count: int) -> list[str]:
    return [f"--processes={count}", *at_port(free_port())] if count else []


def totals(run: Path) -> tuple[int, int, int]:
    """Requests by requests.csv, by the routes, and by the generators."""
    last = [
        pd.read_csv(run / file).groupby(by)["requests"].max().sum()
        for file, by in (("routes.csv", "route"), ("generators.csv", "generator"))
    ]
    return (int(pd.read_csv(run / "requests.csv")["requests"].max()), *map(int, last))


def workers_of(run: Path) -> list[dict[str, Any]]:
    """The workers of a run, once its load has begun."""

    def told() -> list[dict[str, Any]] | None:
        content: list[dict[str, Any]] | None = metadata(run).get("generators")
        return content

    found = eventually(told, "that the load begins", timeout_s=60.0)
    assert found
    return found


def run_of(bench: Workbench) -> Path:
    run = eventually(lambda: next(iter(bench.runs()), None), "a run", timeout_s=60.0)
    assert run
    return run


def await_requests(run: Path, count: int) -> None:
    """Wait until so many requests were answered."""
    path = run / "requests.csv"
    eventually(
        lambda: path.exists() and pd.read_csv(path)["requests"].max() >= count,
        f"{count} requests",
        timeout_s=60.0,
    )


def test_the_union_of_all_workers_is_what_one_process_sends(bench: Workbench) -> None:
    sent: dict[int, list[tuple[str, str]]] = {}
    for count in (0, 1, 2, 4):
        with recording_service(bench) as service:
            service.log.write_text("")
            finished = bench.locust(
                f"--host={service.url}", "--no-target", "--rate=40", "--run-time=8s", "--seed=7",
                f"--run-name=of-{count}", *ROUTES, *of_processes(count),
            ).wait()  # fmt: skip
            requests = service.requests()
        assert finished.code == 0, finished.err
        bench.expect_nothing_left()
        run = bench.results / f"of-{count}"
        if count:
            assert totals(run) == (len(requests),) * 3
            assert [one["name"] for one in workers_of(run)] == [
                f"worker-{n + 1}" for n in range(count)
            ]
        told = [(one["path"], one["body"]) for one in requests]
        sent[count] = sorted(told, key=lambda one: int(one[1].split()[0] if one[1] else one[0][3:]))
    fewest = min(map(len, sent.values()))
    assert fewest > 200
    for requests in sent.values():
        assert requests[:fewest] == sent[0][:fewest]
    assert all(len(set(requests)) == len(requests) for requests in sent.values())


def test_as_many_workers_as_you_like_find_the_same_leak(bench: Workbench) -> None:
    found = {}
    for count in (1, 2, 4):
        finished = bench.locust(
            "--strategy=per-request-leaked", "--fds-limit=16384", "--rate=30", "--run-time=15s",
            "--verify-messages", f"--run-name=of-{count}", *of_processes(count),
        ).wait()  # fmt: skip
        bench.expect_nothing_left()
        run = bench.results / f"of-{count}"
        assert finished.code == 0, finished.err
        requests, *others = totals(run)
        messages = metadata(run)["messages"]
        assert others == [requests, requests]
        assert (messages["accepted"], messages["delivered"]) == (10 * requests, 10 * requests)
        assert (messages["lost"], messages["duplicated"], messages["undecided"]) == (0, 0, 0)
        found[count] = json.loads((run / "verdict.json").read_text())
    assert {verdict["verdict"] for verdict in found.values()} == {"leak"}
    each = [verdict["resources"]["fds"] for verdict in found.values()]
    lows, highs = zip(*(fds["per_request_interval"] for fds in each), strict=True)
    slopes = [fds["per_request"] for fds in each]
    assert max(slopes) - min(slopes) <= max(highs) - min(lows)
    assert max(slopes) == pytest.approx(min(slopes), rel=0.05)


def test_a_worker_that_is_killed_is_said_to_be_lost(bench: Workbench) -> None:
    locust = bench.locust(
        "--strategy=shared", "--rate=40", "--run-time=15s", "--verify-messages", *of_processes(2)
    )
    run = run_of(bench)
    victim = workers_of(run)[1]
    await_requests(run, 100)
    os.kill(victim["pid"], signal.SIGKILL)
    finished = locust.wait()
    bench.expect_nothing_left()
    assert finished.code == 3, finished.err
    (lost,) = [event for event in events(run) if event["event"] == "worker_lost"]
    assert lost["worker"] == "worker-2"
    assert 0 < lost["missing"] < 200
    told = metadata(run)
    assert told["outcome"] == "completed"
    assert "worker-2 of 2 workers was lost" in told["ended_because"]
    messages = told["messages"]
    requests, *others = totals(run)
    assert others == [requests, requests]
    assert messages["accepted"] == 10 * requests
    assert (messages["lost"], messages["duplicated"], messages["unknown"]) == (0, 0, 0)
    # Beside what it has not reported, what it had reported as sent and not yet as answered.
    assert 0 <= messages["undecided"] - 10 * lost["missing"] <= 10 * 5
    # The other one has its share from a moment on.
    rows = pd.read_csv(run / "generators.csv")
    rows = rows[(rows["generator"] == "worker-1") & (rows["requests"] > 0)]
    before = rows[rows["elapsed_s"] < lost["elapsed_s"]]
    after = rows[rows["elapsed_s"] > lost["elapsed_s"] + 1]
    assert rate(after) > 1.4 * rate(before)


def rate(rows: pd.DataFrame) -> float:
    first, last = rows.iloc[0], rows.iloc[-1]
    return float((last["requests"] - first["requests"]) / (last["elapsed_s"] - first["elapsed_s"]))


def test_workers_end_with_a_master_that_is_killed(bench: Workbench) -> None:
    locust = bench.locust("--strategy=shared", "--rate=20", *of_processes(2))
    run = run_of(bench)
    workers_of(run)
    await_requests(run, 10)
    locust.signal(signal.SIGKILL)
    assert locust.wait().code == -signal.SIGKILL
    bench.expect_nothing_left()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_of_them_ends_the_run_in_order(
    bench: Workbench, signum: signal.Signals
) -> None:
    locust = bench.locust("--strategy=shared", "--rate=40", "--verify-messages", *of_processes(2))
    run = run_of(bench)
    workers_of(run)
    await_requests(run, 40)
    os.killpg(locust.process.pid, signum)
    finished = locust.wait()
    bench.expect_nothing_left()
    assert finished.code == 1, finished.err
    assert "Traceback" not in finished.err
    assert "worker_lost" not in event_names(run)
    told = metadata(run)
    assert (told["outcome"], told["ended_because"]) == ("aborted", "interrupted")
    requests, *others = totals(run)
    assert others == [requests, requests]
    assert told["messages"]["accepted"] == told["messages"]["delivered"] == 10 * requests
    assert told["messages"]["undecided"] == 0


def test_a_target_that_dies_ends_the_run_of_all_workers(bench: Workbench) -> None:
    locust = bench.locust("--strategy=shared", "--rate=20", *of_processes(2))
    run = run_of(bench)
    workers_of(run)
    await_requests(run, 20)
    locust.child("tidemark.targets.serve").send_signal(signal.SIGKILL)
    finished = locust.wait()
    bench.expect_nothing_left()
    assert finished.code == 1, finished.err
    assert metadata(run)["outcome"] == "died"
    assert "worker_lost" not in event_names(run)


def worker(bench: Workbench, port: int) -> Command:
    return bench.locust("--worker", *at_port(port))


def master_and_two(bench: Workbench, port: int) -> tuple[Command, list[Command]]:
    """A run of 20 s whose two workers are commands of their own."""
    master = bench.locust(
        "--master", "--expect-workers=2", "--strategy=shared", "--rate=20", "--run-time=20s",
        "--verify-messages", *at_port(port),
    )  # fmt: skip
    return master, [worker(bench, port) for _ in range(2)]


def test_workers_of_their_own_one_of_which_comes_too_late(bench: Workbench) -> None:
    port = free_port()
    master, two = master_and_two(bench, port)
    run = run_of(bench)
    assert len(workers_of(run)) == 2
    await_requests(run, 20)
    late = worker(bench, port)
    finished = master.wait()
    assert finished.code == 0, finished.err
    assert "a worker has connected during a run: it takes part in the next one" in finished.err
    requests, *others = totals(run)
    assert others == [requests, requests]
    assert metadata(run)["messages"]["accepted"] == 10 * requests
    assert [one.wait().code for one in two] == [0, 0]
    late.signal(signal.SIGTERM)
    late.wait()
    bench.expect_nothing_left()


def test_nobody_is_waited_for_for_ever(bench: Workbench) -> None:
    finished = bench.locust(
        "--master", "--expect-workers=2", "--expect-workers-max-wait=1", *at_port(free_port())
    ).wait()
    assert finished.code == 2
    (line,) = [line for line in finished.err.splitlines() if line.startswith("tidemark:")]
    assert "0 of 2 workers have connected within 1 s" in line
    assert not bench.runs()
    bench.expect_nothing_left()


def test_a_worker_that_stood_still_for_too_long_is_given_up(bench: Workbench) -> None:
    port = free_port()
    master, two = master_and_two(bench, port)
    run = run_of(bench)
    await_requests(run, 20)
    stopped = next(one for one in two if one.process.pid == workers_of(run)[0]["pid"])
    stopped.signal(signal.SIGSTOP)
    eventually(lambda: "worker_lost" in event_names(run), "that it is missed", timeout_s=30.0)
    stopped.signal(signal.SIGCONT)
    gone = stopped.wait()
    assert gone.code == 2, gone.err
    assert "the master has given this worker up" in gone.err
    finished = master.wait()
    assert finished.code == 3, finished.err
    messages = metadata(run)["messages"]
    assert (messages["lost"], messages["duplicated"], messages["unknown"]) == (0, 0, 0)
    assert messages["accepted"] == 10 * totals(run)[0]
    for one in two:
        one.wait()
    bench.expect_nothing_left()


def test_each_start_in_the_web_ui_is_a_run_of_all_workers(bench: Workbench) -> None:
    port = free_port()
    locust = bench.start(
        "locust", f"--locustfile={LOCUSTFILE}", f"--web-port={port}", "--interval=0.2",
        "--no-report", "--strategy=shared", "--rate=30", "--verify-messages", *of_processes(2),
    )  # fmt: skip
    form = Form(bench, port, locust)
    eventually(form.is_up, timeout_s=30.0)
    for number in range(2):
        answer = form.start(run_name=f"run-{number}")
        assert answer["success"], answer
        run = bench.results / f"run-{number}"
        assert len(workers_of(run)) == 2
        await_requests(run, 60)
        form.stop()
        eventually(lambda: metadata(run)["ended_at"], "the end of the run", timeout_s=30.0)  # noqa: B023
        requests, *others = totals(run)
        assert others == [requests, requests]
        told = metadata(run)
        assert told["outcome"] == "completed"
        assert told["messages"]["accepted"] == told["messages"]["delivered"] == 10 * requests
        assert told["messages"]["undecided"] == 0
        shares = pd.read_csv(run / "generators.csv").groupby("generator")["requests"].max()
        assert (shares > 10).all()
    locust.signal(signal.SIGTERM)
    assert "Traceback" not in locust.wait().err
    bench.expect_nothing_left()


def test_a_web_ui_without_workers_says_so_in_the_form(bench: Workbench) -> None:
    port = free_port()
    locust = bench.start(
        "locust", f"--locustfile={LOCUSTFILE}", f"--web-port={port}", "--master",
        *at_port(free_port()),
    )  # fmt: skip
    form = Form(bench, port, locust)
    eventually(form.is_up, timeout_s=30.0)
    answer = form.start()
    assert not answer["success"]
    assert "no worker is connected" in answer["message"]
    locust.signal(signal.SIGTERM)
    assert "Traceback" not in locust.wait().err
    bench.expect_nothing_left()


@pytest.mark.parametrize("workload", ["open", "closed"])
def test_many_users_in_many_workers_are_counted_whole(bench: Workbench, workload: str) -> None:
    finished = bench.locust(
        "--strategy=shared", "--rate=30", "--run-time=6s", "--verify-messages", "--users=4",
        "--spawn-rate=4", f"--workload={workload}", f"--run-name={workload}", *of_processes(2),
    ).wait()  # fmt: skip
    assert finished.code == 0, finished.err
    run = bench.results / workload
    requests, *others = totals(run)
    assert others == [requests, requests]
    assert requests > 60
    messages = metadata(run)["messages"]
    assert messages["accepted"] == messages["delivered"] == 10 * requests
    assert (messages["lost"], messages["duplicated"], messages["undecided"]) == (0, 0, 0)
    bench.expect_nothing_left()
