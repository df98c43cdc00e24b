"""The process of a service that runs already: found by what people know of it."""

from __future__ import annotations

import http.server
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.tidemark.test_listening import Start, free_port, http_server, is_up, start, url
from tidemark.record.errors import TidemarkError
from tidemark.run import finding
from tidemark.run.finding import (
    by_command,
    by_container,
    by_likeness,
    by_pid_file,
    by_port,
    by_unit,
    by_url,
    roots_of,
    watched_processes,
)
from tidemark.run.options import RunOptions
from tidemark.sampler import procfs
from tidemark.sampler.errors import SamplerError

__all__ = ["start"]  # a fixture

GUNICORN_APP = "tests.tidemark.test_finding:application"


def application(environ: object, start_response: object) -> list[bytes]:
    """Served by gunicorn."""
    start_response("200 OK", [])  # type: ignore[operator]
    return [b""]


def test_who_listens_is_found_by_url_and_by_port(start: Start) -> None:
    port = free_port()
    server = start(*http_server(port), port=port)
    assert by_url(url(port)).process() == server.pid
    assert by_port(port).process() == server.pid


def test_of_a_master_and_its_workers_the_master_is_found(start: Start) -> None:
    port = free_port()
    master = start(
        sys.executable, "-m", "gunicorn", "--workers=2", f"--bind=127.0.0.1:{port}",
        "--no-control-socket", GUNICORN_APP, port=port,
    )  # fmt: skip
    eventually(lambda: len(list(_children(master.pid))) == 2, "two workers")
    assert by_port(port).process() == master.pid


def _children(pid: int) -> Iterator[int]:
    for other in procfs.list_pids():
        try:
            if procfs.read_stat(other).parent_pid == pid:
                yield other
        except SamplerError:
            continue


def test_each_port_is_a_target_in_the_order_in_which_they_are_named(start: Start) -> None:
    ports = free_port(), free_port()
    servers = [start(*http_server(port), port=port) for port in ports]
    given = {"target_port": f"{ports[1]},{ports[0]}"}
    found = watched_processes(RunOptions.parse(given), url(ports[0]))
    assert [one.pid for one in found] == [servers[1].pid, servers[0].pid]
    assert [one.successors() for one in found] == [[servers[1].pid], [servers[0].pid]]
    servers[1].kill()
    servers[1].wait()
    assert [one.successors() for one in found] == [[], [servers[0].pid]]


def test_nobody_on_a_port_is_one_line() -> None:
    port = free_port()
    with pytest.raises(TidemarkError, match=f"nobody listens on port {port} here") as caught:
        by_port(port).process()
    assert "\n" not in str(caught.value)


def test_a_process_is_found_by_its_command_and_several_are_named(start: Start) -> None:
    mark = f"marked-{os.getpid()}"
    sleeper = (sys.executable, "-c", "import signal; signal.pause()", mark)
    first = start(*sleeper)
    eventually(lambda: mark in " ".join(procfs.read_command(first.pid)), "that it has begun")
    assert by_command(f"signal.*{mark}").process() == first.pid
    second = start(*sleeper)
    eventually(lambda: mark in " ".join(procfs.read_command(second.pid)), "that it has begun")
    with pytest.raises(TidemarkError, match="2 processes match") as caught:
        by_command(mark).process()
    assert all(str(one.pid) in str(caught.value) for one in (first, second))
    assert by_command(mark).processes() == sorted([first.pid, second.pid])
    assert {first.pid, second.pid} <= set(by_likeness(first.pid).processes())
    given = {"target_command": mark, "all_targets": True}
    found = watched_processes(RunOptions.parse(given), "http://127.0.0.1:1")
    assert [(one.target, one.pid) for one in found] == [
        ("target-1", min(first.pid, second.pid)),
        ("target-2", max(first.pid, second.pid)),
    ]
    second.kill()
    second.wait()
    assert second.pid not in by_likeness(first.pid).processes()
    (only,) = watched_processes(RunOptions.parse(given), "http://127.0.0.1:1")
    assert (only.target, only.pid) == ("target", first.pid)
    with pytest.raises(TidemarkError, match="no process matches"):
        by_command(mark + "-and-no-other").process()


def test_the_command_that_looks_is_not_what_it_finds() -> None:
    with pytest.raises(TidemarkError, match="no process matches"):
        by_command(re.escape(" ".join(procfs.read_command(os.getpid())))).process()


def test_a_pattern_that_is_none_is_told() -> None:
    with pytest.raises(TidemarkError, match="--target-command: no regular expression"):
        by_command("(")


def test_a_process_is_found_by_its_pid_file(start: Start, tmp_path: Path) -> None:
    port = free_port()
    server = start(*http_server(port), port=port)
    file = tmp_path / "it.pid"
    file.write_text(f"{server.pid}\n")
    assert by_pid_file(file).process() == server.pid
    for text, says in (("4194305", "4194305 is not there"), ("me", "holds no process id")):
        file.write_text(text)
        with pytest.raises(TidemarkError, match=says):
            by_pid_file(file).process()
    with pytest.raises(TidemarkError, match="cannot read"):
        by_pid_file(tmp_path / "none").process()


CONTAINER = "4f0c1de5a6b7" + "0" * 52
CGROUPS = {
    10: "0::/system.slice/ingest.service\n",
    11: "0::/system.slice/ingest.service\n",
    20: f"12:pids:/docker/{CONTAINER}\n11:cpu:/docker/{CONTAINER}\n",
    30: f"0::/machine.slice/libpod-{CONTAINER[::-1]}.scope/container\n",
    40: "0::/user.slice/user-0.slice/session-1.scope\n",
}
PARENTS = {10: 1, 11: 10, 20: 1, 30: 1, 40: 1}


@pytest.fixture
def cgroups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes in the cgroups that systemd, Docker and Podman make."""
    monkeypatch.setattr(finding, "parents_of_all", lambda: PARENTS)
    monkeypatch.setattr(procfs, "list_pids", lambda: list(CGROUPS))
    monkeypatch.setattr(procfs, "read_text", lambda pid, _: CGROUPS[pid])


@pytest.mark.usefixtures("cgroups")
def test_a_unit_and_a_container_are_found_by_their_cgroups() -> None:
    assert by_unit("ingest").process() == by_unit("ingest.service").process() == 10
    assert by_container(CONTAINER).process() == by_container(CONTAINER[:12]).process() == 20
    assert by_container(CONTAINER[::-1]).process() == 30
    for clue in (by_unit("ing"), by_unit("other"), by_container("0" * 12 + "1")):
        with pytest.raises(TidemarkError, match="no process matches"):
            clue.process()


def test_what_is_no_id_of_a_container_is_told() -> None:
    for given in ("ingest", "4f0c", "4F0C1DE5A6B7", ""):
        with pytest.raises(TidemarkError, match="must be the id of a container"):
            by_container(given)


def test_only_those_that_descend_from_no_other_are_roots() -> None:
    parents = {2: 1, 3: 2, 4: 3, 5: 1, 6: 5}
    assert roots_of([2, 3, 4], parents) == {2}
    assert roots_of([4, 6], parents) == {4, 6}
    assert roots_of([4, 2, 6], parents) == {2, 6}
    assert roots_of([], parents) == set()


def test_a_front_is_not_taken_for_the_service(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    start(*http_server(port), port=port)
    monkeypatch.setattr("tidemark.run.listening.FRONTS", frozenset({"http.server"}))
    with pytest.raises(TidemarkError, match="may pass requests on"):
        by_port(port).process()


def test_an_address_of_another_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("tidemark.run.listening._namespace_of", lambda *_: None)
    assert is_up(server.server_port)
    with pytest.raises(TidemarkError, match="not an address of this machine"):
        by_url(url(server.server_port)).process()
    server.shutdown()
    server.server_close()
