"""`tidemark sample --pid N` of a process that has nothing to do with Kafka: what leaks is named."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from tests.eventually import eventually

from .conftest import TIMEOUT_S, Workbench, sampled

pytestmark = [pytest.mark.e2e, pytest.mark.long]

LEAKY = Path(__file__).with_name("leaky.py")
PER_HOUR = 20 * 3600
"""What is leaked an hour, at the pace of the program."""


@pytest.fixture
def server() -> Iterator[str]:
    """Where connections may be left to: they wait to be accepted."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def sample(bench: Workbench, kind: str, server: str, *, ticks: int = 48) -> Path:
    """The run directory of a leaking process that was sampled for a while."""
    folder = bench.folder / "files"
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(LEAKY), kind, str(folder), server.rpartition(":")[2]]
    with Popen(command, stdout=PIPE, text=True) as leaky:
        assert leaky.stdout is not None
        assert leaky.stdout.readline()
        run = bench.folder / kind
        sampler = bench.start(
            "tidemark", "sample", f"--pid={leaky.pid}", f"--out={run}", "--interval=0.25",
            "--budget=10",
        )  # fmt: skip
        try:
            eventually(lambda: sampled(run, 2 * ticks), "enough samples", TIMEOUT_S)
        finally:
            sampler.signal(signal.SIGINT)
            finished = sampler.wait()
            leaky.kill()
    assert finished.code == 0, finished.err
    assert finished.out.splitlines()[-1] == f"next: tidemark report {kind}"
    return run


def reported(bench: Workbench, run: Path, *arguments: str) -> dict[str, Any]:
    """The verdict on a run, as the command prints it."""
    report = bench.start("tidemark", "report", "--json", str(run), *arguments).wait()
    assert report.code == 0, report.err
    told: dict[str, Any] = json.loads(report.out)
    return told


@pytest.mark.parametrize(
    ("kind", "resource", "phrase", "each"),
    [
        ("files", "fds", "/files/upload-*.tmp", 1),
        ("deleted", "fds", "/files/spool-*.dat", 1),
        ("pipes", "fds", "pipes", 2),
        ("connections", "connections", "to {server}", 1),
        ("threads", "threads", "named poller*", 1),
    ],
)
def test_what_leaks_is_named(
    bench: Workbench, server: str, *, kind: str, resource: str, phrase: str, each: int
) -> None:
    told = reported(bench, sample(bench, kind, server))
    phrase = phrase.format(server=server)
    found = told["resources"][resource]
    assert (told["exit_code"], found["verdict"]) == (1, "leak"), told["reason"]
    (culprit,) = found["culprits"]
    assert culprit["phrase"].endswith(phrase)
    assert culprit["per_hour"] == pytest.approx(each * PER_HOUR, rel=0.15)
    assert culprit["share"] == pytest.approx(1.0, abs=0.15)
    assert culprit["phrase"] in found["reason"]


def test_what_is_given_back_is_clean_and_memory_that_is_not_is_found(
    bench: Workbench, server: str
) -> None:
    clean = sample(bench, "nothing", server, ticks=96)
    told = reported(bench, clean)
    verdicts = {name: found["verdict"] for name, found in told["resources"].items()}
    assert verdicts.pop("rss_bytes") != "leak"
    assert set(verdicts.values()) == {"clean"}, told["reason"]
    assert not any(found["culprits"] for found in told["resources"].values())

    told = reported(bench, sample(bench, "memory", server, ticks=96), f"--control={clean}")
    memory = told["resources"]["rss_bytes"]
    assert memory["verdict"] == "leak", memory["reason"]
    assert memory["per_hour"] == pytest.approx(PER_HOUR * 256 * 1024, rel=0.15)
    assert told["resources"]["fds"]["verdict"] == "clean"


def test_the_gate_says_what_leaks(bench: Workbench, server: str) -> None:
    run = sample(bench, "connections", server)
    check = bench.start("tidemark", "check", str(run)).wait()
    assert check.code == 1, check.err
    assert "Outgoing connections: grow by" in check.out
    assert f"an hour are to {server}" in check.out
    assert f"an hour are sockets to {server}" in check.out
