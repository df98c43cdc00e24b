"""The options of a run, once, for the command line, Locust's parser and its web form.

What an option is stands with what it is about: in a module beside this one, or where its value is
read (faults, shapes, bounds). Here all of them come together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from tidemark.agent.named import NamedAgent
from tidemark.record import options as value
from tidemark.record.errors import OptionError, TidemarkError
from tidemark.record.options import SHARE_FILES, Option, read_all
from tidemark.record.retention import RETAIN, Retention
from tidemark.record.roots import Root
from tidemark.routes import Route, read_headers, with_headers
from tidemark.run.bounds import STOP_AT, Bound
from tidemark.run.curve import Curve
from tidemark.run.display import HEARTBEAT, NO_PANEL
from tidemark.run.faults import FAULT, Fault
from tidemark.run.gate import FAIL_ON
from tidemark.run.options.brokers import (
    BOOTSTRAP,
    BROKER,
    BROKER_OPTION,
    BROKERS,
    TOPIC,
    VERIFY_MESSAGES,
)
from tidemark.run.options.load import (
    BATCH_SIZE,
    HEADER,
    LONGEST_S,
    PAYLOAD_BYTES,
    RAMP,
    RATE,
    REQUEST_TIMEOUT,
    ROUTE,
    SEED,
    SETTLE,
    WORKLOAD,
    routes_of,
)
from tidemark.run.options.service import (
    COMMAND,
    FDS_LIMIT,
    READY,
    READY_TIMEOUT,
    SERVICE,
    STRATEGY,
    THREADS,
    TIDEMARK_CONFIG,
    URL,
    WORKERS,
)
from tidemark.run.options.watched import (
    AGENT,
    AGENT_CA,
    AGENT_CERT,
    AGENT_KEY,
    AGENT_TOKEN_FILE,
    ALL_TARGETS,
    METRICS_URL,
    NO_TARGET,
    PID_FILE,
    TARGET_COMMAND,
    TARGET_CONTAINER,
    TARGET_PID,
    TARGET_PORT,
    TARGET_UNIT,
)
from tidemark.run.permission import ALLOW_HOST, YES
from tidemark.run.shapes import SHAPE, Shape
from tidemark.targets.client_options import ALLOW_KAFKA_PLUGINS, KAFKA_CONFIG, KAFKA_OPTION

_EMPTY = ("", (), None)
"""What an option without a value has by default."""


def _folder(given: Any) -> str:
    """A path as a text; empty for none."""
    return str(value.path(given)) if given else ""


def _declared(option: Option) -> Any:
    """A field that is this option, by the name of the field."""
    return field(metadata={"option": option})


def _option(*description: Any, **more: Any) -> Any:
    """A field that is an `Option` of the same name; takes what an `Option` takes after its name."""
    return _declared(Option("", *description, **more))


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The checked options of one run."""

    strategy: str = _declared(STRATEGY)
    service: str = _declared(SERVICE)
    tidemark_config: str = _declared(TIDEMARK_CONFIG)
    command: str = _declared(COMMAND)
    url: str = _declared(URL)
    ready: str = _declared(READY)
    ready_timeout: float = _declared(READY_TIMEOUT)
    workload: str = _declared(WORKLOAD)
    rate: float = _declared(RATE)
    ramp: float = _declared(RAMP)
    shape: str = _declared(SHAPE)
    settle: float = _declared(SETTLE)
    batch_size: int = _declared(BATCH_SIZE)
    payload_bytes: int = _declared(PAYLOAD_BYTES)
    seed: int = _declared(SEED)
    route: tuple[str, ...] = _declared(ROUTE)
    header: tuple[str, ...] = _declared(HEADER)
    fds_limit: int = _declared(FDS_LIMIT)
    workers: int = _declared(WORKERS)
    threads: int = _declared(THREADS)
    bootstrap: tuple[str, ...] = _declared(BOOTSTRAP)
    broker: str = _declared(BROKER)
    broker_option: tuple[str, ...] = _declared(BROKER_OPTION)
    brokers: int = _declared(BROKERS)
    kafka_config: str = _declared(KAFKA_CONFIG)
    kafka_option: tuple[str, ...] = _declared(KAFKA_OPTION)
    allow_kafka_plugins: bool = _declared(ALLOW_KAFKA_PLUGINS)
    fault: tuple[Fault, ...] = _declared(FAULT)
    topic: str = _declared(TOPIC)
    verify_messages: bool = _declared(VERIFY_MESSAGES)
    results: Path = _option(  # noqa: RUF009 - a field
        value.path, "results", "folder for runs", "DIR", in_form=False
    )
    run_name: str = _option(
        value.one_word, "", "name of the run's folder; time and strategy if none", "S"
    )
    interval: float = _option(value.number(0.1, 3600), 1.0, "seconds between two samples", "S")
    retain: Retention | None = _declared(RETAIN)  # noqa: RUF009 - a field
    plateau: float = _option(
        value.number(0, LONGEST_S),
        10.0,
        "seconds to stay on after the target has run out of descriptors",
        "S",
    )
    request_timeout: float = _declared(REQUEST_TIMEOUT)
    metrics_url: str = _declared(METRICS_URL)
    target_port: tuple[int, ...] = _declared(TARGET_PORT)
    target_pid: tuple[Root, ...] = _declared(TARGET_PID)
    target_command: str = _declared(TARGET_COMMAND)
    target_unit: str = _declared(TARGET_UNIT)
    target_container: str = _declared(TARGET_CONTAINER)
    pid_file: str = _declared(PID_FILE)
    all_targets: bool = _declared(ALL_TARGETS)
    agent: tuple[NamedAgent, ...] = _declared(AGENT)
    agent_token_file: str = _declared(AGENT_TOKEN_FILE)
    agent_ca: str = _declared(AGENT_CA)
    agent_cert: str = _declared(AGENT_CERT)
    agent_key: str = _declared(AGENT_KEY)
    allow_host: tuple[str, ...] = _declared(ALLOW_HOST)
    yes: bool = _declared(YES)
    check_setup: bool = _option(
        value.flag,
        False,
        "send one request, say what would be measured and what is missing, and exit: 0 if "
        "nothing is, else 2",
        is_flag=True,
        in_form=False,
    )
    stop_at: tuple[Bound, ...] = _declared(STOP_AT)
    keep_going: bool = _option(
        value.flag,
        False,
        "go on with a service that has answered no request at all",
        is_flag=True,
    )
    no_target: bool = _declared(NO_TARGET)
    fail_on: str = _declared(FAIL_ON)
    resume: str = _option(
        _folder,
        "",
        "go on with the run in this folder, which was cut off: as it was asked for, for the rest "
        "of its time, or for --run-time",
        "DIR",
        in_form=False,
    )
    share_files: bool = _declared(SHARE_FILES)
    heartbeat: float = _declared(HEARTBEAT)
    no_panel: bool = _declared(NO_PANEL)
    no_report: bool = _option(
        value.flag, False, "leave the report for `tidemark report`", is_flag=True
    )
    routes: tuple[Route, ...] = ()
    """What is sent; none where the locustfile says it. No option: `route` and a file give it."""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Check `values` (what is missing or None takes its default).

        Raises:
            OptionError: one line that names the option and what it wants.
        """
        options = cls(**read_all(OPTIONS, values))
        if options.retain:
            options.retain.check(options.interval)
        return options.driving(())

    def driving(self, of_file: Iterable[Route]) -> Self:
        """The same with the routes of a file, unless the command line names its own.

        The headers of the command line are added to either.

        Raises:
            OptionError: a file or a variable is not there.
        """
        try:
            headers = read_headers(self.header)
            routes = routes_of(self.route) or of_file
        except ValueError as error:
            raise OptionError(f"--route, --header: {error}") from error
        return replace(self, routes=tuple(with_headers(route, headers) for route in routes))

    def check_lasting(self, option: str, lasts_s: float | None) -> None:
        """Check that something of a load is left to be judged.

        Args:
            option: What says how long it lasts, for the message.
            lasts_s: For how long, seconds; None where no end is planned.

        Raises:
            TidemarkError: nothing is; one line that says so.
        """
        if lasts_s and self.settle >= lasts_s:
            raise TidemarkError(
                f"--settle {self.settle:g}: leaves nothing to judge of {option} {lasts_s:g} s: "
                "let the load last longer",
                about=["settle", option.removeprefix("--").replace("-", "_")],
            )

    @property
    def curve(self) -> Curve:
        """How the rate goes over time, in multiples of `rate`."""
        return Shape.read(self.shape).curve.after_ramp(self.ramp)

    @property
    def port(self) -> int:
        """The port that a service is started on; 0 for any free one."""
        return next(iter(self.target_port), 0)

    def as_arguments(self, *names: str) -> list[str]:
        """The command-line arguments that give the same values of these options, or of all."""
        return [
            argument
            for option in OPTIONS
            if not names or option.name in names
            if (given := getattr(self, option.name)) not in _EMPTY
            for argument in option.as_arguments(given)
        ]


OPTIONS: tuple[Option, ...] = tuple(
    replace(one.metadata["option"], name=one.name)
    for one in fields(RunOptions)
    if "option" in one.metadata
)
"""The same, as they are described for every command line and form."""
