"""Turns a table of options into what click knows: the one style of all our commands."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tidemark.record.errors import OptionError
from tidemark.record.options import REQUIRED, Option, read_all

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
RUNS = click.argument(
    "directories",
    metavar="DIR...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    help="a run, or a folder that holds several",
)
"""The runs that a command is about."""


class CheckedValue(click.ParamType[Any]):
    """A value that the option's own parser checks."""

    def __init__(self, option: Option) -> None:
        self.name = option.metavar
        self._option = option

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """The values of the environment; those that may hold spaces stand on lines."""
        return [rv] if self._option.holds_spaces else rv.split()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        """Return the value as it was given once it has been found good."""
        try:
            self._option.read((value,) if self._option.is_repeatable else value)
        except OptionError as error:
            raise click.UsageError(str(error), ctx) from error
        return value


def table_command(
    run: Callable[[Mapping[str, Any]], int | None], table: Sequence[Option], description: str
) -> click.Command:
    """A command that is told nothing but the options of a table.

    Args:
        run: What it does with their checked values; returns the exit code.
        table: The options, in the order in which the help lists them.
        description: What the help says that it does.
    """

    @click.command(help=description)
    @table_options(table)
    def command(**values: Any) -> int | None:
        return run(read_all(table, values))

    return command


def table_options(
    table: Sequence[Option], *, leave_out: Collection[str] = (), from_environment: bool = False
) -> Decorator:
    """A decorator that adds the options of a table to a command.

    Args:
        table: The options, in the order in which the help lists them.
        leave_out: The names of those that the command does not have.
        from_environment: Whether each can be set by its environment variable as well.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(table):
            if option.name not in leave_out:
                variable = option.environment_variable if from_environment else None
                function = _decorator(option, variable)(function)
        return function

    return decorate


def _decorator(option: Option, variable: str | None) -> Decorator:
    if option.is_flag:
        return click.option(option.flag, is_flag=True, envvar=variable, help=option.explained)
    given: dict[str, Any] = {
        "type": CheckedValue(option),
        "metavar": option.metavar,
        "help": option.explained,
        "required": option.default is REQUIRED,
    }
    if option.is_positional:
        return click.argument(option.name, **given)
    flags = [option.flag, option.alias] if option.alias else [option.flag]
    return click.option(*flags, multiple=option.is_repeatable, envvar=variable, **given)
