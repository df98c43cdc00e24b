import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

import pytest

from tests.eventually import eventually as wait
from tidemark.record.directory import RunDirectory
from tidemark.record.events import Kind, of_kind
from tidemark.record.layout import SAMPLES, Table

PUPPET = Path(__file__).with_name("puppet.py")
DEADLINE_S = 60.0
Opened = TypeVar("Opened")


class Puppet:
    """A child that runs the Python it is sent."""

    def __init__(self, *, prefix=(), **options) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, str(PUPPET)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def do(self, code: str):
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the puppet ended while it did {code!r}"
        return json.loads(answer)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def puppets() -> Iterator[Callable[..., Puppet]]:
    made: list[Puppet] = []

    def make(**options) -> Puppet:
        made.append(Puppet(**options))
        made[-1].do("result = 1")
        return made[-1]

    yield make
    for puppet in made:
        puppet.end()


@pytest.fixture
def puppet(puppets) -> Puppet:
    return puppets()


@pytest.fixture
def eventually() -> Callable[..., object]:
    return functools.partial(wait, timeout_s=DEADLINE_S)


@pytest.fixture
def closed() -> Iterator[Callable[[Opened], Opened]]:
    """What it is given is closed at the end, also of a test that fails.

    Left open, it would be found by the garbage collector in the middle of another test, which
    then fails of a ResourceWarning.
    """
    with ExitStack() as stack:

        def keep(opened: Opened) -> Opened:
            return stack.enter_context(closing(opened))

        yield keep


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        yield server


class Sampler:
    """`python -m tidemark.sampler` as a child."""

    def __init__(self, out: Path, *arguments: str, prefix=(), **options) -> None:
        self.directory = RunDirectory(out)
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tidemark.sampler", "--out", str(out), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def ready(self) -> dict:
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def rows(self, table: Table = SAMPLES) -> list[dict[str, str]]:
        lines = self.directory.file(table.file).read_bytes()
        whole = lines[: lines.rfind(b"\n") + 1].decode().splitlines()
        header = whole[0].split(",")
        return [dict(zip(header, line.split(","), strict=True)) for line in whole[1:]]

    def events(self, kind: type[Kind]) -> list[Kind]:
        return [one.event for one in of_kind(self.directory.read_events(), kind)]

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, errors


@pytest.fixture
def samplers(tmp_path) -> Iterator[Callable[..., Sampler]]:
    with ExitStack() as stack:

        def make(pid: int, brokers: str | None, *arguments: str, out=None, **options) -> Sampler:
            folder = out or tmp_path / "run"
            named = () if brokers is None else ("--brokers", brokers)
            sampler = Sampler(folder, "--pid", str(pid), *named, *arguments, **options)
            stack.callback(_end, sampler.process)
            return sampler

        yield make


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.fixture
def address(listener) -> str:
    host, port = listener.getsockname()
    return f"{host}:{port}"


@pytest.fixture
def in_a_namespace(puppets):
    """A puppet in a network namespace of its own, with three connections to itself."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("needs root, unshare and ip to make a network namespace")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("network namespaces are forbidden here")
    puppet = puppets(prefix=["unshare", "-n"])
    port = puppet.do("""
import subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
open("/proc/sys/net/ipv4/tcp_rfc1337", "w").write("1")  # a late RST ends no TIME_WAIT
server = socket.create_server(("127.0.0.1", 0))
made = [connect(*server.getsockname()) for _ in range(3)]
result = server.getsockname()[1]
""")
    return puppet, f"127.0.0.1:{port}"
