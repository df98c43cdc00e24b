"""A service in a real container, started by podman: found by its id, followed when it restarts."""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.eventually import eventually

from .conftest import Workbench, event_names, metadata

SERVICE = """
package main

import (
	"net/http"
	"os"
)

var kept []*os.File

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		file, _ := os.Open("/leaky")
		kept = append(kept, file)
	})
	panic(http.ListenAndServe(os.Args[1], nil))
}
"""
NEEDED = ("podman", "runc", "go")
LACKING = [name for name in NEEDED if not shutil.which(name)]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.skipif(bool(LACKING), reason=f"needs {' and '.join(LACKING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="starts containers as root"),
]


@dataclass(frozen=True)
class Container:
    """A container that runs the leaking service.

    Attributes:
        id: Its id, as podman told it.
        url: Where it answers, for it shares the network of its host.
        podman: The command that knows it.
    """

    id: str
    url: str
    podman: tuple[str, ...]

    @property
    def pid(self) -> int:
        """Its process, as podman tells it."""
        told = _told(*self.podman, "inspect", "--format={{.State.Pid}}", self.id)
        return int(told)

    def restart(self) -> None:
        """Let podman start it again."""
        _told(*self.podman, "restart", "--time=0", self.id)


def _told(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A root file system that holds nothing but the service."""
    folder = tmp_path_factory.mktemp("container")
    (folder / "main.go").write_text(SERVICE)
    for name in ("dev", "etc", "proc", "run", "sys", "tmp"):
        (folder / "root" / name).mkdir(parents=True)
    build = ["go", "build", "-o", "root/leaky", "main.go"]
    without_libc = {**os.environ, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    subprocess.run(build, cwd=folder, check=True, env=without_libc)
    return folder / "root"


@pytest.fixture
def container(root) -> Iterator[Container]:
    with tempfile.TemporaryDirectory(prefix="tidemark-") as folder:  # podman wants a short path
        yield from _running(root, folder)


def _running(root: Path, folder: str) -> Iterator[Container]:
    podman = (
        "podman", "--runtime=runc", "--storage-driver=vfs", "--cgroup-manager=cgroupfs",
        f"--root={folder}/store", f"--runroot={folder}/run",
    )  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    identifier = _told(
        *podman, "run", "--detach", "--network=host", "--ulimit=nofile=4096:4096",
        "--ulimit=nproc=1000:1000", "--rootfs", str(root), "/leaky", address,
    )  # fmt: skip
    try:
        eventually(functools.partial(_answers, address), "that it answers")
        yield Container(identifier, f"http://{address}", podman)
    finally:
        _told(*podman, "rm", "--force", "--time=0", identifier)
        # What watched the container tidies up after it, in the folder that is removed next.
        eventually(lambda: not _is_used(folder), "that the engine has tidied up")


def _is_used(folder: str) -> bool:
    processes = psutil.process_iter(["cmdline"])
    return any(folder in " ".join(process.info["cmdline"] or ()) for process in processes)


def _answers(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _verdict_on_fds(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "verdict.json").read_text())["resources"]["fds"]
    return found


def test_it_is_found_by_its_id_and_its_leak_with_it(bench: Workbench, container) -> None:
    finished = bench.locust(
        "--run-time=12s", "--rate=30", f"--host={container.url}",
        f"--target-container={container.id[:12]}",
    ).wait()  # fmt: skip
    (run,) = bench.runs()
    assert metadata(run)["targets"][0]["pids"] == [container.pid], finished.err
    fds = _verdict_on_fds(run)
    assert (fds["verdict"], fds["limit"]) == ("leak", 4096)
    assert fds["per_request"] == pytest.approx(1.0, rel=0.05)


def test_a_restart_by_the_container_engine_is_followed(bench: Workbench, container) -> None:
    former = container.pid
    command = bench.locust(
        "--run-time=14s", "--rate=30", f"--host={container.url}",
        f"--target-container={container.id}",
    )  # fmt: skip
    run = bench.run_under_way()
    container.restart()
    later = container.pid
    command.wait()
    assert former != later
    assert "target_restarted" in event_names(run)
    assert metadata(run)["outcome"] == "completed"
    assert _verdict_on_fds(run)["verdict"] == "leak"
