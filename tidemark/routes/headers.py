"""Headers, whose values may be secrets: they come from the environment and are shown nowhere."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tidemark.record.options import shown
from tidemark.routes.template import Template, parse_template

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_OF_THE_CLIENT = frozenset({"content-length", "transfer-encoding", "connection"})


@dataclass(frozen=True, slots=True)
class Header:
    """One header of a request.

    Attributes:
        name: its name.
        value: its value; never shown.
    """

    name: str
    value: Template = field(repr=False)

    @property
    def key(self) -> str:
        """The name by which two are the same header."""
        return self.name.lower()


def parse_header(name: str, value: str, environment: Mapping[str, str] | None = None) -> Header:
    """Check one header.

    Args:
        name: its name.
        value: its value, in which `${NAME}` stands for a variable of the environment.
        environment: where `NAME` is looked up; None for this process's own.

    Raises:
        ValueError: what is wrong, without the value.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{shown(name)} is no name of a header")
    if name.lower() in _OF_THE_CLIENT:
        raise ValueError(f"{name} is set by the HTTP client: leave it out")
    variables = os.environ if environment is None else environment
    pieces = []
    at = 0
    for found in _VARIABLE.finditer(value):
        pieces += [_given(value[at : found.start()]), _of_environment(found[1], variables)]
        at = found.end()
    return Header(name, Template.joined([*pieces, _given(value[at:])]))


def read_header(text: str, environment: Mapping[str, str] | None = None) -> Header:
    """Check one header as a command line has it, `Name: value`.

    Raises:
        ValueError: what is wrong, without the value.
    """
    name, colon, value = text.partition(":")
    if not colon:
        raise ValueError("must be 'Name: value'")
    try:
        return parse_header(name.strip(), value.strip(), environment)
    except ValueError as error:
        raise ValueError(f"{error}" if not _NAME.fullmatch(name) else f"{name}: {error}") from None


def _given(text: str) -> Template:
    _check_characters(text, "the value")
    try:
        return parse_template(text)
    except ValueError:
        # Without what is in the braces, for it may be part of a secret.
        raise ValueError(
            "braces in the value are no placeholder; write {{ and }} for braces, "
            "and ${NAME} for a variable of the environment"
        ) from None


def _of_environment(name: str, variables: Mapping[str, str]) -> Template:
    if name not in variables:
        raise ValueError(f"there is no {name} in the environment: export it, or leave ${{}} out")
    _check_characters(variables[name], f"the value of {name}")
    return Template.plain(variables[name])


def _check_characters(text: str, what: str) -> None:
    if not (text.replace("\t", " ").isprintable() and text.isascii()):
        raise ValueError(f"{what} must be printable ASCII, on one line")
