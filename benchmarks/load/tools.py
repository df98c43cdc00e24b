"""The server and the load generators in Go, built into a folder of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

CACHE = Path.home() / ".cache" / "tidemark-load"
VEGETA = "github.com/tsenart/vegeta/v12@v12.13.0"
K6 = "go.k6.io/k6@v1.8.1"
_SERVER = Path(__file__).with_name("server")
_BUILDING_S = 1800


def built() -> Path:
    """The folder of `server`, `vegeta` and `k6`; what is missing of them is built.

    Raises:
        SystemExit: there is no go command, or it failed.
    """
    if shutil.which("go") is None:
        raise SystemExit("the go command is not installed: https://go.dev/dl")
    folder = CACHE / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    _go("build", "-o", str(folder / "server"), ".", into=folder, at=_SERVER)
    for module in (VEGETA, K6):
        stamp = folder / f".{module.replace('/', '_')}"
        if not stamp.exists():
            print(f"go install {module}", flush=True)
            _go("install", module, into=folder, at=folder)
            stamp.touch()
    return folder


def _go(*arguments: str, into: Path, at: Path) -> None:
    done = subprocess.run(
        ["nice", "-n", "10", "go", *arguments],
        cwd=at,
        env=os.environ | {"GOBIN": str(into)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_BUILDING_S,
        check=False,
    )
    if done.returncode:
        last = done.stdout.strip().rpartition("\n")[2]
        raise SystemExit(f"go {' '.join(arguments)} exits {done.returncode}: {last}")


@dataclass(frozen=True, slots=True)
class Server:
    """The server under load.

    Attributes:
        address: `host:port` of it.
    """

    address: str

    def served(self) -> int:
        """Requests that it has answered so far."""
        with contextlib.closing(HTTPConnection(self.address, timeout=5)) as connection:
            connection.request("GET", "/served")
            return int(connection.getresponse().read())


@contextlib.contextmanager
def server(programs: Path) -> Iterator[Server]:
    """The server, from now to the end of the block."""
    process = subprocess.Popen([programs / "server"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield Server(process.stdout.readline().decode().strip())
    finally:
        process.kill()
        process.wait()
