"""A command under way that the benchmark of reliability is going to break, and its processes."""

from __future__ import annotations

import contextlib
import csv
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

from benchmarks.faults_asked import LOCUSTFILE, TAG

RUN_TIME_S = 14
RATE = 15
INTERVAL_S = 0.25
AROUND_S = 3.0
"""So long before and after it broke something every tick is looked for."""
PATIENCE_S = 120.0
LEFT_AFTER_S = 15.0
ROOT = Path(__file__).parents[1]


class NotBegunError(Exception):
    """A run ended, or took too long, before anything was done to it."""


@dataclass
class Bench:
    """A command under way in a folder, and everything that it started."""

    place: Path
    strategy: str
    program: str = "locust"
    more: tuple[str, ...] = ()
    interval_s: float = INTERVAL_S
    broken_s: float = 0.0  # when it was broken, Unix time
    tag: str = field(default_factory=lambda: uuid.uuid4().hex)
    process: subprocess.Popen[bytes] | None = None

    @property
    def results(self) -> Path:
        """Where runs go."""
        return self.place / "results"

    def on_disk(self, size: str) -> contextlib.AbstractContextManager[None]:
        """A small file system for what is recorded, if it has a size."""
        return small(self.results, size)

    def start(self) -> None:
        """Start it, and wait until its load has begun."""
        self.begin()
        self.until(lambda: self.rows("requests.csv") > 2, "its load began")

    def begin(self) -> None:
        """Start it."""
        self.go_on(
            *self.of_program(), f"--rate={RATE}", f"--interval={self.interval_s}",
            f"--results={self.results}", "--run-name=run", *self.more,
        )  # fmt: skip

    def of_program(self) -> list[str]:
        """What is run, and on what."""
        if self.program == "locust":
            of_target = [f"--strategy={self.strategy}", "--fds-limit=16384", "--workers=2"]
            return [*self.locust(), *of_target]
        return [
            "tidemark", "compare", f"--duration={RUN_TIME_S}", f"--strategies={self.strategy}",
            "--fds-limit=16384", "--workers=2",
        ]  # fmt: skip

    def locust(self) -> list[str]:
        """A headless run that lasts for some seconds."""
        return [
            "locust", f"--locustfile={LOCUSTFILE}", "--headless", "--only-summary",
            "--no-report", f"--run-time={RUN_TIME_S}s",
        ]  # fmt: skip

    def go_on(self, *command: str) -> None:
        """Start a Python module in the place of the one before."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOCUST_", "TIDEMARK_"))}
        with (self.place / "said.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**clean, TAG: self.tag, "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until something is so; raises NotBegunError if it never is."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            if time.monotonic() > deadline or (self.process and self.process.poll() is not None):
                raise NotBegunError(f"it ended, or {PATIENCE_S:g} s went by, before {what}")
            time.sleep(0.05)

    @property
    def run(self) -> Path:
        """The run directory."""
        folder = self.results / "run"
        return folder if self.program == "locust" else folder / self.strategy

    def rows(self, file: str) -> int:
        """The finished lines of a file of the run."""
        path = self.run / file
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def missing_ticks(self, file: str) -> str:
        """What to say if more than a tick is missing around the moment when it was broken."""
        with (self.run / file).open(newline="") as table:
            times = sorted({float(row["time_s"]) for row in csv.DictReader(table)})
        near = [at for at in times if abs(at - self.broken_s) < AROUND_S]
        last_s = min(self.broken_s + AROUND_S, times[-1])
        steps = [b - a for a, b in pairwise([*near, last_s])] or [AROUND_S]
        missed = round(max(steps) / self.interval_s) - 1
        return f"{missed} ticks missing in {file}" if missed > 1 else ""

    def wait(self) -> int | None:
        """Its exit code; None if it never ended."""
        assert self.process is not None
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            return None

    def ours(self) -> Iterator[psutil.Process]:
        """Everything that carries the tag."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(TAG) == self.tag:
                    yield process

    def find(self, *words: str) -> psutil.Process:
        """The first of them whose command line holds all these words."""
        for process in self.ours():
            with contextlib.suppress(psutil.Error):
                line = " ".join(process.cmdline())
                if all(word in line for word in words):
                    return process
        raise LookupError(f"no process {words}")

    def end(self) -> list[str]:
        """End what should have ended by itself, and return its command lines."""
        deadline = time.monotonic() + LEFT_AFTER_S
        while (left := list(self.ours())) and time.monotonic() < deadline:
            time.sleep(0.2)
        lines = []
        for process in left:
            with contextlib.suppress(psutil.Error):
                lines.append(" ".join(process.cmdline()[:4]) or process.name())
                process.kill()
        return lines


@contextlib.contextmanager
def small(folder: Path, size: str) -> Iterator[None]:
    """A file system of that size on a folder."""
    if not size:
        yield
        return
    options = f"size={size}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
