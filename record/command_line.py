"""Command lines of options by the standard library alone, and what a child says to its parent."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from tidemark.record.errors import OptionError, TidemarkError
from tidemark.record.options import REQUIRED, Option, Unsaid, read_all


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line, and end with exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the options, and leave."""
        fail(self.prog, TidemarkError(f"{message} (see {self.prog} --help)"))


def parser_of(options: Sequence[Option], program: str, description: str) -> argparse.ArgumentParser:
    """A parser whose values are those of `Option.read`; see `run_command`."""
    parser = OneLineParser(prog=program, description=description, allow_abbrev=False)
    for option in options:
        add_option(parser, option)
    return parser


def run_command(
    command: Callable[[Mapping[str, Any]], int | None],
    options: Sequence[Option],
    program: str,
    description: str,
    arguments: Sequence[str] | None = None,
) -> int:
    """Read a command line and do what it says; every error is one line and an exit code.

    Args:
        command: What is done with the checked values of `options`; returns the exit code.
        options: What it can be told, in the order in which the help lists them.
        program: What the command is called in help and errors.
        description: What it does, in a sentence.
        arguments: The command line; None for this process's own.
    """
    given = parser_of(options, program, description).parse_args(arguments)
    try:
        return command(read_all(options, vars(given))) or 0
    except TidemarkError as error:
        fail(program, error)


def add_option(
    parser: argparse.ArgumentParser, option: Option, *, keep_text: bool = False, **given: Any
) -> None:
    """Add an option to a parser.

    Args:
        parser: The parser, argparse's or one that takes more.
        option: The option.
        keep_text: Whether a value stays the text that it was given as, once found good; for
            Locust, whose web form hands back text too.
        given: Further arguments for `parser.add_argument`.
    """

    def parse(text: str) -> Any:
        try:
            # One value, whatever is in it: spaces separate values in the environment only.
            found = option.read((text,) if option.is_repeatable else text)
        except OptionError as error:
            message = str(error).removeprefix(f"{option.shown}: ")
            raise argparse.ArgumentTypeError(message) from error
        return text if keep_text else found[0] if option.is_repeatable else found

    given["help"] = option.explained.replace("%", "%%")
    if option.is_flag:
        parser.add_argument(option.flag, action="store_true", **given)
        return
    given |= {"type": parse, "metavar": option.metavar}
    if option.is_positional:
        parser.add_argument(option.name, **given)
        return
    if option.is_repeatable:
        given["action"] = "append"
    elif option.default is not REQUIRED:
        default = option.default
        given["default"] = Unsaid(option.as_text(default)) if keep_text else default
    parser.add_argument(option.flag, required=option.default is REQUIRED, **given)


PARENT = "TIDEMARK_PARENT"
"""The variable in which whoever reads this process's standard output has left its process id."""
ABOUT = "about"
"""The fact that an end before it was ready concerns options, and which."""


def announce(**facts: object) -> None:
    """Tell whoever started this process, in one line of JSON on stdout, that it is ready."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def fail(program: str, error: TidemarkError) -> NoReturn:
    """Say in one line what is wrong, and leave with the error's exit code.

    Whoever has started this process and reads its standard output learns there what it concerns.
    """
    with contextlib.suppress(OSError):  # on a full disk there is no room for a log either
        sys.stderr.write(f"{program}: error: {error}\n")
        if error.about and os.environ.get(PARENT) == str(os.getppid()):
            announce(**{ABOUT: error.about})
    sys.exit(error.exit_code)
