"""The agent in one container, the service in another one of its pod: which rights it needs.

podman starts them with one PID namespace and one network namespace, as Kubernetes does.
"""

import csv
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.eventually import eventually
from tidemark.agent import archive

PYTHON = Path("/usr/bin/python3")
LACKING = [name for name in ("podman", "runc") if not shutil.which(name)]
LACKING += [] if PYTHON.exists() else [str(PYTHON)]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.skipif(bool(LACKING), reason=f"needs {' and '.join(LACKING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="starts containers as root"),
]

SERVICE = """
import socket, time
broker = socket.create_server(("127.0.0.1", 9092))
web = socket.create_server(("127.0.0.1", 8080))
held = [socket.create_connection(("127.0.0.1", 9092)) for _ in range(7)]
print("up", flush=True)
time.sleep(600)
"""
HELD = 7
USER = "10001:10001"
AS_ROOT = ("--user=0:0",)
WITH = {name: f"--cap-add={name}" for name in ("SYS_PTRACE", "DAC_READ_SEARCH")}


@dataclass(frozen=True)
class Pod:
    """The service's container, and what puts another one beside it."""

    folder: Path
    podman: tuple[str, ...]

    def command(self, name: str, *options: str) -> list[str]:
        return [
            *self.podman, "run", f"--name={name}", "--cap-drop=ALL",
            "--security-opt=no-new-privileges", "--ulimit=nofile=4096:4096",
            "--ulimit=nproc=1000:1000", "--volume=/usr:/usr:ro", *options,
            "--rootfs", str(self.folder / "root"), str(PYTHON),
        ]  # fmt: skip

    def watch(self, name: str, *options: str, clue: str = "--port-of=8080") -> tuple[int, str]:
        """Let the agent take a first sample; how it ended, and what it said."""
        out = self.folder / name
        out.mkdir(mode=0o777)
        out.chmod(0o777)
        arguments = ("/app/agent.pyz", clue, "--brokers=127.0.0.1:9092", "--out=/out/run")
        mounted = ("--rm", f"--volume={out}:/out", "--network=container:service")
        with subprocess.Popen(
            [*self.command(name, *mounted, *options), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as agent:  # fmt: skip
            if agent.stdout.readline():
                subprocess.run([*self.podman, "kill", "--signal=INT", name], check=True,
                               stdout=subprocess.DEVNULL)  # fmt: skip
            _, errors = agent.communicate(timeout=60)
        return agent.returncode, errors

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name / "run/samples.csv").open(newline="") as file:
            return [row for row in csv.DictReader(file) if row["pid"] != "0"]


@pytest.fixture(scope="module")
def pod() -> Iterator[Pod]:
    with tempfile.TemporaryDirectory(prefix="tidemark-") as name:  # podman wants a short path
        folder = Path(name)
        folder.chmod(0o755)
        root = folder / "root"
        for place in ("usr", "proc", "sys", "dev", "tmp", "run", "etc", "app", "out"):
            (root / place).mkdir(parents=True)
        for place in ("bin", "lib", "lib64"):
            (root / place).symlink_to(f"usr/{place}")
        (root / "app/service.py").write_text(SERVICE)
        archive.pack(root / "app/agent.pyz")
        podman = (
            "podman", "--runtime=runc", "--storage-driver=vfs", "--cgroup-manager=cgroupfs",
            f"--root={folder}/store", f"--runroot={folder}/run",
        )  # fmt: skip
        found = Pod(folder, podman)
        own = ("--detach", "--network=none", f"--user={USER}")
        subprocess.run([*found.command("service", *own), "/app/service.py"], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        try:
            logs = [*podman, "logs", "service"]
            eventually(lambda: subprocess.check_output(logs, text=True), "that it is up")
            yield found
        finally:
            subprocess.run([*podman, "rm", "--all", "--force", "--time=0"], check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip


_number = count(1)


def named() -> str:
    return f"agent-{next(_number)}"


@pytest.mark.parametrize(
    "options",
    [(f"--user={USER}",), (*AS_ROOT, *WITH.values())],
    ids=["of its user", "root with two capabilities"],
)
def test_it_sees_the_service_in_the_other_container(pod: Pod, options: tuple[str, ...]) -> None:
    name = named()
    code, errors = pod.watch(name, "--pid=container:service", *options)
    assert (code, errors) == (0, "")
    row, *_ = pod.rows(name)
    assert (row["pid"], row["process"], row["fds_limit"]) == ("1", "service.py", "4096")
    assert int(row["established"]) == HELD
    assert int(row["fds"]) >= 3 + HELD + 2


BLIND = "which process listens on port 8080 cannot be seen: run in its PID namespace, as its user"


@pytest.mark.parametrize(
    "options",
    [
        ("--user=10002:10002",),
        ("--user=10001:10002",),
        AS_ROOT,
        (*AS_ROOT, WITH["SYS_PTRACE"]),
        (*AS_ROOT, WITH["DAC_READ_SEARCH"]),
    ],
    ids=["another user", "another group", "root alone", "root to trace", "root to read"],
)
def test_without_the_right_it_says_so_and_begins_nothing(
    pod: Pod, options: tuple[str, ...]
) -> None:
    name = named()
    code, errors = pod.watch(name, "--pid=container:service", *options)
    assert code == 2
    assert BLIND in errors
    assert errors.count("\n") == 1
    assert not (pod.folder / name / "run").exists()


def test_so_it_does_in_a_pid_namespace_of_its_own(pod: Pod) -> None:
    code, errors = pod.watch(named(), f"--user={USER}")
    assert (code, BLIND in errors) == (2, True)


def test_told_which_process_it_records_what_anybody_may_read(pod: Pod) -> None:
    name = named()
    code, errors = pod.watch(name, "--pid=container:service", "--user=10002:10002", clue="--pid=1")
    assert code == 0
    assert "/proc/1/fd may not be read: descriptors, what they are, and connections" in errors
    row, *_ = pod.rows(name)
    assert row["threads"] == "1"
    assert row["rss_bytes"]
    assert row["established"] == ""
