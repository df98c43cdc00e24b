"""Starts the real commands and makes sure that nothing they started is left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.eventually import eventually

from .chromium import PROGRAM, Browser, chromium
from .web import Form

REPOSITORY = Path(__file__).parents[2]
LOCUSTFILE = REPOSITORY / "locustfiles" / "ingest.py"
TAG = "TIDEMARK_TEST_TAG"
TIMEOUT_S = 90.0


@dataclass
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass
class Command:
    """A command under way."""

    process: subprocess.Popen[str]

    def signal(self, signum: int) -> None:
        """Send it a signal."""
        self.process.send_signal(signum)

    def child(self, module: str) -> psutil.Process:
        """Its child process that runs a module, once it is there."""

        def found() -> psutil.Process | None:
            for child in psutil.Process(self.process.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if module in child.cmdline():
                        return child
            return None

        child = eventually(found, f"that {module} runs")
        assert child
        return child

    def wait(self) -> Finished:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return Finished(self.process.returncode, out, err)


@dataclass
class Workbench:
    """A folder to work in, and the processes that were started from it."""

    folder: Path
    tag: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def results(self) -> Path:
        """Where runs go."""
        return self.folder / "results"

    def start(self, *arguments: str, **environment: str) -> Command:
        """Start a Python module with arguments, in the folder of the workbench."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOCUST_", "TIDEMARK_"))}
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=self.folder,
            env={**clean, TAG: self.tag, "NO_COLOR": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A shell that runs us in the background has SIGINT ignored, and children inherit it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        return Command(process)

    def run(self, *arguments: str, **environment: str) -> Finished:
        """Run a Python module to its end."""
        return self.start(*arguments, **environment).wait()

    def locust(self, *arguments: str, **environment: str) -> Command:
        """Start a headless run that samples every 0.2 s."""
        return self.start(
            "locust",
            f"--locustfile={LOCUSTFILE}",
            "--headless",
            "--only-summary",
            "--interval=0.2",
            *arguments,
            **environment,
        )

    def runs(self) -> list[Path]:
        """The run directories so far, oldest first."""
        return sorted(path.parent for path in self.results.glob("*/run.json"))

    def run_under_way(self, rows: int = 20) -> Path:
        """The run directory of a run, once it has that many samples."""
        run = eventually(lambda: next(iter(self.runs()), None))
        assert run
        eventually(lambda: sampled(run, rows))
        return run

    def left(self) -> list[str]:
        """The command lines of processes that were started from here and still run."""
        return [line for line in map(self._command_if_ours, psutil.process_iter()) if line]

    def _command_if_ours(self, process: psutil.Process) -> str | None:
        try:
            ours = process.environ().get(TAG) == self.tag
            return " ".join(process.cmdline()) if ours else None
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return None

    def expect_nothing_left(self) -> None:
        """Fail when a process started from here goes on."""
        eventually(lambda: not self.left(), "that nothing is left", timeout_s=15.0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    workbench = Workbench(tmp_path)
    yield workbench
    left = workbench.left()
    for process in psutil.process_iter():
        if workbench._command_if_ours(process):
            process.send_signal(signal.SIGKILL)
    assert left == []


def metadata(run: Path) -> dict[str, Any]:
    """run.json of a run."""
    content: dict[str, Any] = json.loads((run / "run.json").read_text())
    return content


def events(run: Path) -> list[dict[str, Any]]:
    """The events of a run, torn lines left out."""
    path = run / "events.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def event_names(run: Path) -> list[str]:
    """The names of the events of a run."""
    return [event["event"] for event in events(run)]


def sampled(run: Path, rows: int = 5) -> bool:
    """Whether a run has that many sample rows."""
    path = run / "samples.csv"
    return path.exists() and path.read_text().count("\n") > rows


@contextlib.contextmanager
def forms_of(bench: Workbench) -> Iterator[Callable[..., Form]]:
    """Starts Locust's web UI with options, in a workbench, and ends it."""
    forms = []

    def start(*options: str, locustfile: Path = LOCUSTFILE) -> Form:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        locust = bench.start(
            "locust",
            f"--locustfile={locustfile}",
            f"--web-port={port}",
            "--interval=0.2",
            "--no-report",
            *options,
        )
        forms.append(form := Form(bench, port, locust))
        eventually(form.is_up)
        return form

    yield start
    for form in forms:
        form.locust.signal(signal.SIGTERM)
    for form in forms:
        assert "Traceback" not in form.locust.wait().err
    bench.expect_nothing_left()


@pytest.fixture
def form_of(bench: Workbench) -> Iterator[Callable[..., Form]]:
    with forms_of(bench) as start:
        yield start


@pytest.fixture
def form(form_of: Callable[..., Form], request: pytest.FixtureRequest) -> Form:
    """The form, of a Locust with the options that the test gives as parameter."""
    return form_of(*getattr(request, "param", ()))


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    if PROGRAM is None:
        missing = "there is no Chromium: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with chromium(tmp_path / "chromium") as browser:
        yield browser
