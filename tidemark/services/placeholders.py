"""What stands in a command in braces and is known only when it is started.

`{port}` is a placeholder, `${NAME}` a variable of our own environment; `{{` is a brace and `$${`
a dollar sign and a brace. Braces around anything but a word are left alone: code has many.
"""

import difflib
import re
from collections.abc import Iterator, Mapping

PORTS = ("port", "port2", "port3")
BOOTSTRAP = "bootstrap"
TOPIC = "topic"
MEANINGS: Mapping[str, str] = {
    "port": "a free port of 127.0.0.1, where requests go",
    "port2": "another free port",
    "port3": "another free port",
    BOOTSTRAP: "the brokers, host:port,...",
    TOPIC: "the run's topic",
    "run_id": "the run's id, eight hexadecimal digits",
    "directory": "the working directory",
}
"""Placeholder -> what it stands for."""

_WORD = r"[A-Za-z_]\w*"
_TOKENS = re.compile(
    rf"(?P<dollar>\$\$\{{)|\$\{{(?P<variable>[^{{}}]*)\}}"
    rf"|(?P<brace>\{{\{{)|\{{(?P<placeholder>{_WORD})\}}",
    re.ASCII,
)
_VARIABLE, _PLACEHOLDER, _TEXT = "variable", "placeholder", "text"


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a text, each with its kind."""
    at = 0
    for found in _TOKENS.finditer(text):
        yield _TEXT, text[at : found.start()]
        at = found.end()
        if found["dollar"]:
            yield _TEXT, "${"
        elif found["brace"]:
            yield _TEXT, "{"
        else:
            kind = str(found.lastgroup)
            yield kind, found[kind]
    yield _TEXT, text[at:]


def check(text: str) -> str:
    """The text, if all that it names can be known.

    Raises:
        ValueError: What cannot, and what is meant instead.
    """
    for kind, name in _tokens(text):
        if kind == _PLACEHOLDER and name not in MEANINGS:
            near = difflib.get_close_matches(name, MEANINGS, 1)
            meant = f"did you mean {{{near[0]}}}?" if near else f"there are {_listed()}"
            raise ValueError(f"{{{name}}} is no placeholder: {meant} ({{{{ is a brace)")
        if kind == _VARIABLE and not re.fullmatch(_WORD, name, re.ASCII):
            raise ValueError(
                f"${{{name}}} names no variable: write ${{NAME}} ($${{ is no variable)"
            )
    return text


def _listed() -> str:
    return ", ".join(f"{{{name}}}" for name in MEANINGS)


def placeholders_in(text: str) -> set[str]:
    """The names of its placeholders."""
    return {name for kind, name in _tokens(text) if kind == _PLACEHOLDER}


def variables_in(text: str) -> set[str]:
    """The names of the variables of our own environment that stand in it."""
    return {name for kind, name in _tokens(text) if kind == _VARIABLE}


def fill(text: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """The text with everything put in its place; `values` and `variables` must have it."""
    given = {_PLACEHOLDER: values, _VARIABLE: variables}
    return "".join(given[kind][part] if kind in given else part for kind, part in _tokens(text))


def show(text: str, values: Mapping[str, str]) -> str:
    """The same as it may be recorded: a variable stays `${NAME}`, for it may be a secret."""
    return fill(text, values, {name: f"${{{name}}}" for name in variables_in(text)})


def literal(text: str) -> str:
    """What has to be written for a text in which nothing is a placeholder."""
    return re.sub(r"\$\{|\{", lambda found: "$${" if len(found[0]) > 1 else "{{", text)
