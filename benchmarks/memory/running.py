"""A service under way: started, waited for until it is healthy, and ended with its whole tree."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.memory.plan import Leak
from benchmarks.memory.services import Service, ServiceError
from tidemark.record.process import signal_name
from tidemark.run.children import NURSERY

HEALTHY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 8.0
NICE = 5
"""A service gives way to what sends requests and takes samples in time."""
_POLL_S = 0.2
_INHERITED = ("PATH", "HOME", "LANG", "JAVA_HOME", "LD_LIBRARY_PATH")
_PORTS = itertools.cycle(range(21_000, 29_000))  # below those that the kernel hands out


def unverified() -> ssl.SSLContext:
    """TLS without asking who the other end is: a service makes its own certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def free_port() -> int:
    """A port of the loopback device that nobody listens on; no two calls give the same soon."""
    for port in _PORTS:
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError


class Running:
    """A service that has been started; must be made in the main thread, with which it ends.

    Args:
        service: What to start.
        build: The folder that its language was built in.
        leak: What it leaks.
        bootstrap: `host:port,...` of the brokers.
        log: A file for its standard output and error.

    Attributes:
        port: Where it listens.
    """

    def __init__(
        self, service: Service, build: Path, leak: Leak, bootstrap: str, log: Path
    ) -> None:
        self.service = service
        self.port = free_port()
        self._log = log
        self._scratch = Path(tempfile.mkdtemp(prefix="tidemark-memory-"))
        with log.open("ab") as output:
            self._process = NURSERY.start(
                ["nice", "-n", str(NICE), *service.arguments(build)],  # which becomes the service
                cwd=service.here,
                env=self._environment(build, leak, bootstrap),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _environment(self, build: Path, leak: Leak, bootstrap: str) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return {
            **inherited,
            "PYTHONPYCACHEPREFIX": str(build / "pycache"),
            "PORT": str(self.port),
            "SCRATCH": str(self._scratch),
            "LEAK_BYTES": str(leak.kept_bytes),
            "LEAK_EVERY": str(leak.every),
            **({"BOOTSTRAP": bootstrap} if self.service.kafka else {}),
        }

    @property
    def pid(self) -> int:
        """The root of its process tree."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def obituary(self) -> str:
        """How it ended, with its last words; empty while it runs."""
        code = self.returncode
        if code is None:
            return ""
        how = f"was killed by {signal_name(code)}" if code < 0 else f"exited with code {code}"
        last = self._log.read_text(errors="replace").strip().rpartition("\n")[2]
        return f"the service {how}: {last[:200]}"

    def wait_healthy(self, timeout_s: float = HEALTHY_TIMEOUT_S) -> None:
        """Wait until its health path answers 200; may be called in another thread.

        Raises:
            ServiceError: It ended, or is not healthy in time.
        """
        deadline, said = time.monotonic() + timeout_s, "nothing yet"
        while time.monotonic() < deadline:
            if ended := self.obituary():
                raise ServiceError(ended)
            said = self._health()
            if said == "200":
                return
            time.sleep(_POLL_S)
        raise ServiceError(f"not healthy within {timeout_s:g} s: {self.service.health} says {said}")

    def _health(self) -> str:
        try:
            with contextlib.closing(self._connection()) as connection:
                connection.request("GET", self.service.health, headers={"Connection": "close"})
                return str(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"

    def _connection(self) -> http.client.HTTPConnection:
        where, port, patience_s = "127.0.0.1", self.port, 5.0
        if self.service.tls:
            context = unverified()
            return http.client.HTTPSConnection(where, port, timeout=patience_s, context=context)
        return http.client.HTTPConnection(where, port, timeout=patience_s)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End it and everything that it has started: SIGTERM first, SIGKILL after `timeout_s`."""
        below = self._below()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, 9)
        for process in below:  # some have left the group
            with contextlib.suppress(psutil.Error):
                process.kill()  # knows by its start time whether the pid is another's by now
        self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _below(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.Error:
            return []
