"""Turns the options of a run into click options."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import click

from tidemark.record.errors import OptionError
from tidemark.run.options import OPTIONS, Option


class CheckedValue(click.ParamType[Any]):
    """A value that the option's own parser checks."""

    def __init__(self, option: Option) -> None:
        self.name = option.metavar
        self._option = option

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002 - click calls it by name
        ctx: click.Context | None,
    ) -> Any:
        """Return the value as text once it has been found good."""
        try:
            self._option.read(value)
        except OptionError as error:
            raise click.UsageError(str(error), ctx) from error
        return value


def run_options(leave_out: Collection[str] = ()) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that adds the options of a run, but for those in `leave_out`."""

    def decorate(function: Callable[..., Any]) -> Any:
        for option in reversed(OPTIONS):
            if option.name not in leave_out:
                function = _click_option(option)(function)
        return function

    return decorate


def _click_option(option: Option) -> Callable[[Callable[..., Any]], Any]:
    if option.is_flag:
        return click.option(
            option.flag, is_flag=True, envvar=option.environment_variable, help=option.help
        )
    return click.option(
        option.flag,
        type=CheckedValue(option),
        multiple=option.is_repeatable,
        envvar=option.environment_variable,
        metavar=option.metavar,
        help=f"{option.help}  [default: {_shown(option.default)}]",
    )


def _shown(default: Any) -> str:
    text = ",".join(default) if isinstance(default, tuple) else str(default)
    return text or "none"
