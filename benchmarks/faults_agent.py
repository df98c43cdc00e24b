"""A run that fetches from an agent, and its parts: for the benchmark of reliability."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults_asked import TAG
from benchmarks.faults_bench import INTERVAL_S, ROOT, Bench, small
from benchmarks.faults_case import LEAKING

SERVICE = ROOT / "tests" / "e2e" / "leaky_service.py"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class AgentBench(Bench):
    """A service of somebody else's with an agent beside it; only the load is ours."""

    service: subprocess.Popen[bytes] | None = None
    agent: subprocess.Popen[bytes] | None = None

    @property
    def recording(self) -> Path:
        """Where the agent records."""
        return self.place / "agent"

    def on_disk(self, size: str) -> contextlib.AbstractContextManager[None]:
        """A small file system for what the agent records."""
        self.recording.mkdir()
        return small(self.recording, size)

    def of_program(self) -> list[str]:
        """Start the service and the agent, and drive them."""
        port, agent_port = free_port(), free_port()
        leaking = ["leak"] if self.strategy == LEAKING else []
        self.service = self._begin(str(SERVICE), str(port), *leaking)
        self.await_port(port)
        self.agent = self._begin(
            "-m", "tidemark.agent", f"--pid={self.service.pid}", f"--out={self.recording}",
            f"--serve=127.0.0.1:{agent_port}", f"--interval={INTERVAL_S}",
        )  # fmt: skip
        self.await_port(agent_port)
        return [
            *self.locust(), f"--host=http://127.0.0.1:{port}",
            f"--agent=web=http://127.0.0.1:{agent_port}",
        ]  # fmt: skip

    def _begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.place / "beside.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments],
                env={**os.environ, TAG: f"beside {self.tag}"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def await_port(self, port: int) -> None:
        """Wait until somebody listens there."""

        def listens() -> bool:
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", port)) == 0

        self.until(listens, f"port {port} was open")

    def end(self) -> list[str]:
        """End all of it: what is not the run's, once the run has ended."""
        left = super().end()
        for one in (self.agent, self.service):
            if one is not None:
                one.terminate()
                one.wait()
        return left
