"""A command of somebody else's as a child: which of its words are quoted, and when it is up."""

from __future__ import annotations

import http.server
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tidemark.run.errors import ChildError
from tidemark.run.kept import KeptChild, telling_line, wait_until_up
from tidemark.run.listening import own_listeners, taken_by
from tidemark.services.starting import CommandLine

LISTEN = """
import signal, socket, sys
held = [socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host
        else socket.AF_INET) for host, port in zip(sys.argv[1::2], sys.argv[2::2])]
print(*(one.getsockname()[1] for one in held), flush=True)
signal.pause()
"""


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["listening on 80", "exiting"], "exiting"),
        (["Traceback (most recent call last):", '  File "x.py", line 1, in <module>', "    fail()",
          "ModuleNotFoundError: No module named 'x'"], "ModuleNotFoundError: No module named 'x'"),
        (["Error: listen EADDRINUSE: address already in use 127.0.0.1:80",
          "    at Server.setupListenHandle [as _listen2] (node:net:1463:16)", "",
          "Node.js v20.20.2"], "Error: listen EADDRINUSE: address already in use 127.0.0.1:80"),
        (["panic: listen tcp :80: bind: address already in use", "", "goroutine 1 [running]:",
          "main.main()", "\t/src/main.go:8 +0x1a", "exit status 2"],
         "panic: listen tcp :80: bind: address already in use"),
        (['Exception in thread "main" java.net.BindException: Address already in use',
          "\tat java.base/sun.nio.ch.Net.bind0(Native Method)", "\t... 7 more"],
         'Exception in thread "main" java.net.BindException: Address already in use'),
        ([], ""),
        (["", " "], ""),
    ],
)  # fmt: skip
def test_the_line_that_says_why(lines: list[str], wanted: str) -> None:
    assert telling_line(lines) == wanted


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[..., KeptChild]]:
    kept: list[KeptChild] = []

    def start(*arguments: str) -> KeptChild:
        command = CommandLine((sys.executable, "-c", LISTEN, *arguments), tmp_path, {})
        kept.append(KeptChild("thing", command, tmp_path / "log", str))
        kept[-1].wait_started(30)
        return kept[-1]

    yield start
    for one in kept:
        one.stop()


@pytest.fixture
def web() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/up" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("host", "wanted"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("127.0.0.7", "127.0.0.7"),
     ("::1", "[::1]"), ("::", "[::1]")],
)  # fmt: skip
def test_the_port_that_it_listens_on_is_found(
    keep: Callable[..., KeptChild], host: str, wanted: str
) -> None:
    child = keep(host, "0")
    url = wait_until_up(child, None, "", 30)
    assert url.rpartition(":")[0] == f"http://{wanted}"
    assert (wanted, int(url.rpartition(":")[2])) in own_listeners(child.pid)


def test_which_of_several_ports_is_meant_must_be_said(keep: Callable[..., KeptChild]) -> None:
    child = keep("127.0.0.1", "0", "127.0.0.1", "0")
    with pytest.raises(
        ChildError, match=r"the thing listens on \d+, \d+: say which, with \{port\}"
    ):
        wait_until_up(child, None, "", 1)


def test_one_that_listens_elsewhere_is_told_so(keep: Callable[..., KeptChild]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        child = keep("127.0.0.1", "0")
        with pytest.raises(ChildError, match=r"Connection refused \(it listens on \d+ instead\)"):
            wait_until_up(child, url, "", 1)


def test_it_is_up_when_its_path_answers(keep: Callable[..., KeptChild], web: str) -> None:
    child = keep()
    assert wait_until_up(child, web, "/up", 30) == web
    with pytest.raises(ChildError, match=r"not up within 0.1 s: GET /down answers 503; see "):
        wait_until_up(child, web, "/down", 0.1)


def test_who_has_a_port_is_named(keep: Callable[..., KeptChild]) -> None:
    child = keep("127.0.0.1", "0")
    url = wait_until_up(child, None, "", 30)
    holder = taken_by(url)
    assert holder is not None
    assert holder.startswith(f"{child.pid} ")
    child.stop()
    assert taken_by(url) is None
    assert own_listeners(child.pid) == set()


def test_a_secret_is_not_quoted(tmp_path: Path) -> None:
    command = CommandLine(("sh", "-c", "echo error: bad token hunter2; exit 1"), tmp_path, {})
    child = KeptChild(
        "thing", command, tmp_path / "log", lambda text: text.replace("hunter2", "xxxxx")
    )
    child.wait_started(30)
    with pytest.raises(ChildError, match=r"exited with code 1: error: bad token xxxxx; see "):
        child.wait_ended(30)
    child.stop()


def test_a_line_that_goes_on_for_ever_is_cut(tmp_path: Path) -> None:
    script = "print('error: \\x1b[31m' + 'x' * 30_000); raise SystemExit(1)"
    command = CommandLine((sys.executable, "-c", script), tmp_path, {})
    child = KeptChild("thing", command, tmp_path / "log", str)
    child.wait_started(30)
    with pytest.raises(ChildError, match=r"exited with code 1: error: .*xxx\.\.\.; see ") as caught:
        child.wait_ended(30)
    child.stop()
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


def test_a_build_may_not_take_for_ever(tmp_path: Path) -> None:
    child = KeptChild("build", CommandLine(("sleep", "1000"), tmp_path, {}), tmp_path / "log", str)
    child.wait_started(30)
    with pytest.raises(ChildError, match=r"the build took more than 0.1 s"):
        child.wait_ended(0.1)
