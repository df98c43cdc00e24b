"""The examples, built where their toolchain is: copied, started, driven and counted."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from tests.e2e.conftest import Workbench
from tests.eventually import eventually
from tidemark.record.process import before_exec
from tidemark.run.configuration import LOAD_OPTIONS
from tidemark.sampler.procfs import read_thread_names
from tidemark.services.file import FILE_NAME, Configuration, read_configuration
from tidemark.services.starting import free_ports, start_of

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
PATIENCE_S = 120.0
BUILD_TIMEOUT_S = 600.0
BATCH = ["message"] * 40
"""So many that each broker leads a partition that is written to."""
WARM_UP = 20
"""Requests that go before: a server makes its own threads with the first ones."""
REQUESTS = 20
COMPARE_TIMEOUT_S = 600.0
OF_HOTSPOT = re.compile(r"C[12] CompilerThre|GC Thread#|G1 (Conc|Refine)#|Sweeper thread")
"""Threads that a JVM starts and ends as it compiles and collects, as the kernel names them."""
CALM = 10
"""Looks without a change after which a service has settled."""


def toolchain(*programs: str) -> None:
    """Skip the test without these programs on the PATH."""
    if lacking := [program for program in programs if not shutil.which(program)]:
        missing(f"no {', '.join(lacking)} on the PATH")


def missing(what: str) -> NoReturn:
    """Skip the test; in a pipeline, which has to bring what it needs, it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI=true, and {what}")
    pytest.skip(what)


@dataclass(frozen=True)
class Example:
    """An example, built in a folder of its own."""

    folder: Path

    @property
    def configuration(self) -> Configuration:
        """Its tidemark.toml."""
        return read_configuration(self.folder / FILE_NAME, LOAD_OPTIONS)

    def left_behind(self, name: str, bootstrap: Sequence[str]) -> Growth:
        """What each request to one of its services leaves behind, on these brokers."""
        with self.started(name, ",".join(bootstrap)) as service:
            return service.growth({port_of(address) for address in bootstrap})

    @contextlib.contextmanager
    def started(self, name: str, bootstrap: str = "", **environment: str) -> Iterator[Service]:
        """One of its services, answering; it ends with the block."""
        ports, ours = free_ports(), {**os.environ, **environment}
        service = self.configuration.services[name]
        values = {"bootstrap": bootstrap, "topic": "tidemark", "run_id": name}
        start = start_of(service, ports, values, ours).command
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                start.arguments, cwd=start.directory, env={**ours, **start.environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=before_exec(),  # noqa: PLW1509 - a system call or two
            )  # fmt: skip
        running = Service(process, *ports[:2])
        try:
            eventually(lambda: running.answers(service.ready), f"that {name} is up", PATIENCE_S)
            yield running
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Growth:
    """What each request has left behind."""

    fds: float
    connections: float
    threads: float

    def expect_told(self, verdict: Mapping[str, Any]) -> None:
        """Fail unless a verdict says leak, and each figure as it is, within a twentieth."""
        assert verdict["verdict"] == "leak", verdict["reason"]
        for name in ("fds", "connections", "threads"):
            told = verdict["resources"][name]["per_request"]
            assert told == pytest.approx(getattr(self, name), rel=0.05, abs=0.02), name


@dataclass(frozen=True)
class Service:
    """A service of an example, running."""

    process: subprocess.Popen[bytes]
    port: int
    port2: int

    @property
    def pid(self) -> int:
        return self.process.pid

    def answers(self, path: str) -> bool:
        """Whether it says that it is up; fails when it has ended."""
        assert self.process.poll() is None, f"exited with code {self.process.returncode}"
        try:
            return self.get(path, self.port)[0] == 200
        except OSError:
            return False

    def get(self, path: str, port: int) -> tuple[int, str]:
        return self._request(port, "GET", path)

    def post(self, batch: object, path: str = "/ingest") -> tuple[int, str]:
        return self._request(self.port, "POST", path, json.dumps(batch).encode())

    def _request(self, port: int, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode()

    def held(self, ports: set[int]) -> tuple[int, int, int]:
        """Its descriptors, its ESTABLISHED connections to these ports as ss sees them, threads.

        Threads that come and go with the runtime are not its own.
        """
        own = [name for name in read_thread_names(self.pid) if not OF_HOTSPOT.match(name)]
        return psutil.Process(self.pid).num_fds(), self._connections(ports), len(own)

    def _connections(self, ports: set[int]) -> int:
        told = subprocess.run(
            ["ss", "--no-header", "--tcp", "--numeric", "--processes", "state", "established"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        ours = [line.split() for line in told.splitlines() if f"pid={self.pid}," in line]
        return sum(int(words[3].rpartition(":")[2]) in ports for words in ours)

    def settled(self, ports: set[int]) -> tuple[int, int, int]:
        """What it holds once nothing changes any more."""
        looks: list[tuple[int, int, int]] = []

        def calm() -> bool:
            looks.append(self.held(ports))
            return len(looks) >= CALM and len(set(looks[-CALM:])) == 1

        eventually(calm, "that the service is at rest", PATIENCE_S)
        return looks[-1]

    def growth(self, ports: set[int], requests: int = REQUESTS) -> Growth:
        """What each of so many requests leaves behind, some having gone before."""
        for _ in range(WARM_UP):
            self.expect_written()
        before = self.settled(ports)
        for _ in range(requests):
            self.expect_written()
        after = self.settled(ports)
        return Growth(
            *((late - early) / requests for early, late in zip(before, after, strict=True))
        )

    def expect_written(self, path: str = "/ingest") -> None:
        """Post a batch, all of which is taken."""
        answer = self.post(BATCH, path)
        assert answer == (200, f"{len(BATCH)}\n"), answer


def compared(
    example: Example, results: Path, *arguments: str, **environment: str
) -> dict[str, dict[str, Any]]:
    """What `tidemark compare --services broken,fixed` makes of an example: each one's verdict.

    The fixed one is not called a leak.
    """
    bench = Workbench(example.folder)
    command = bench.start(
        *("tidemark", "compare", "--services=broken,fixed", f"--results={results}", *arguments),
        **environment,
    )
    out, err = command.process.communicate(timeout=COMPARE_TIMEOUT_S)
    assert command.process.returncode == 0, out + err
    bench.expect_nothing_left()
    verdicts = {
        path.parent.name: json.loads(path.read_text()) for path in results.glob("*/*/verdict.json")
    }
    assert set(verdicts) == {"broken", "fixed"}
    assert verdicts["fixed"]["verdict"] != "leak", verdicts["fixed"]["reason"]
    return verdicts


def port_of(address: str) -> int:
    """The port of `host:port`."""
    return int(address.rpartition(":")[2])


def built(name: str, into: Path) -> Example:
    """Copy an example into a folder and build it there, unless its present content was already."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=EXAMPLES / name, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    files = [
        path for path in sorted(listed.strip("\0").split("\0")) if (EXAMPLES / name / path).exists()
    ]
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path}\n".encode() + (EXAMPLES / name / path).read_bytes())
    folder, stamp = into / name, into / f"{name}.built"
    if not (stamp.exists() and stamp.read_text() == digest.hexdigest()):
        stamp.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        for path in files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(EXAMPLES / name / path, folder / path)
        for command in {one.build for one in Example(folder).configuration.services.values()}:
            _build(command, folder)
        stamp.write_text(digest.hexdigest())
    return Example(folder)


def _build(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=BUILD_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command!r}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


def goroutines(profile: str) -> dict[str, int]:
    """How many goroutines stand in each function, and `total`, by a profile with debug=1."""
    found = {"total": int(re.match(r"goroutine profile: total (\d+)", profile)[1])}
    for block in profile.split("\n\n"):
        if counted := re.search(r"^(\d+) @ ", block, re.MULTILINE):
            for function in set(re.findall(r"^#\t\S+\t(\S+)\+", block, re.MULTILINE)):
                found[function] = found.get(function, 0) + int(counted[1])
    return found
