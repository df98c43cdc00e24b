import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.eventually import eventually
from tidemark.agent import archive
from tidemark.agent.guard import Guard
from tidemark.agent.routes import Identity, Routes
from tidemark.agent.server import Patience, Server
from tidemark.agent.shelf import Shelf
from tidemark.record.clock import Instant
from tidemark.record.directory import RunDirectory
from tidemark.record.events import Gap
from tidemark.record.layout import COMPOSITION, ENDPOINTS, SAMPLES

TOKEN = b"0123456789abcdef-the-token"
SECRET = "only-who-may-sees-this"
DEADLINE_S = 20.0


@pytest.fixture
def folder(tmp_path) -> Path:
    """A run directory with three ticks of two processes."""
    directory = RunDirectory.create(tmp_path / "run")
    directory.write_metadata({"started_at": "2026-01-01T00:00:00Z", "note": SECRET})
    for at in range(3):
        times = {"time_s": 1000.0 + at, "elapsed_s": float(at), "target": SECRET}
        with directory.writer(SAMPLES) as writer:
            for pid in (7, 8):
                row = {**times, "pid": pid, "process": 'a"b\\c', "fds": 10 * pid + at}
                writer.append({**row, "fds_limit": 1024, "cpu_s": 0.5, "established": pid})
        for table in (COMPOSITION, ENDPOINTS):
            with directory.writer(table) as writer:
                writer.append(times)
        directory.append_event(Instant(1000.0 + at, float(at)), Gap(at, 1.0))
    return directory.path


@pytest.fixture
def servers(folder) -> Iterator[Callable[..., int]]:
    """Starts a server on `folder` in threads; gives its port."""
    with ExitStack() as stack:

        def start(token: bytes | None = None, **given) -> int:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
            identity = Identity("agent-1", "boot-1", 5.0, ("no right",))
            guard = given.pop("guard", None) or Guard(token)
            server = Server(listener, Routes(identity, Shelf(folder), guard), **given)
            thread = threading.Thread(target=server.serve, daemon=True)
            thread.start()
            stack.callback(thread.join, DEADLINE_S)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return int(listener.getsockname()[1])

        yield start


HURRIED = Patience(head_s=0.3, idle_s=0.3, answer_s=0.3)


def get(port: int, path: str, *, token: bytes | None = None, **headers: str):
    """The status, headers and body of an answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)) as client:
        shown = {"Authorization": f"Bearer {token.decode()}"} if token else {}
        client.request("GET", path, headers={**shown, **headers})
        answer = client.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def raw(port: int, data: bytes) -> bytes:
    """All that comes back for some bytes, until the other side ends it."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
        found = b""
        with suppress(OSError):  # it need not hear us out
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while part := client.recv(65536):
                found += part
        return found


@pytest.fixture(scope="session")
def pyz(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("agent") / "tidemark-agent.pyz"
    archive.pack(path)
    return path


def oldest_python() -> Path | None:
    """A Python that is older than what the project needs, the oldest that the agent runs on."""
    for minor in (9, 10):
        found = shutil.which(f"python3.{minor}")
        places = [Path(found)] if found else []
        places += sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python"))
        for place in places:
            done = subprocess.run([place, "-Ic", "import ssl"], capture_output=True, check=False)
            if not done.returncode:
                return place
    return None


PYTHONS = [pytest.param(Path(sys.executable), id="own")]
PYTHONS += [pytest.param(oldest_python(), id="oldest")] if oldest_python() else []


class Agent:
    """`tidemark-agent.pyz` as a process."""

    def __init__(self, python: Path, pyz: Path, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [python, "-I", pyz, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> dict:
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def child(self) -> int:
        """The process that serves."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(eventually(lambda: children.read_text().split(), "that it serves")[0])

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, errors


@pytest.fixture
def agents(pyz) -> Iterator[Callable[..., Agent]]:
    with ExitStack() as stack:

        def start(*arguments: object, python: Path = Path(sys.executable)) -> Agent:
            agent = Agent(python, pyz, *arguments)
            stack.callback(_end, agent.process)
            return agent

        yield start


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1, which signs itself, and its key."""
    return _certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def other_certificate(tmp_path_factory) -> tuple[Path, Path]:
    """Another one."""
    return _certificate(tmp_path_factory.mktemp("certificate"))


def _certificate(folder: Path) -> tuple[Path, Path]:
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    make += ["-nodes", "-days", "2", "-subj", "/CN=agent", "-keyout", key, "-out", cert]
    make += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(make, check=True, capture_output=True)
    return cert, key


def trusting(cert: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(cert))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
