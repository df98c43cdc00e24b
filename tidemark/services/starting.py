"""A command line made from a service."""

import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tidemark.record.secrets import HIDDEN, shown_command
from tidemark.services.errors import ServiceError
from tidemark.services.placeholders import PORTS, fill, show
from tidemark.services.service import Service

LOOPBACK = "127.0.0.1"
_SHORTEST_SECRET = 4
"""What is shorter is no secret, and part of many words."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What is started, as it is handed to the operating system.

    Attributes:
        arguments: The program and its arguments.
        directory: Where.
        environment: Variables beside those of our own environment.
        fds_limit: Its descriptor limit; None for ours.
    """

    arguments: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str]
    fds_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A service whose braces are filled.

    Attributes:
        command: Its command line.
        build: The command line that is run before; None without one.
        url: Where requests go; None where that has to be found out.
        metrics_url: Its metrics page; None without one.
        shown: The command line as it may be recorded.
    """

    command: CommandLine
    build: CommandLine | None
    url: str | None
    metrics_url: str | None
    shown: str
    _secrets: tuple[str, ...]

    def redacted(self, text: str) -> str:
        """A text without what was taken from our own environment, for it may be secret."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


def start_of(
    service: Service,
    ports: Sequence[int],
    values: Mapping[str, str],
    environment: Mapping[str, str],
    fds_limit: int | None = None,
    *,
    metrics_url: str = "",
) -> Start:
    """What it takes to start a service.

    Args:
        service: The service.
        ports: A port for each of `PORTS`.
        values: All other placeholders -> what they stand for.
        environment: Our own environment, of which `${NAME}` takes its values.
        fds_limit: Its descriptor limit; None for ours.
        metrics_url: Its metrics page, maybe with a port in braces; empty without one.

    Raises:
        ServiceError: A variable is not set.
    """
    check_variables(service.name, service.variables, environment)
    directory = service.directory.absolute()
    values = {
        **values,
        **{name: str(port) for name, port in zip(PORTS, ports, strict=True)},
        "directory": str(directory),
    }

    def command_line(words: Iterable[str], limit: int | None) -> CommandLine:
        told = {name: fill(text, values, environment) for name, text in service.environment.items()}
        arguments = tuple(fill(word, values, environment) for word in words)
        return CommandLine(arguments, directory, told, limit)

    secrets = {environment[name] for name in service.variables}
    return Start(
        command=command_line(service.command, fds_limit),
        build=command_line(service.build, None) if service.build else None,
        url=_url(service, values),
        metrics_url=fill(metrics_url, values, {}) or None,
        shown=shown_command(_shown_words(service, values)),
        # Longest first: one may be part of another.
        _secrets=tuple(
            sorted((one for one in secrets if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)
        ),
    )


def _shown_words(service: Service, values: Mapping[str, str]) -> Iterator[str]:
    """The words of its command as they may be recorded."""
    for word in service.command:
        # Wherever our interpreter lives.
        yield "python" if word == sys.executable else show(word, values)


def check_variables(name: str, variables: Iterable[str], environment: Mapping[str, str]) -> None:
    """Check that our own environment has what a service takes from it.

    Raises:
        ServiceError: It has not.
    """
    missing = sorted(set(variables) - environment.keys())
    if missing:
        raise ServiceError(
            f"service {name}: ${{{missing[0]}}} is not set in the environment: "
            f"set it ($${{ is no variable)",
            about=["service"],
        )


def _url(service: Service, values: Mapping[str, str]) -> str | None:
    if service.url:
        return fill(service.url, values, {})
    return f"http://{LOOPBACK}:{values[PORTS[0]]}" if service.is_told_port else None


def free_ports(first: int = 0) -> list[int]:
    """A free port of 127.0.0.1 for each of `PORTS`, no two alike.

    Args:
        first: What the first of them has to be; 0 for any.
    """
    with ExitStack() as held:
        found = [first] if first else []
        while len(found) < len(PORTS):
            probe = held.enter_context(socket.socket())
            probe.bind((LOOPBACK, 0))
            port = probe.getsockname()[1]
            if port not in found:
                found.append(port)
    return found
