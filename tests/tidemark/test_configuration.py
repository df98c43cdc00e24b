"""What tidemark.toml, the command line and the environment make of a run together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tidemark.record.errors import TidemarkError
from tidemark.record.options import Unsaid, was_given
from tidemark.run.configuration import (
    completed,
    configured,
    file_of,
    read_file,
    routes_of,
    running_service,
    service_of,
)
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.plan import Plan

FILE = """
[service.mine]
command = "./mine {port}"
ready = "/up"
fds_limit = 77
[service.staging]
url = "http://127.0.0.1:1"
pid_file = "it.pid"
bootstrap = "a:1"
[service.shared]
command = "./not-the-built-in-one {port}"
[load]
rate = 20
batch_size = 3
fault = ["target-kill@3"]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tidemark.toml").write_text(FILE)
    return tmp_path


def unsaid() -> dict[str, Any]:
    """What a command line that keeps texts hands over when nobody says anything."""
    return {
        option.name: option.default
        if option.is_flag
        else None
        if option.is_repeatable
        else Unsaid(option.as_text(option.default))
        for option in OPTIONS
    }


def read(values: Mapping[str, Any]) -> RunOptions:
    return RunOptions.parse(completed({**unsaid(), **values}, has_host=False))


@pytest.mark.parametrize(
    ("value", "given"),
    [
        ("x", True), ("0", True), (0, True), (0.0, True), (True, True), (("x",), True),
        (None, False), (Unsaid("x"), False), (False, False), ((), False), ([], False), ("", False),
    ],
)  # fmt: skip
def test_what_somebody_gave(value: Any, given: bool) -> None:
    assert was_given(value) is given


def test_the_file_says_what_nobody_else_says() -> None:
    options = read({"service": "mine"})
    assert (options.rate, options.batch_size, options.fds_limit) == (20.0, 3, 77)
    assert [str(fault) for fault in options.fault] == ["target-kill@3"]


def test_the_command_line_wins_over_the_file_even_with_a_default() -> None:
    options = read(
        {"service": "mine", "rate": "10.0", "fds_limit": "1024", "fault": ["outage@1+1"]}
    )
    assert (options.rate, options.batch_size, options.fds_limit) == (10.0, 3, 1024)
    assert [str(fault) for fault in options.fault] == ["outage@1+1"]


def test_a_service_that_runs_already_says_how_it_is_found(folder: Path) -> None:
    (folder / "it.pid").write_text("1")
    options = read({"service": "staging"})
    assert options.pid_file == "it.pid"
    assert options.bootstrap == ("a:1",)
    running = running_service(vars(options))
    assert running is not None
    assert running.url == "http://127.0.0.1:1"
    assert running_service(vars(read({"service": "mine"}))) is None


@pytest.mark.parametrize(
    ("clue", "given"), [("target_pid", 5), ("target_port", 80), ("no_target", True)]
)
def test_another_way_to_find_it_takes_the_place_of_that_of_the_file(clue: str, given: Any) -> None:
    options = read({"service": "staging", clue: given})
    assert (getattr(options, clue), options.pid_file) == (given, "")
    assert options.bootstrap == ("a:1",)


def test_a_pid_file_that_is_not_there_is_missed_only_where_it_is_looked_for() -> None:
    assert read({"service": "mine"}).pid_file == ""
    with pytest.raises(TidemarkError, match=r"^--pid-file: there is no file 'it.pid'"):
        read({"service": "staging"})


def test_who_names_no_service_is_not_told_by_a_file(folder: Path) -> None:
    assert read({}).rate == 10.0
    assert read({"tidemark_config": str(folder / "tidemark.toml")}).rate == 20.0
    assert read({"command": "x"}).rate == 20.0
    assert read_file("", is_asked_for=False) is None


def test_a_service_of_the_file_goes_before_the_built_in_one() -> None:
    options = read({"service": "shared"})
    service = service_of(options, file_of(vars(options)))
    assert service.command == ("./not-the-built-in-one", "{port}")
    assert not service.reference
    assert service_of(read({"strategy": "shared"}), None).reference


def test_the_command_line_says_how_a_service_is_found_ready() -> None:
    options = read(
        {
            "service": "mine",
            "ready": "/live",
            "ready_timeout": "3",
            "url": "http://127.0.0.1:{port2}",
        }
    )
    service = service_of(options, file_of(vars(options)))
    assert (service.ready, service.ready_timeout) == ("/live", 3.0)
    assert service.url == "http://127.0.0.1:{port2}"
    options = read({"service": "mine"})
    assert service_of(options, file_of(vars(options))).ready == "/up"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("./ingest-v1 -addr {port}", "ingest-v1"),
        ("python -m http.server {port}", "http.server"),
        ("node --expose-gc server.js", "server.js"),
        ("sh -c 'x y'", "sh"),
        ("/opt/a\u00e9b", "ab"),
        ("/opt/\u00e9", "service"),
        ("./..", "service"),
    ],
)
def test_a_command_is_called_as_its_program_is(command: str, name: str) -> None:
    assert service_of(RunOptions.parse({"command": command}), None).name == name


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"service": "mine", "strategy": "shared"}, "--strategy: has no effect on a service that"),
        ({"service": "fixed", "strategy": "shared"}, "--strategy: has no effect on --service"),
        ({"service": "mine", "threads": "2"}, "--threads: has no effect"),
        ({"service": "mine", "broker_option": ["a=b"]}, "--broker-option: has no effect"),
        ({"service": "fixed", "ready": "/x"}, "--ready: has no effect on a built-in service"),
        ({"service": "mine", "command": "x"}, "contradict each other"),
        (
            {"service": "non", "tidemark_config": ""},
            "tidemark.toml has mine, staging, shared; built in are",
        ),
        (
            {"service": "fixed", "metrics_url": "http://a"},
            "--metrics-url: has no effect on a built",
        ),
        ({"service": "staging", "target_pid": "1", "ready": "/"}, "--ready: has no effect on serv"),
        (
            {"service": "staging", "target_pid": "1", "fds_limit": "9"},
            "staging, which runs already",
        ),
        (
            {"service": "staging", "target_pid": "1", "fault": ["outage@1"]},
            "--fault: has no effect",
        ),
    ],
)
def test_what_would_do_nothing_is_refused(values: dict[str, Any], wanted: str) -> None:
    with pytest.raises(TidemarkError) as caught:
        read(values)
    assert wanted in str(caught.value)


@pytest.mark.parametrize(
    "name", ["fds_limit", "workers", "brokers", "strategy", "service", "ready"]
)
def test_with_a_host_nothing_is_started(name: str) -> None:
    values = {**unsaid(), name: "1"}
    with pytest.raises(TidemarkError, match=rf"^--{name.replace('_', '-')}: has no effect on a"):
        completed(values, has_host=True)
    completed(unsaid(), has_host=True)


def test_with_brokers_of_ones_own_they_may_be_told_of() -> None:
    assert read({"service": "mine", "bootstrap": "a:1"}).bootstrap == ("a:1",)


def test_routes_that_cannot_be_read_are_told_with_their_line(folder: Path) -> None:
    file = folder / "tidemark.toml"
    file.write_text("[load]\nrate = 1\nroutes = [{path = 1}]\n")
    configuration = read_file("tidemark.toml", is_asked_for=True)
    with pytest.raises(TidemarkError) as caught:
        routes_of(configuration)
    assert str(caught.value).startswith("tidemark.toml:3: load.routes[0].path: must begin with /")
    file.write_text("[load]\nrate = 1\nroutes = [{path = '/a'}, {path = '/b', name = 'b'}]\n")
    found = routes_of(read_file("tidemark.toml", is_asked_for=True))
    assert [route.name for route in found] == ["GET /a", "b"]
    assert routes_of(None) == ()


def test_a_plan_knows_what_it_needs() -> None:
    def plan(**values: Any) -> Plan:
        return Plan.of(RunOptions.parse(values), None)

    assert plan().has_brokers
    assert plan().has_ledger
    assert not plan(command="x {port}").has_brokers
    assert plan(command="x {port}", bootstrap="a:1").has_brokers
    assert not plan(command="x {port} {bootstrap}").has_ledger  # its topic is its own
    assert plan(command="x {port} {bootstrap} {topic}").has_ledger
    assert plan(command="x {port} {bootstrap}", topic="orders").has_ledger
    assert plan(service="mine").strategy == "mine"
    for command in ("x {port}", "x {port} {bootstrap}"):
        with pytest.raises(TidemarkError, match=r"^--verify-messages: where service x writes to"):
            plan(command=command, verify_messages=True)
    with pytest.raises(TidemarkError, match=r"^--fault: service x needs no brokers that could"):
        plan(command="x {port}", fault="outage@1+1")
    assert plan(command="x {port}", fault="target-kill@1").options.fault


def test_nothing_is_configured_without_a_file() -> None:
    values = {"rate": Unsaid("10")}
    assert configured(values, None) == values
