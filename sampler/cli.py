"""The sampler as a command, and as a function for other commands."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tidemark.record.command_line import announce, fail, parser_of
from tidemark.record.errors import TidemarkError
from tidemark.record.layout import ONLY_TARGET
from tidemark.record.options import (
    REQUIRED,
    Option,
    choice,
    flag,
    integer,
    number,
    one_word,
    path,
    some_endpoints,
)
from tidemark.sampler.connection_watch import SOURCES
from tidemark.sampler.session import DEFAULT_BUDGET_SHARE, Options, run


def _target_id(value: Any) -> str:
    if not str(value):
        raise ValueError("must not be empty")
    return one_word(value)


OPTIONS: tuple[Option, ...] = (
    Option("pid", integer(1), REQUIRED, "root of the target's tree", "PID"),
    Option("brokers", some_endpoints, REQUIRED, "host:port, separated by commas", "LIST"),
    Option("out", path, REQUIRED, "the run directory", "DIR"),
    Option("target", _target_id, ONLY_TARGET, "the target's id in the tables", "ID"),
    Option("interval", number(0.01), 1.0, "seconds between ticks", "SECONDS"),
    Option(
        "started_monotonic",
        number(0.0),
        None,
        "CLOCK_MONOTONIC of the run's beginning; none: now",
        "SECONDS",
    ),
    Option("join", flag, False, "write into a run that somebody else began", is_flag=True),
    Option(
        "budget",
        number(0.0, exclusive=True, endless=True),
        100 * DEFAULT_BUDGET_SHARE,
        "what the sampler may use of one core on average, in %; inf: no limit",
        "PERCENT",
    ),
    Option(
        "source",
        choice(*SOURCES),
        "auto",
        f"how to read connections: {', '.join(SOURCES)}",
        "SOURCE",
        choices=SOURCES,
    ),
    Option("no_follow", flag, False, "do not go on with a target started again", is_flag=True),
    Option("pid_file", path, None, "names the target's pid after it was started again", "FILE"),
)
"""What can be said on the command line."""

_PROGRAM = "python -m tidemark.sampler"


def watch(values: Mapping[str, Any]) -> int:
    """Record until SIGINT or SIGTERM; announces on stdout that it is ready. Returns the exit code.

    Args:
        values: A checked value for each of `OPTIONS`, by name.

    Raises:
        TidemarkError: There is nothing to watch, or it cannot be written.
    """
    options = Options(
        pid=values["pid"],
        brokers=values["brokers"],
        out=values["out"],
        target=values["target"],
        interval_s=values["interval"],
        started_monotonic_s=values["started_monotonic"],
        join=values["join"],
        budget_share=values["budget"] / 100,
        source=values["source"],
        follow=not values["no_follow"],
        pid_file=values["pid_file"],
    )
    run(options, lambda: announce(ready=True, pid=os.getpid()))
    return 0


def main(arguments: Sequence[str] | None = None, program: str = _PROGRAM) -> int:
    """Parse the command line, record, and turn errors into one line and an exit code.

    Args:
        arguments: The command line; None for this process's own.
        program: What the command is called in help and errors.
    """
    description = "Watch a process and everything below it."
    given = parser_of(OPTIONS, program, description).parse_args(arguments)
    try:
        return watch(vars(given))
    except TidemarkError as error:
        fail(program, error)
