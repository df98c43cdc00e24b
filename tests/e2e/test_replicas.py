"""Two replicas of a service, one of which leaks, behind what hands requests on: one run of both."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import pandas as pd
import psutil
import pytest

from tests.eventually import eventually
from tidemark.record.metadata import COMPLETED, DIED

from .conftest import Command, Workbench, events, metadata, sampled

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
REPLICA = "leaky_service.py"


@dataclass
class Site:
    """What is driven: two replicas, and what stands before them.

    Attributes:
        start: Starts a script of this folder on a port, once more if it was ended.
        front: The port that is driven.
        ports: Those of the replicas, that of the leaking one first.
        replicas: The replicas.
    """

    bench: Workbench
    start: Callable[..., Popen[bytes]]
    front: int
    ports: tuple[int, int]
    replicas: tuple[Popen[bytes], Popen[bytes]]

    @property
    def pids(self) -> list[int]:
        return [replica.pid for replica in self.replicas]

    @property
    def command(self) -> str:
        """What the command lines of these replicas match, and those of another site do not."""
        return f"{REPLICA} ({'|'.join(map(str, self.ports))})"

    def drive(self, *arguments: str) -> Command:
        host = f"--host=http://127.0.0.1:{self.front}"
        return self.bench.locust(host, "--rate=30", "--no-report", *arguments)


@pytest.fixture
def site(bench: Workbench) -> Iterator[Site]:
    started: list[Popen[bytes]] = []

    def start(script: str, port: int, *arguments: object) -> Popen[bytes]:
        command = [sys.executable, HERE / script, *map(str, (port, *arguments))]
        started.append(Popen(command, cwd=bench.folder))
        eventually(lambda: _is_up(port), f"{script} on port {port}")
        return started[-1]

    leaking, sound, front = (_free_port() for _ in range(3))
    try:
        replicas = start(REPLICA, leaking, "leak"), start(REPLICA, sound)
        start("round_robin.py", front, leaking, sound)
        yield Site(bench, start, front, (leaking, sound), replicas)
    finally:
        for process in started:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _is_up(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def rows_of(run: Path, target: str) -> pd.DataFrame:
    rows = pd.read_csv(run / "samples.csv")
    return rows[(rows["target"] == target) & (rows["pid"] != 0)]


def told(run: Path, name: str) -> list[dict[str, Any]]:
    return [event for event in events(run) if event["event"] == name]


def test_both_are_recorded_and_told_apart(site: Site) -> None:
    leaking, sound = site.pids
    finished = site.drive("--run-time=4s", f"--target-pid={leaking},b={sound}").wait()
    assert finished.code == 0, finished.err
    (run,) = site.bench.runs()
    said = {one["id"]: one for one in metadata(run)["targets"]}
    assert {name: one["pids"] for name, one in said.items()} == {
        "target-1": [leaking],
        "b": [sound],
    }
    assert all(REPLICA in one["command"] for one in said.values())
    first, second = rows_of(run, "target-1"), rows_of(run, "b")
    assert first["elapsed_s"].tolist() == second["elapsed_s"].tolist()
    assert (set(first["pid"]), set(second["pid"])) == ({leaking}, {sound})
    held = psutil.Process(leaking).num_fds()  # its pipes stay open
    assert first["fds"].iloc[-1] == pytest.approx(held, abs=3)
    requests = pd.read_csv(run / "requests.csv")["requests"].iloc[-1]
    assert first["fds"].iloc[-1] - first["fds"].iloc[0] == pytest.approx(requests, rel=0.1)
    assert second["fds"].iloc[-1] < 20
    unconfirmed = {(one["target"], one["pid"]) for one in told(run, "target_unconfirmed")}
    assert unconfirmed == {("target-1", leaking), ("b", sound)}


@pytest.mark.long
def test_the_end_of_one_is_told_and_the_run_goes_on(site: Site) -> None:
    locust = site.drive("--run-time=14s", f"--target-pid={','.join(map(str, site.pids))}")
    run = site.bench.run_under_way(60)
    site.replicas[1].kill()
    site.replicas[1].wait()
    finished = locust.wait()
    assert finished.code == 1, finished.err
    assert "target-2: " in finished.err
    assert "the run goes on with the others" in finished.err
    ended = metadata(run)
    assert ended["outcome"] == COMPLETED
    assert ended["ended_because"].endswith("; target-2 had ended by itself")
    exits = {(one["target"], one["pid"]) for one in told(run, "target_exited")}
    assert exits == {("target-2", site.pids[1])}
    last_s = rows_of(run, "target-2")["elapsed_s"].iloc[-1]
    assert rows_of(run, "target-1")["elapsed_s"].iloc[-1] > last_s + 5
    check = site.bench.run("tidemark", "check", str(run))
    assert check.code == 1, "a run in which one has died is not clean"
    assert "died" in check.out


@pytest.mark.long
@pytest.mark.parametrize("told_by", [1, 2], ids=["while it is looked for", "later"])
def test_one_that_comes_back_is_watched_by_a_sampler_that_did_not_know_it(
    site: Site, told_by: int
) -> None:
    """It ends; the sampler is lost, and so the next one is told of the other one alone."""
    locust = site.drive("--run-time=60s", f"--target-command={site.command}", "--all-targets")
    run = site.bench.run_under_way(60)
    leaver = site.replicas[1]
    (target,) = (one["id"] for one in metadata(run)["targets"] if one["pids"] == [leaver.pid])
    leaver.kill()
    leaver.wait()
    # By the sampler at once, by the run when it gives up to look for who comes in its place.
    eventually(lambda: len(told(run, "target_exited")) == told_by, "that its end is told")
    locust.child("tidemark.sampler").kill()
    eventually(lambda: len(told(run, "sampler_started")) == 2, "another sampler")
    heir = site.start(REPLICA, site.ports[1])
    eventually(lambda: heir.pid in set(rows_of(run, target)["pid"]), "that it is watched", 40.0)
    locust.signal(signal.SIGINT)
    finished = locust.wait()
    restarted = [(one["target"], one["pid"]) for one in told(run, "target_restarted")]
    assert restarted == [(target, heir.pid)], finished.err
    assert len(told(run, "sampler_lost")) == 1
    check = site.bench.run("tidemark", "check", str(run))
    assert check.code != 0, check.out


@pytest.mark.long
def test_the_end_of_all_ends_the_run(site: Site) -> None:
    locust = site.drive("--run-time=60s", f"--target-command={site.command}", "--all-targets")
    run = site.bench.run_under_way(60)
    for replica in site.replicas:
        replica.kill()
        replica.wait()
    finished = locust.wait()
    assert finished.code == 1, finished.err
    assert metadata(run)["outcome"] == DIED
    assert metadata(run)["ended_because"].startswith("all 2 targets have ended: ")
    assert {one["target"] for one in told(run, "target_exited")} == {"target-1", "target-2"}


@pytest.mark.long
@pytest.mark.parametrize("clue", ["port", "pid"])
def test_one_that_is_started_again_is_followed(site: Site, clue: str) -> None:
    which = ",".join(map(str, site.ports if clue == "port" else site.pids))
    locust = site.drive("--run-time=10s", f"--target-{clue}={which}")
    run = site.bench.run_under_way(60)
    site.replicas[1].kill()
    site.replicas[1].wait()
    heir = site.start(REPLICA, site.ports[1])
    finished = locust.wait()
    assert f"process {heir.pid} has taken its place" in finished.err
    restarted = [(one["target"], one["pid"]) for one in told(run, "target_restarted")]
    assert restarted == [("target-2", heir.pid)]
    assert set(rows_of(run, "target-2")["pid"]) == {site.pids[1], heir.pid}
    assert set(rows_of(run, "target-1")["pid"]) == {site.pids[0]}
    assert metadata(run)["ended_because"] == "the load came to its end"


def test_where_several_match_that_is_said(site: Site) -> None:
    finished = site.drive("--run-time=2s", f"--target-command={site.command}").wait()
    assert finished.code == 2
    line = finished.err.strip().splitlines()[-1]
    assert "2 processes match" in line
    assert "--all-targets" in line
    assert all(str(pid) in line for pid in site.pids)


def test_several_are_watched_without_being_driven(site: Site) -> None:
    run = site.bench.results / "watched"
    arguments = [f"--pid={pid}" for pid in site.pids]
    sampler = site.bench.start("tidemark", "sample", *arguments, f"--out={run}", "--interval=0.2")
    eventually(lambda: sampled(run, 20))
    site.replicas[0].kill()
    site.replicas[0].wait()
    eventually(lambda: told(run, "target_exited"), "that its end is told")
    sampler.signal(signal.SIGINT)
    assert sampler.wait().code == 0
    (ended,) = told(run, "target_exited")
    assert (ended["target"], ended["pid"]) == ("target-1", site.pids[0])
    held = psutil.Process(site.pids[1]).num_fds()
    assert rows_of(run, "target-2")["fds"].iloc[-1] == held
    assert metadata(run)["outcome"] == COMPLETED
