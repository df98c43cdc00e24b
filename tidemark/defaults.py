"""What a locustfile may say of the options of its runs, before Locust reads its command line."""

from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from locust.util.timespan import parse_timespan

from tidemark.record.errors import OptionError
from tidemark.record.options import Option, integer, shown
from tidemark.run.options import OPTIONS

DAYS = Option("run_time", integer(0, 366), 0, "days")
LOOPBACK = "127.0.0.1"
OF_LOCUST = {
    "--web-host": (LOOPBACK, "address that the web interface listens on [default: 127.0.0.1]"),
    "--master-bind-host": (
        LOOPBACK,
        "with --master: address that it listens on, as 10.0.0.1 [default: 127.0.0.1]",
    ),
    "--stop-timeout": (
        "6",
        "seconds that requests under way have at the end of a run [default: 6]",
    ),
    "--expect-workers-max-wait": (
        60,
        "seconds that a headless master waits for its workers; 0: for ever [default: 60]",
    ),
    "--enable-rebalancing": (
        True,
        "deal the users out anew when a worker comes or goes [default: on]",
    ),
}
"""Options of Locust's that are otherwise with the plugin: their defaults, and what their help says.

Locust listens on all interfaces and cuts requests in flight off unless told otherwise.
"""
_of_runs: dict[str, str] = {}
_of_locust: dict[str, Any] = {}


def set_defaults(**values: Any) -> None:
    """Let options be this where nobody says anything: no command line, environment or file.

    Args:
        values: by the names of the options, Locust's among them; of ours, texts as a command line
            has them.

    Raises:
        OptionError: one is not good.
    """
    ours = {option.name: option for option in OPTIONS}
    for name, given in values.items():
        if name in ours:
            ours[name].read(given)
            _of_runs[name] = given
        else:
            _of_locust[name] = given


def set_defaults_of_locust(parser: Any) -> None:
    """Let Locust's own options be as they are with the plugin, and its help say so."""
    for flag, (value, text) in OF_LOCUST.items():
        action = parser._option_string_actions[flag]
        parser.set_defaults(**{action.dest: value})
        action.help = text


def offered(parser: Any) -> Iterator[Option]:
    """The options of a run as a locustfile wants them; Locust's own are put right in its parser."""
    parser.set_defaults(**_of_locust)
    accept_days(parser)
    for option in OPTIONS:
        default = _of_runs.get(option.name)
        yield option if default is None else replace(option, default=default)


def accept_days(parser: Any) -> None:
    """Let Locust's own --run-time be told in days too."""
    action = parser._option_string_actions["--run-time"]
    action.type = seconds_of


def seconds_of(text: str) -> int:
    """A time as Locust takes it, in whole seconds, and with days before it: 3d, 1d12h."""
    days, has_days, rest = text.rpartition("d")
    try:
        before_s = DAYS.read(days) * 86_400 if has_days else 0
        return before_s + (parse_timespan(rest) if rest or not has_days else 0)
    except (ValueError, OptionError):
        wanted = f"must be 90s, 20m, 72h, 3d, 1d12h or the like, not {shown(text)}"
        raise ArgumentTypeError(wanted) from None
