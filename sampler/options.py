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
    number,
    path,
    some_endpoints,
    url,
)
from tidemark.record.retention import RETAIN, Retention
from tidemark.record.roots import Root, named, read_roots, target_id
from tidemark.sampler.connection_watch import SOURCES

LONGEST_S = 10 * 365 * 86_400.0


def _brokers(value: Any) -> tuple[str, ...]:
    return some_endpoints(value) if value else ()


def _pid_files(given: Any) -> tuple[str, ...]:
    values = (given,) if isinstance(given, str | Path) else given
    return tuple(str(path(value)) for value in values)


OPTIONS: tuple[Option, ...] = (
    Option(
        "pid",
        read_roots,
        (),
        "root of the target's tree; repeatable: each is a target of its own, called target-1, "
        "target-2, ... or ID",
        "[ID=]PID",
        is_repeatable=True,
    ),
    Option(
        "brokers",
        _brokers,
        (),
        "host:port, separated by commas: connections to these are counted; none: to anywhere",
        "LIST",
    ),
    Option("out", path, REQUIRED, "the run directory", "DIR"),
    Option(
        "target",
        target_id,
        ONLY_TARGET,
        "the target's id in the tables; of several what their ids begin with",
        "ID",
    ),
    Option("interval", number(0.01), 1.0, "seconds between ticks", "SECONDS"),
    Option(
        "started_monotonic",
        number(-LONGEST_S),  # of a run that is older than its machine's last start
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
    Option(
        "pid_file",
        _pid_files,
        (),
        "names the target's pid after it was started again; of several targets: whose it is, "
        "repeatable",
        "[ID=]FILE",
        is_repeatable=True,
        holds_spaces=True,
    ),
    Option(
        "metrics_url",
        url,
        None,
        "a metrics page of the target's root: Prometheus text or expvar; without --pid all figures "
        "are read from it",
        "URL",
    ),
    RETAIN,
    SHARE_FILES,
)


OF_A_PROCESS = ("brokers", "budget", "source", "no_follow", "pid_file")
"""Options that say how to look at a process that is named by its id."""


@dataclass(frozen=True, slots=True)
class Options:
    """A checked value for each of `OPTIONS`, which say what it means and in which unit."""

    pid: tuple[Root, ...]
    brokers: tuple[str, ...]
    out: Path
    target: str
    interval: float
    started_monotonic: float | None
    join: bool
    budget: float
    source: str
    no_follow: bool
    pid_file: tuple[str, ...] = ()
    metrics_url: str | None = None
    retain: Retention | None = None
    share_files: bool = False

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            OptionError: Nothing is named, or what says how to look at a process that is not; or
                it is not clear which of several processes is meant.
        """
        if self.retain:
            self.retain.check(self.interval)
        if not self.pid:
            self._check_without_process()
            return
        if len(self.pid) > 1 and self.metrics_url is not None:
            raise OptionError("--metrics-url is the page of one process: name one --pid alone")
        known = [root.target for root in self.roots]
        if len(set(self._files)) < len(self.pid_file) or not self._files.keys() <= set(known):
            raise OptionError(
                f"--pid-file must say whose it is, ID=FILE with ID one of {', '.join(known)}"
            )

    def _check_without_process(self) -> None:
        if self.metrics_url is None:
            raise OptionError("--pid must be given, or --metrics-url where nobody may look at it")
        usual = {option.name: option.default for option in OPTIONS}
        for name in OF_A_PROCESS:
            if getattr(self, name) != usual[name]:
                flag_of = "--" + name.replace("_", "-")
                raise OptionError(f"{flag_of} does not apply to --metrics-url without --pid")

    @property
    def roots(self) -> tuple[Root, ...]:
        """The roots of the trees, each with its target's id.

        Raises:
            OptionError: Two are the same.
        """
        try:
            return named(self.pid, self.target)
        except ValueError as error:
            raise OptionError(f"--pid: {error}") from error

    @property
    def _files(self) -> dict[str, Path]:
        """Target -> its PID file; what names no target is that of the only one."""
        if len(self.pid) == 1 and len(self.pid_file) == 1:
            (root,), (file,) = self.roots, self.pid_file
            return {root.target: Path(file.removeprefix(f"{root.target}="))}
        parts = (file.partition("=") for file in self.pid_file)
        return {target if equals else "": Path(file) for target, equals, file in parts}

    def pid_file_of(self, target: str) -> Path | None:
        """The file that names the root of a target, if there is one."""
        return self._files.get(target)
