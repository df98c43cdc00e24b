"""The options of a run, once, for the command line, Locust's parser and its web form."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from tidemark.agent.named import NamedAgent, read_agents
from tidemark.record import options as value
from tidemark.record.endpoints import is_host
from tidemark.record.errors import OptionError, TidemarkError
from tidemark.record.options import Option, read_all
from tidemark.record.retention import RETAIN, Retention
from tidemark.record.roots import Root, listed_ports, listed_roots
from tidemark.routes import Route, parse_route, read_headers, with_headers
from tidemark.routes.reading import expect_apart
from tidemark.run.bounds import STOP_AT, Bound
from tidemark.run.curve import Curve
from tidemark.run.display import HEARTBEAT, NO_PANEL
from tidemark.run.faults import KINDS, Fault, check_apart, parse_fault
from tidemark.run.gate import FAIL_ON
from tidemark.run.permission import LONGEST_S as LONGEST_UNASKED_S
from tidemark.run.permission import MOST_RATE
from tidemark.run.shapes import SHAPE, Shape
from tidemark.services.keys import ready_path, service_url, words
from tidemark.services.service import READY_TIMEOUT_S
from tidemark.targets.client_options import ALLOW_KAFKA_PLUGINS, KAFKA_CONFIG, KAFKA_OPTION
from tidemark.targets.strategies import ALIASES, STRATEGIES, resolve

WORKLOADS = ("open", "closed")
BROKER_KINDS = ("mock", "kafka")
LONGEST_S = 365 * 86_400
MIN_PAYLOAD_BYTES = 24  # run id, sequence number of up to fourteen digits, and two colons


_EMPTY = ("", (), None)
"""What an option without a value has by default."""


def _routes(texts: Iterable[str]) -> tuple[Route, ...]:
    """The routes of the command line; files of bodies are named from the working directory."""
    routes = tuple(route for text in texts for route in parse_route(text, Path()))
    expect_apart(routes)
    return routes


def _texts(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(map(str, given))


def _route_texts(given: Any) -> tuple[str, ...]:
    """Routes, as they were given once all have been found good."""
    _routes(texts := _texts(given))
    return texts


def _header_texts(given: Any) -> tuple[str, ...]:
    """Headers, as they were given once all have been found good."""
    read_headers(texts := _texts(given))
    return texts


def _hosts(given: Any) -> tuple[str, ...]:
    """Names and addresses of hosts, without brackets."""
    found = tuple(one.strip("[]") for one in value.several(given))
    for one in found:
        if not is_host(one):
            raise ValueError(f"must be the name or the address of a host, not {value.shown(one)}")
    return found


def _faults(given: Any) -> tuple[Fault, ...]:
    each = given if isinstance(given, tuple) else value.several(given)
    return check_apart(
        tuple(one if isinstance(one, Fault) else parse_fault(str(one)) for one in each)
    )


def _command(given: Any) -> str:
    """A command line as a text; empty for none."""
    text = str(given or "")
    if text:
        words(text)
    return text


def _folder(given: Any) -> str:
    """A path as a text; empty for none."""
    return str(value.path(given)) if given else ""


def _option(*description: Any, **more: Any) -> Any:
    """A field that is an `Option` of the same name; takes what an `Option` takes after its name."""
    return field(metadata={"option": Option("", *description, **more)})


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The checked options of one run."""

    strategy: str = _option(
        resolve,
        "per-request-leaked",
        "how the target makes its Kafka producer",
        "NAME",
        choices=(*STRATEGIES, *ALIASES),
    )
    service: str = _option(
        value.one_word,
        "",
        "the service of tidemark.toml, or the built-in one, that is started and driven",
        "NAME",
        in_form=False,
    )
    tidemark_config: str = _option(
        value.file,
        "",
        "file that says what services there are; tidemark.toml of this folder if none",
        "FILE",
        in_form=False,
        alias="--config",
    )
    command: str = _option(
        _command,
        "",
        "command line of a service that is in no file: split like a shell does, {port} and the "
        "like as in tidemark.toml",
        "COMMAND",
        in_form=False,
    )
    url: str = _option(
        service_url,
        "",
        "where the requests to --service or --command go, if that cannot be found out",
        "URL",
        in_form=False,
    )
    ready: str = _option(
        ready_path,
        "",
        "path that answers below 400 when --service or --command is up; if none, its port accepts",
        "PATH",
        in_form=False,
    )
    ready_timeout: float = _option(
        value.number(0, 86_400),
        0.0,
        f"seconds until --service or --command has to be up (0: what it says itself, or "
        f"{READY_TIMEOUT_S:g})",
        "S",
        in_form=False,
    )
    workload: str = _option(
        value.choice(*WORKLOADS),
        "open",
        "open: Poisson arrivals at --rate, whatever the answers; "
        "closed: each user waits for its answer before the next request",
        "KIND",
        choices=WORKLOADS,
    )
    rate: float = _option(
        value.number(0, 1e6, exclusive=True), 10.0, "requests per second, all users together"
    )
    ramp: float = _option(
        value.number(0, LONGEST_S), 0.0, "seconds over which the rate rises from 0 to --rate", "S"
    )
    shape: str = field(metadata={"option": SHAPE})
    settle: float = _option(
        value.number(0, LONGEST_S),
        0.0,
        "seconds of load in which the service may warm up: they are recorded, and not judged",
        "S",
    )
    batch_size: int = _option(value.integer(1, 100_000), 10, "messages in the body of one request")
    payload_bytes: int = _option(
        value.integer(MIN_PAYLOAD_BYTES, 800_000),
        100,
        "bytes of one message, the label that says which one it is included",
    )
    seed: int = _option(
        value.integer(0), 1, "the same seed gives the same arrival times and payloads"
    )
    route: tuple[str, ...] = _option(
        _route_texts,
        (),
        "send this instead of batches to /ingest; {batch} as body is such a batch; repeatable",
        "'METHOD PATH [BODY|@FILE]'",
        is_repeatable=True,
        in_form=False,
        holds_spaces=True,
    )
    header: tuple[str, ...] = _option(
        _header_texts,
        (),
        "send it with every request; ${NAME} is a variable of the environment; repeatable",
        "'NAME: VALUE'",
        is_repeatable=True,
        in_form=False,
        holds_spaces=True,
    )
    fds_limit: int = _option(
        value.integer(1), 1024, "descriptor limit (RLIMIT_NOFILE) of the target alone"
    )
    workers: int = _option(value.integer(1, 64), 1, "worker processes of the target")
    threads: int = _option(
        value.integer(1, 1024), 16, "request threads per worker process of the target"
    )
    bootstrap: tuple[str, ...] = _option(
        value.endpoints,
        (),
        "write to this Kafka cluster instead of the embedded broker",
        "HOST:PORT,...",
    )
    broker: str = _option(
        value.choice(*BROKER_KINDS),
        "mock",
        "the embedded cluster: mock, in memory, or kafka, real brokers that need Java",
        "KIND",
        choices=BROKER_KINDS,
    )
    broker_option: tuple[str, ...] = _option(
        value.pairs,
        (),
        "with --broker kafka: a setting of every broker, as in server.properties; repeatable",
        "KEY=VALUE",
        is_repeatable=True,
        in_form=False,
    )
    brokers: int = _option(value.integer(1, 16), 2, "brokers in the embedded cluster")
    kafka_config: str = field(metadata={"option": KAFKA_CONFIG})
    kafka_option: tuple[str, ...] = field(metadata={"option": KAFKA_OPTION})
    allow_kafka_plugins: bool = field(metadata={"option": ALLOW_KAFKA_PLUGINS})
    fault: tuple[Fault, ...] = _option(
        _faults,
        (),
        f"{', '.join(KINDS)}: seconds into the load, and for how long; repeatable",
        "KIND@START[+DURATION]",
        is_repeatable=True,
    )
    topic: str = _option(value.topic, "", "topic to write to; one of the run's own if none", "NAME")
    verify_messages: bool = _option(
        value.flag, False, "read the topic back at the end and check every message", is_flag=True
    )
    results: Path = _option(  # noqa: RUF009 - a field
        value.path, "results", "folder for runs", "DIR", in_form=False
    )
    run_name: str = _option(
        value.one_word, "", "name of the run's folder; time and strategy if none", "S"
    )
    interval: float = _option(value.number(0.1, 3600), 1.0, "seconds between two samples", "S")
    retain: Retention | None = field(metadata={"option": RETAIN})
    plateau: float = _option(
        value.number(0, LONGEST_S),
        10.0,
        "seconds to stay on after the target has run out of descriptors",
        "S",
    )
    request_timeout: float = _option(
        value.number(0, LONGEST_S, exclusive=True), 5.0, "seconds until a request has failed", "S"
    )
    metrics_url: str = _option(
        service_url,
        "",
        "metrics page of the target, Prometheus text or expvar, read at every sample beside its "
        "process; with --no-target in place of it",
        "URL",
        in_form=False,
    )
    target_port: tuple[int, ...] = _option(
        listed_ports,
        0,
        "port of the target on 127.0.0.1 (0: any free one); of one that runs already: watch who "
        "listens there, of several with commas between each as a target of its own",
        "N,...",
        are_numbers=True,
        alias="--port",
    )
    target_pid: tuple[Root, ...] = _option(
        listed_roots,
        0,
        "of a service that runs already: the process to sample, children included (0: who "
        "listens); of several with commas between each is a target of its own, called ID",
        "[ID=]PID,...",
        are_numbers=True,
    )
    target_command: str = _option(
        value.line,
        "",
        "of a service that runs already: sample the process whose command line this regular "
        "expression matches",
        "PATTERN",
        in_form=False,
    )
    target_unit: str = _option(
        value.one_word,
        "",
        "of a service that runs already: sample the processes of this systemd unit",
        "NAME",
        in_form=False,
    )
    target_container: str = _option(
        value.one_word,
        "",
        "of a service that runs already: sample the processes of this container",
        "ID",
        in_form=False,
    )
    pid_file: str = _option(
        value.file,
        "",
        "of a service that runs already: sample the process whose id stands in this file",
        "FILE",
        in_form=False,
    )
    all_targets: bool = _option(
        value.flag,
        False,
        "of a service that runs already: where several processes match, sample all of them, each "
        "as a target of its own",
        is_flag=True,
    )
    agent: tuple[NamedAgent, ...] = _option(
        read_agents,
        (),
        "of a service that runs already on another host: fetch what the agent there records; "
        "repeatable: each is a target, called ID or as its host and port",
        "[ID=]URL",
        is_repeatable=True,
        in_form=False,
    )
    agent_token_file: str = _option(
        value.file,
        "",
        "file whose one line is the token that --agent wants to be shown",
        "FILE",
        in_form=False,
    )
    agent_ca: str = _option(
        value.file,
        "",
        "who signed the certificate of --agent, PEM; the authorities of this system if none",
        "FILE",
        in_form=False,
    )
    agent_cert: str = _option(
        value.file,
        "",
        "the certificate that is shown to --agent, PEM, where it lets in only who has one",
        "FILE",
        in_form=False,
    )
    agent_key: str = _option(
        value.file,
        "",
        "the private key of --agent-cert, PEM",
        "FILE",
        in_form=False,
    )
    allow_host: tuple[str, ...] = _option(
        _hosts,
        (),
        "a host beside this machine's loopback that load may be put on; repeatable",
        "HOST",
        is_repeatable=True,
        in_form=False,
    )
    yes: bool = _option(
        value.flag,
        False,
        f"put more than {MOST_RATE:g} requests a second, or load for more than "
        f"{LONGEST_UNASKED_S / 60:g} minutes, on a host that is not this machine's loopback",
        is_flag=True,
        in_form=False,
    )
    check_setup: bool = _option(
        value.flag,
        False,
        "send one request, say what would be measured and what is missing, and exit: 0 if "
        "nothing is, else 2",
        is_flag=True,
        in_form=False,
    )
    stop_at: tuple[Bound, ...] = field(metadata={"option": STOP_AT})
    keep_going: bool = _option(
        value.flag,
        False,
        "go on with a service that has answered no request at all",
        is_flag=True,
    )
    no_target: bool = _option(
        value.flag,
        False,
        "of a service that runs already: drive it without watching a process",
        is_flag=True,
    )
    fail_on: str = field(metadata={"option": FAIL_ON})
    resume: str = _option(
        _folder,
        "",
        "go on with the run in this folder, which was cut off: as it was asked for, for the rest "
        "of its time, or for --run-time",
        "DIR",
        in_form=False,
    )
    share_files: bool = field(metadata={"option": value.SHARE_FILES})
    heartbeat: float = field(metadata={"option": HEARTBEAT})
    no_panel: bool = field(metadata={"option": NO_PANEL})
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
            routes = _routes(self.route) or of_file
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
