"""A service of somebody else's, which writes down what it is sent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from .conftest import TAG, Workbench

PROGRAM = Path(__file__).with_name("recording_service.py")


@dataclass
class Recording:
    """A service that writes down what it is sent."""

    url: str
    pid: int
    log: Path

    def requests(self) -> list[dict[str, Any]]:
        """What it was sent by the load; the look at its port is none."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def recording_service(bench: Workbench, *leaking: str) -> Iterator[Recording]:
    """Run one; requests of the methods named cost it a descriptor."""
    log = bench.folder / "requests.jsonl"
    log.touch()
    with subprocess.Popen(
        [sys.executable, PROGRAM, log, *leaking],
        env={**os.environ, TAG: bench.tag},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        yield Recording(process.stdout.readline().strip(), process.pid, log)
        process.send_signal(signal.SIGTERM)


def routes_of(run: Path) -> dict[str, int]:
    """The requests of each route at the end of a run."""
    last = pd.read_csv(run / "routes.csv").groupby("route")["requests"].max()
    return {str(route): int(count) for route, count in last.items()}
