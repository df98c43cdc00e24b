"""Each error of a start says which options it concerns, so that a form can show it beside them."""

from __future__ import annotations

import ast
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidemark.record.errors import TidemarkError
from tidemark.run.concerning import concerning
from tidemark.run.errors import OtherListenerError
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.plan import Plan

ROOT = Path(__file__).parents[2]
HOST = "http://127.0.0.1:8080"
NO_PROCESS = "4194304"  # above what the kernel gives out
OF_A_START = (
    *("web.py", "plugin/*.py", "run/applicable.py", "run/finding.py", "run/listening.py"),
    *("run/options/*.py", "run/permission.py", "run/plan.py", "run/processes.py"),
    *("run/session.py",),
)
FLAGS = {option.flag for option in OPTIONS if option.in_form} | {"--host", "--run-time"}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one


def about(host: str | None, lasts_s: float | None = 0.0, **values: Any) -> tuple[str, ...]:
    with pytest.raises(TidemarkError) as raised:
        Plan.of(RunOptions.parse(values), host, lasts_s).look_at_host()
    return raised.value.about


@pytest.mark.parametrize(
    ("host", "values", "concerned"),
    [
        (HOST, {"target_port": 1, "target_pid": 1}, ("target_port", "target_pid")),
        (HOST, {"target_port": 1, "no_target": True}, ("no_target", "target_port")),
        (HOST, {"target_pid": 1, "all_targets": True}, ("all_targets", "target_pid")),
        (HOST, {"target_pid": f"{os.getppid()},{os.getpid()}"}, ("target_pid",)),
        (HOST, {"target_pid": "a=1,a=2"}, ("target_pid",)),
        ("http://me@127.0.0.1", {"no_target": True}, ("host",)),
        ("http://example.com", {"no_target": True}, ("host",)),
        (None, {"target_pid": 1}, ("target_pid", "host")),
        (None, {"all_targets": True}, ("all_targets", "host")),
        (None, {"target_port": "80,81"}, ("target_port",)),
        (None, {"batch_size": 10_000, "payload_bytes": 9_999}, ("batch_size", "payload_bytes")),
        (HOST, {"fault": "outage@3", "no_target": True}, ("fault", "host")),
        (None, {"fault": "outage@3", "bootstrap": "a:1"}, ("fault", "bootstrap")),
        (None, {"ramp": 3, "shape": "ramp:over=10s"}, ("ramp", "shape")),
        (None, {"broker_option": "a=b"}, ("broker",)),
        (None, {"command": "true", "fault": "outage@3"}, ("fault",)),
        (None, {"command": "true", "verify_messages": True}, ("verify_messages", "topic")),
        (None, {"route": ["GET /a"], "verify_messages": True}, ("verify_messages",)),
        (None, {"service": "nowhere-to-be-found"}, ("service",)),
    ],
)
def test_what_does_not_go_together_concerns_all_of_it(
    host: str | None, values: dict[str, Any], concerned: tuple[str, ...]
) -> None:
    assert about(host, **values) == concerned


def test_a_service_that_is_not_as_was_said_concerns_what_said_it(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    host = f"http://127.0.0.1:{port}"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()[1]
        assert about(f"http://127.0.0.1:{nobody}") == ("host",)
        assert about(f"http://127.0.0.1:{nobody}", no_target=True) == ("host",)
        assert about(host, target_port=nobody) == ("target_port",)
    assert about(host, target_pid=NO_PROCESS) == ("target_pid",)
    with socket.create_server(("127.0.0.1", 0)) as other:
        elsewhere = f"http://127.0.0.1:{other.getsockname()[1]}"
        assert Plan.of(RunOptions.parse({"target_port": port}), elsewhere).look_at_host() == []


def test_another_listener_concerns_what_named_the_process(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubts_of(_url: str, _pids: list[int]) -> dict[int, str]:
        raise OtherListenerError("port 1 is served by nginx", "ingest")

    monkeypatch.setattr("tidemark.run.plan.doubts_of", doubts_of)
    port = listener.getsockname()[1]
    host = f"http://127.0.0.1:{port}"
    assert about(host, target_port=port) == ("target_port", "host")
    assert about(host, target_pid=os.getpid()) == ("target_pid", "host")
    assert about(host) == ("host",)


def test_much_load_elsewhere_concerns_what_makes_it_much() -> None:
    there = {"allow_host": ["example.com"], "no_target": True}
    assert about("http://example.com", rate=1000, **there) == ("rate", "host")
    assert about("http://example.com", 7200.0, **there) == ("run_time", "host")


def test_a_warm_up_without_an_end_concerns_both() -> None:
    with pytest.raises(TidemarkError) as raised:
        RunOptions.parse({"settle": 20}).check_lasting("--run-time", 20.0)
    assert raised.value.about == ("settle", "run_time")


def test_a_run_of_that_name_concerns_the_name(tmp_path: Path) -> None:
    options = RunOptions.parse({"results": tmp_path, "run_name": "night"})
    plan = Plan.of(options, None)
    plan.make_directory().write_metadata({})
    with pytest.raises(TidemarkError) as raised:
        plan.make_directory()
    assert raised.value.about == ("run_name",)


@pytest.mark.parametrize(
    ("text", "concerned"),
    [
        ("[service.mine]\ncommand = 3\n", ("service",)),
        ('[service.mine]\ncommand = "x ${NOT_SET_AT_ALL}"\n', ("service",)),
        ('[service.other]\ncommand = "true"\n', ("service",)),
        ("[load]\nrate = 0\n", ()),  # is to be mended in the file, whatever a form says
        ("[load\n", ()),
    ],
)
def test_a_file_concerns_the_service_where_it_says_what_that_is(
    tmp_path: Path, text: str, concerned: tuple[str, ...]
) -> None:
    file = tmp_path / "tidemark.toml"
    file.write_text(text)
    assert about(None, service="mine", tidemark_config=file) == concerned


def of_a_process(names: list[str], otherwise: list[str], **given: Any) -> tuple[str, ...]:
    with (
        pytest.raises(TidemarkError, match="it cannot") as raised,
        concerning(RunOptions.parse(given), otherwise),
    ):
        raise TidemarkError("it cannot", about=names)
    return raised.value.about


def test_a_process_is_told_options_by_names_of_its_own_and_more_than_was_asked_for() -> None:
    assert of_a_process(["bind"], []) == ("target_port",)
    assert of_a_process(["fds_limit"], ["service"]) == ("fds_limit",)
    assert of_a_process([], ["service"]) == ("service",)
    assert of_a_process(["topic", "bootstrap"], []) == ("topic",), "of the embedded brokers"
    assert of_a_process(["bootstrap"], [], bootstrap="a:1") == ("bootstrap",)


def unexplained(path: Path) -> Iterator[str]:
    """The errors of a module that speak of an option of the form, and do not say so."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
            continue
        texts = [one.value for one in ast.walk(node.exc) if isinstance(one, ast.Constant)]
        words = " ".join(map(str, texts)).replace(":", " ").replace(",", " ").split()
        name = getattr(node.exc.func, "id", "")
        says_so = any(one.arg == "about" for one in node.exc.keywords)
        if name in {"TidemarkError", "OptionError"} and FLAGS & set(words) and not says_so:
            yield f"{path.name}:{node.lineno}"


def test_whoever_adds_an_error_that_names_an_option_says_so_in_it() -> None:
    modules = [path for name in OF_A_START for path in sorted((ROOT / "tidemark").glob(name))]
    assert len(modules) > len(OF_A_START)
    assert [where for module in modules for where in unexplained(module)] == []
