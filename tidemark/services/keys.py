"""What may stand in `tidemark.toml` of a service: one table, for the file and for its schema."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemark.record.options import (
    Option,
    flag,
    integer,
    number,
    path,
    shown,
    url_without_login,
)
from tidemark.services.placeholders import BOOTSTRAP, MEANINGS, PORTS, check, fill, placeholders_in
from tidemark.services.service import READY_TIMEOUT_S

_WORDS = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
    ]
}
_ANY_PORT = dict.fromkeys(PORTS, "1")


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        option: Its name, how it is checked, its default and what it means.
        schema: What JSON Schema says of its value.
    """

    option: Option
    schema: Mapping[str, Any]

    @property
    def name(self) -> str:
        """How it is written."""
        return self.option.name


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"must be a text in quotes, not {shown(value)}")
    return value


def words(value: Any) -> tuple[str, ...]:
    """A command line: split like a shell does, or its words one by one; placeholders checked."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        found = tuple(map(text, value))
    else:
        try:
            found = tuple(shlex.split(text(value)))
        except ValueError as error:
            if not isinstance(value, str) or "\0" in value:
                raise
            raise ValueError(f"cannot be split like a shell does: {error}") from error
    if not found or not found[0]:
        raise ValueError("must name a program, and its arguments if it has any")
    return tuple(map(check, found))


def plain_words(value: Any) -> tuple[str, ...]:
    """The same where no port and no broker is there yet."""
    found = words(value)
    for word in found:
        for name in placeholders_in(word) & {*PORTS, BOOTSTRAP}:
            raise ValueError(f"{{{name}}} is not known yet when it is built")
    return found


def environment(value: Any) -> dict[str, str]:
    """Variables and what they are set to."""
    if not isinstance(value, Mapping):
        raise TypeError(f'must be {{NAME = "value", ...}}, not {shown(value)}')
    return {_variable(name): _setting(name, given) for name, given in value.items()}


def _variable(name: Any) -> str:
    if not str(name) or any(c in str(name) for c in "=\0"):
        raise ValueError(f"must be a plain name of a variable, not {shown(name)}")
    return str(name)


def _setting(name: str, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{name}: must be a text in quotes, not {shown(value)}")
    try:
        return check(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def ready_path(value: Any) -> str:
    """The path of a URL, maybe with a query; empty for none."""
    found = text(value)
    if found and (not found.startswith("/") or not found.isprintable() or " " in found):
        raise ValueError(f"must be a path that begins with /, not {shown(found)}")
    return found


def service_url(value: Any) -> str:
    """Where requests go, maybe with a port in braces; empty for what is found out."""
    found = text(value)
    if found:
        for name in placeholders_in(check(found)) - set(PORTS):
            raise ValueError(f"{{{name}}} is no port: there are {', '.join(map(_braced, PORTS))}")
        url_without_login(fill(found, _ANY_PORT, {}))
    return found


def _braced(name: str) -> str:
    return f"{{{name}}}"


def _key(name: str, parse: Callable[[Any], Any], default: Any, help_: str, **schema: Any) -> Key:
    return Key(Option(name, parse, default, help_), schema)


SERVICE_KEYS: tuple[Key, ...] = (
    _key(
        "command",
        words,
        (),
        "the command line that serves it in the foreground; without one it runs already, at url. "
        "Split like a shell does, run without one; in braces "
        f" {'; '.join(f'{{{name}}}: {what}' for name, what in MEANINGS.items())}",
        **_WORDS,
    ),
    _key("build", plain_words, (), "a command that is run before, in the same directory", **_WORDS),
    _key(
        "directory",
        path,
        Path(),
        "where both are run; the folder of this file if none",
        type="string",
        minLength=1,
    ),
    _key(
        "environment",
        environment,
        {},
        "variables beside those of the environment; ${NAME} takes one from there, and is never "
        "written down",
        type="object",
        additionalProperties={"type": ["string", "number"]},
    ),
    _key(
        "url",
        service_url,
        "",
        "where requests go; http://127.0.0.1:{port} if that is told, else where it listens. It "
        "must be given where there is no command",
        type="string",
    ),
    _key(
        "ready",
        ready_path,
        "",
        "path that answers a GET below 400 when it is up; if none, its port has to accept",
        type="string",
        pattern="^(/.*)?$",
    ),
    _key(
        "ready_timeout",
        number(0, 86_400, exclusive=True),
        READY_TIMEOUT_S,
        "seconds until it has to be up",
        type="number",
        exclusiveMinimum=0,
        maximum=86_400,
    ),
    _key(
        "fds_limit",
        integer(1),
        None,
        "descriptor limit (RLIMIT_NOFILE) of each of its processes, and of them alone; "
        "1024 if none",
        type="integer",
        minimum=1,
    ),
    _key(
        "kafka",
        flag,
        None,
        "whether it needs brokers; if it is told {bootstrap}, unless this says otherwise",
        type="boolean",
    ),
    _key(
        "reference",
        flag,
        False,
        "whether it is known to be clean: the others are compared with it",
        type="boolean",
    ),
)
"""Every key of `[service.NAME]`."""
