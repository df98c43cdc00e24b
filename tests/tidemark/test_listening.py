"""Who serves a URL: found on real sockets, of processes that other people wrote."""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.eventually import eventually
from tidemark.record.errors import TidemarkError
from tidemark.run.errors import OtherListenerError
from tidemark.run.listening import doubt_of, doubts_of, who_answers

Start = Callable[..., subprocess.Popen[bytes]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def is_up(port: int, host: str = "127.0.0.1") -> bool:
    with suppress(OSError), socket.create_connection((host, port), 1):
        return True
    return False


@pytest.fixture
def start() -> Iterator[Start]:
    processes: list[subprocess.Popen[bytes]] = []

    def begin(*command: str, port: int = 0) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
        processes.append(process)
        if port:
            eventually(lambda: is_up(port), f"that {command[0]} listens")
        return process

    yield begin
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def http_server(port: int, bind: str = "127.0.0.1") -> tuple[str, ...]:
    return (sys.executable, "-m", "http.server", str(port), f"--bind={bind}")


def url(port: int, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{port}"


def test_nobody_there_is_one_line() -> None:
    port = free_port()
    with pytest.raises(TidemarkError, match=f"nobody answers at 127.0.0.1 port {port}") as caught:
        who_answers(url(port))
    assert "\n" not in str(caught.value)
    with pytest.raises(TidemarkError, match=r"nobody answers at nowhere.*: check the name"):
        who_answers("http://nowhere.invalid")


def test_a_process_that_is_not_there_and_a_thread_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = url(server.getsockname()[1])
        with pytest.raises(TidemarkError, match="there is no process 4194305"):
            doubt_of(here, 4_194_305)
        done, began = threading.Event(), threading.Event()
        thread = threading.Thread(target=lambda: (began.set(), done.wait()))
        thread.start()
        began.wait()
        with pytest.raises(TidemarkError, match=f"thread of process {os.getpid()}"):
            doubt_of(here, thread.native_id or 0)
        done.set()
        thread.join()


@pytest.mark.parametrize(
    ("bind", "host"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "localhost"), ("::", "[::1]"), ("::", "127.0.0.1")],
)
def test_the_process_that_listens_is_confirmed(start: Start, bind: str, host: str) -> None:
    port = free_port()
    server = start(*http_server(port, bind))
    eventually(lambda: is_up(port, host.strip("[]")))
    assert doubt_of(url(port, host), server.pid) is None


def test_another_process_that_serves_is_named_without_its_secrets(start: Start) -> None:
    port, other_port = free_port(), free_port()
    script = "import http.server, sys; http.server.test(port=int(sys.argv[1]), bind='127.0.0.1')"
    server = start(sys.executable, "-c", script, str(port), "--password=hunter2", port=port)
    other = start(*http_server(other_port), port=other_port)
    with pytest.raises(TidemarkError, match=rf"port {port} is served by {server.pid} .*") as caught:
        doubt_of(url(port), other.pid)
    assert f"not by {other.pid} " in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_serves_may_pass_requests_on_to_several(start: Start) -> None:
    """Of a single process it would not be believed."""
    ports = [free_port() for _ in range(3)]
    front, *behind = (start(*http_server(port), port=port) for port in ports)
    pids = [one.pid for one in behind]
    doubts = doubts_of(url(ports[0]), pids)
    assert list(doubts) == pids
    for pid, doubt in doubts.items():
        assert f"is served by {front.pid} " in doubt
        assert doubt.endswith(f"which may pass requests on to process {pid}")
    assert list(doubts_of(url(ports[0]), [front.pid, *pids])) == pids, "that one serves it"
    assert doubts_of(url(ports[0]), [front.pid]) == {}
    with pytest.raises(OtherListenerError):
        doubts_of(url(ports[0]), pids[:1])
    with pytest.raises(TidemarkError, match="there is no process 4194305"):
        doubts_of(url(ports[0]), [*pids, 4_194_305])


def test_the_closest_match_serves(start: Start) -> None:
    """A wildcard and an address may listen on one port: what goes to the address goes there."""
    port = free_port()
    script = textwrap.dedent("""
        import signal, socket, sys
        s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((sys.argv[1], int(sys.argv[2]))); s.listen()
        signal.pause()
    """)
    reuse = script.replace("SO_REUSEADDR", "SO_REUSEPORT")
    wide = start(sys.executable, "-c", reuse, "0.0.0.0", str(port), port=port)
    close = start(sys.executable, "-c", reuse, "127.0.0.1", str(port))

    def refusal() -> str:
        with suppress(TidemarkError):
            doubt_of(url(port), wide.pid)
            return ""
        return "refused"

    eventually(refusal)
    assert doubt_of(url(port), close.pid) is None
    assert doubt_of(url(port, "127.0.0.2"), wide.pid) is None


GUNICORN = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"1"]
"""


def children_of(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def test_a_master_and_each_of_its_workers_serve(start: Start, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "served.py").write_text(GUNICORN)
    master = start(
        sys.executable, "-m", "gunicorn", f"--chdir={tmp_path}", "--workers=2",
        f"--bind=127.0.0.1:{port}", "--no-control-socket", "served:app", port=port,
    )  # fmt: skip
    workers = eventually(lambda: len(found := children_of(master.pid)) == 2 and found)
    assert workers
    assert [doubt_of(url(port), pid) for pid in (master.pid, *workers)] == [None] * 3


NODE = """
const cluster = require("cluster"), http = require("http");
if (cluster.isPrimary) cluster.fork();
else http.createServer((q, a) => a.end("1")).listen(PORT, "127.0.0.1");
"""


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_a_worker_that_is_handed_its_connections_is_not_refused(
    start: Start, tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "served.js").write_text(NODE.replace("PORT", str(port)))
    primary = start("node", str(tmp_path / "served.js"), port=port)
    (worker,) = children_of(primary.pid)
    assert doubt_of(url(port), primary.pid) is None
    assert "belongs together" in (doubt_of(url(port), worker) or "")


@pytest.mark.skipif(not shutil.which("socat"), reason="needs socat")
def test_behind_a_front_it_cannot_be_known(start: Start) -> None:
    port, behind = free_port(), free_port()
    server = start(*http_server(behind), port=behind)
    start("socat", f"TCP-LISTEN:{port},fork,reuseaddr,bind=127.0.0.1", f"TCP:127.0.0.1:{behind}",
          port=port)  # fmt: skip
    assert "which may pass requests on" in (doubt_of(url(port), server.pid) or "")
    assert doubt_of(url(behind), server.pid) is None


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root")
def test_a_process_in_another_network_namespace_cannot_be_told(start: Start) -> None:
    class Quiet(http.server.BaseHTTPRequestHandler):
        pass

    with http.server.HTTPServer(("127.0.0.1", 0), Quiet) as ours:
        port = ours.server_port
        inside = start("unshare", "--net", *http_server(port))
        own = Path("/proc/self/ns/net").readlink()
        eventually(lambda: Path(f"/proc/{inside.pid}/ns/net").readlink() != own)
        assert "namespace of its own" in (doubt_of(url(port), inside.pid) or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_what_may_not_be_read_is_not_refused(start: Start) -> None:
    port = free_port()
    server = start(*http_server(port), port=port)
    asked = (
        "import encodings.idna, os, sys; from tidemark.run.listening import doubt_of;"
        "os.setuid(65534);"
        "print(doubt_of(sys.argv[1], int(sys.argv[2])))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", asked, url(port), str(server.pid)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "may not be read: run as its owner or root" in answer.stdout, answer.stderr
