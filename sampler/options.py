"""What the sampler can be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemark.record.errors import OptionError
from tidemark.record.layout import ONLY_TARGET
from tidemark.record.options import (
    REQUIRED,
    SHARE_FILES,
    Option,
    choice,
    flag,
    integer,
    number,
    one_word,
    path,
    some_endpoints,
    url,
)
from tidemark.sampler.connection_watch import SOURCES


def _target_id(value: Any) -> str:
    if not str(value):
        raise ValueError("must not be empty")
    return one_word(value)


def _brokers(value: Any) -> tuple[str, ...]:
    return some_endpoints(value) if value else ()


OPTIONS: tuple[Option, ...] = (
    Option("pid", integer(1), None, "root of the target's tree", "PID"),
    Option(
        "brokers",
        _brokers,
        (),
        "host:port, separated by commas: connections to these are counted; none: to anywhere",
        "LIST",
    ),
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
        1.0,
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
    Option(
        "metrics_url",
        url,
        None,
        "a metrics page of the target's root: Prometheus text or expvar; without --pid all figures "
        "are read from it",
        "URL",
    ),
    SHARE_FILES,
)


OF_A_PROCESS = ("brokers", "budget", "source", "no_follow", "pid_file")
"""Options that say how to look at a process that is named by its id."""


@dataclass(frozen=True, slots=True)
class Options:
    """A checked value for each of `OPTIONS`, which say what it means and in which unit.

    A `pid` of 0 is none.
    """

    pid: int
    brokers: tuple[str, ...]
    out: Path
    target: str
    interval: float
    started_monotonic: float | None
    join: bool
    budget: float
    source: str
    no_follow: bool
    pid_file: Path | None
    metrics_url: str | None = None
    share_files: bool = False

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            OptionError: Nothing is named, or what says how to look at a process that is not.
        """
        if self.pid:
            return
        if self.metrics_url is None:
            raise OptionError("--pid must be given, or --metrics-url where nobody may look at it")
        usual = {option.name: option.default for option in OPTIONS}
        for name in OF_A_PROCESS:
            if getattr(self, name) != usual[name]:
                flag_of = "--" + name.replace("_", "-")
                raise OptionError(f"{flag_of} does not apply to --metrics-url without --pid")
