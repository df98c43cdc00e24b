"""A command line made from a service."""

from pathlib import Path

import pytest

from tidemark.services.builtin import NAMES, builtin_service
from tidemark.services.errors import ServiceError
from tidemark.services.service import Service
from tidemark.services.starting import CommandLine, Start, free_ports, start_of

PORTS = (1001, 1002, 1003)
VALUES = {"bootstrap": "a:1,b:2", "topic": "t", "run_id": "r"}
SERVICE = Service(
    name="mine",
    command=("./mine", "-addr=127.0.0.1:{port}", "-debug={port2}", "--key", "${API_KEY}"),
    build=("make", "${TARGET}", "-C", "{directory}"),
    directory=Path("/srv"),
    environment={"BROKERS": "{bootstrap}", "TOKEN": "x${SECRET}"},
)
ENVIRONMENT = {"API_KEY": "hunter2", "SECRET": "hunter2-and-more", "TARGET": "all", "OTHER": "o"}


def start(service: Service = SERVICE, **environment: str) -> Start:
    return start_of(service, PORTS, VALUES, ENVIRONMENT | environment, 99)


def test_all_that_is_in_braces_is_filled() -> None:
    found = start()
    assert found.command == CommandLine(
        ("./mine", "-addr=127.0.0.1:1001", "-debug=1002", "--key", "hunter2"),
        Path("/srv"),
        {"BROKERS": "a:1,b:2", "TOKEN": "xhunter2-and-more"},
        99,
    )
    assert found.build is not None
    assert found.build.arguments == ("make", "all", "-C", "/srv")
    assert found.build.fds_limit is None
    assert found.url == "http://127.0.0.1:1001"


def test_what_comes_from_the_environment_is_not_shown() -> None:
    found = start()
    assert "hunter2" not in found.shown
    assert found.shown.startswith("./mine -addr=127.0.0.1:1001 -debug=1002 --key ")
    assert (
        found.redacted("no hunter2-and-more, no hunter2, but all") == "no xxxxx, no xxxxx, but all"
    )
    assert "hunter2" not in repr(SERVICE)


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ServiceError, match=r"service mine: \$\{API_KEY\} is not set"):
        start_of(SERVICE, PORTS, VALUES, {"SECRET": "x", "TARGET": "y"})


def test_where_its_metrics_page_is() -> None:
    told = {"ports": PORTS, "values": VALUES, "environment": {}}
    found = start_of(Service(name="a", command=("x",)), **told, metrics_url="http://a:{port2}/m")
    assert found.metrics_url == "http://a:1002/m"
    assert start().metrics_url is None


def test_where_requests_go() -> None:
    assert start(Service(name="a", command=("x",))).url is None
    told = Service(name="a", command=("x", "{port}"), url="https://[::1]:{port}/api")
    assert start(told).url == "https://[::1]:1001/api"
    assert start(Service(name="a", command=("x",), environment={"PORT": "{port}"})).url


def test_ports_are_free_and_apart() -> None:
    assert len(set(free_ports())) == 3
    assert free_ports(80)[0] == 80


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_one_is_a_service_like_any_other(name: str) -> None:
    service = builtin_service(name, ["--workers=2", "--kafka-option=a={port}${HOME}"])
    found = start_of(service, (0, 0, 0), VALUES, {})
    assert service.name == NAMES[name]
    assert service.needs_brokers
    assert service.is_told_topic
    assert service.reference == (name == "shared")
    assert found.command.arguments[1:] == (
        "-m", "tidemark.targets.serve", service.name, "--bootstrap=a:1,b:2", "--topic=t",
        "--bind=127.0.0.1:0", "--workers=2", "--kafka-option=a={port}${HOME}",
    )  # fmt: skip
    assert found.shown.startswith("python -m tidemark.targets.serve ")
