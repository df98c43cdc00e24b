"""What runs beside one another: processes that say when they are ready, and who asks them."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

AT_ONCE_S = 120.0
"""Longer than a start, or an end, takes on a busy machine."""


class Parts:
    """What runs, each part a process of its own; ended the other way round.

    Args:
        folder: What they write.
        stack: Ends them.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack

    def start(self, name: str, *command: str) -> "Part":
        """Start a part."""
        part = Part(name, list(command), self.folder / f"{name}.log")
        self._stack.callback(part.end)
        return part

    def tidemark(self, name: str, *arguments: str) -> "Part":
        """Start one of our own commands."""
        return self.start(name, sys.executable, "-m", "tidemark", *arguments)


class Part:
    """A process that says in one line of JSON that it is ready.

    Args:
        name: What it is called.
        command: How it is started.
        log: Where its complaints go.
    """

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name, self._log = name, log
        with log.open("wb") as file:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file)
        self.pid = self._process.pid

    def told(self) -> dict[str, Any]:
        """What it says when it is ready."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(b"{"):
            raise SystemExit(f"{self.name} did not begin: {line!r} {self._log.read_text()}")
        told: dict[str, Any] = json.loads(line)
        return told

    @property
    def is_alive(self) -> bool:
        """That it is: when it has ended, the bench ends here."""
        if self._process.poll() is not None:
            raise SystemExit(f"{self.name} has ended: {self._log.read_text()[-2000:]}")
        return True

    def end(self) -> None:
        """End it, and wait for it."""
        if self._process.poll() is None:
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=AT_ONCE_S)
            return
        self._process.kill()
        self._process.communicate()


def free_port() -> int:
    """A port of this host that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def get(port: int, path: str) -> bytes | None:
    """An answer; None where there is none yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return connection.getresponse().read()
    return None


@contextlib.contextmanager
def asking(*questions: tuple[int, str, float]) -> Iterator[None]:
    """Ask again and again meanwhile: port, path, and every how many seconds."""
    over = threading.Event()

    def ask(port: int, path: str, every_s: float) -> None:
        while not over.wait(every_s):
            get(port, path)

    threads = [threading.Thread(target=ask, args=one, daemon=True) for one in questions]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + AT_ONCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {AT_ONCE_S:g} s")
        time.sleep(0.1)
