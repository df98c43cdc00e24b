"""The options of a run, once, for the command line, Locust's parser and its web form.

Every option is one entry in `OPTIONS`. Command line, environment, configuration file and web
form hand over strings (or values that already have their type); `RunOptions.parse` is the one
place that checks them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemark.record.errors import OptionError
from tidemark.run.faults import KINDS, Fault, check_apart, parse_fault
from tidemark.targets.client_options import read_client_options
from tidemark.targets.errors import TargetError
from tidemark.targets.strategies import ALIASES, STRATEGIES, resolve

WORKLOADS = ("open", "closed")
BROKER_KINDS = ("mock", "kafka")
MIN_PAYLOAD_BYTES = 24  # run id, sequence number of up to fourteen digits, and two colons


@dataclass(frozen=True)
class Option:
    """One option of a run.

    Attributes:
        name: attribute of `RunOptions`; the flag is `--name-with-dashes`.
        parse: turns a string or an already typed value into the value; raises ValueError with
            what is wanted ("a number greater than 0").
        default: the value when nobody says anything.
        help: one line; units included.
        metavar: what stands for the value in the help.
        choices: the only values there are, for a drop-down in the web form.
        is_flag: a switch without a value.
        is_repeatable: may be given several times; in the environment and in the web form its
            values stand side by side with spaces between.
    """

    name: str
    parse: Callable[[Any], Any]
    default: Any
    help: str
    metavar: str = "N"
    choices: tuple[str, ...] | None = None
    is_flag: bool = False
    is_repeatable: bool = False

    @property
    def flag(self) -> str:
        """The option on a command line, `--fds-limit`."""
        return "--" + self.name.replace("_", "-")

    @property
    def environment_variable(self) -> str:
        """The environment variable that sets it, `TIDEMARK_FDS_LIMIT`."""
        return "TIDEMARK_" + self.name.upper()

    def read(self, value: Any) -> Any:
        """Return the checked value, or raise `OptionError` with one line that names the flag."""
        try:
            return self.parse(value)
        except (ValueError, TypeError) as error:
            raise OptionError(f"{self.flag}: {error}") from error


def _integer(low: int, high: int = 2**31 - 1) -> Callable[[Any], int]:
    wanted = f"a whole number from {low:,} to {high:,}" if high < 2**31 - 1 else None
    wanted = wanted or f"a whole number of at least {low:,}"

    def parse(value: Any) -> int:
        try:
            number = int(str(value))
        except ValueError:
            raise ValueError(f"must be {wanted}, not {str(value)!r}") from None
        if not low <= number <= high:
            raise ValueError(f"must be {wanted}, not {number:,}")
        return number

    return parse


def _number(low: float, *, exclusive: bool = False) -> Callable[[Any], float]:
    wanted = f"a number greater than {low:g}" if exclusive else f"a number of at least {low:g}"

    def parse(value: Any) -> float:
        try:
            number = float(str(value))
        except ValueError:
            raise ValueError(f"must be {wanted}, not {str(value)!r}") from None
        if not math.isfinite(number) or number < low or (exclusive and number == low):
            raise ValueError(f"must be {wanted}, not {number:g}")
        return number

    return parse


def _choice(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if str(value) not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {str(value)!r}")
        return str(value)

    return parse


def _strategy(value: Any) -> str:
    try:
        return resolve(str(value))
    except TargetError as error:
        raise ValueError(str(error)) from error


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in {"true", "1", "yes", "on"}:
        return True
    if str(value).lower() in {"", "false", "0", "no", "off"}:
        return False
    raise ValueError(f"must be true or false, not {str(value)!r}")


def parse_endpoint(text: str) -> str:
    """Check one `host:port` (IPv6 as `[::1]:9092`) and return it; raises ValueError."""
    host, colon, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or (":" in host and not bracketed):
        raise ValueError(f"must be host:port[,host:port...], not {text!r}")
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError(f"the port of {text!r} must be a number from 1 to 65535")
    return f"{host}:{port}"


def _endpoints(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, tuple | list) else str(value or "").split(",")
    return tuple(parse_endpoint(part) for part in parts if part.strip())


def _several(value: Any) -> tuple[str, ...]:
    return tuple(str(value).split()) if isinstance(value, str) else tuple(map(str, value))


def _faults(value: Any) -> tuple[Fault, ...]:
    each = value if isinstance(value, tuple) else _several(value)
    return check_apart(
        tuple(one if isinstance(one, Fault) else parse_fault(str(one)) for one in each)
    )


def _pairs(value: Any) -> tuple[str, ...]:
    """KEY=VALUE pairs; what is wrong is said without repeating a value, which may be a secret."""
    texts = _several(value)
    for text in texts:
        key, equals, _ = text.partition("=")
        if not key or not equals:
            raise ValueError("must be KEY=VALUE")
    return texts


def _kafka_options(value: Any) -> tuple[str, ...]:
    """Properties of the Kafka clients, none of them a secret."""
    texts = _pairs(value)
    try:
        read_client_options(None, [text.partition("=")[::2] for text in texts])
    except TargetError as error:
        raise ValueError(str(error).removeprefix("--kafka-option ")) from error
    return texts


def _file(value: Any) -> str:
    path = str(value or "")
    if path and not Path(path).is_file():
        raise ValueError(f"there is no file {path!r}")
    return path


def _one_word(value: Any) -> str:
    word = str(value or "")
    if any(c in word for c in "/\\\0\n\r") or word in {".", ".."}:
        raise ValueError(f"must be a plain name without slashes, not {word!r}")
    return word


def _topic(value: Any) -> str:
    topic = str(value or "")
    legal = all(c.isascii() and (c.isalnum() or c in "._-") for c in topic)
    if not legal or len(topic) > 249 or topic in {".", ".."}:
        raise ValueError(f"must be up to 249 letters, digits, '.', '_' or '-', not {topic!r}")
    return topic


OPTIONS: tuple[Option, ...] = (
    Option(
        "strategy",
        _strategy,
        "per-request-leaked",
        "how the target makes its Kafka producer",
        "NAME",
        choices=(*STRATEGIES, *ALIASES),
    ),
    Option(
        "workload",
        _choice(*WORKLOADS),
        "open",
        "open: Poisson arrivals at --rate, whatever the answers; "
        "closed: each user waits for its answer before the next request",
        "KIND",
        choices=WORKLOADS,
    ),
    Option("rate", _number(0, exclusive=True), 10.0, "requests per second, all users together"),
    Option("ramp", _number(0), 0.0, "seconds over which the rate rises from 0 to --rate", "S"),
    Option("batch_size", _integer(1, 100_000), 10, "messages in the body of one request"),
    Option(
        "payload_bytes",
        _integer(MIN_PAYLOAD_BYTES, 800_000),
        100,
        "bytes of one message, the label that says which one it is included",
    ),
    Option("seed", _integer(0), 1, "the same seed gives the same arrival times and payloads"),
    Option("fds_limit", _integer(1), 1024, "descriptor limit (RLIMIT_NOFILE) of the target alone"),
    Option("workers", _integer(1, 64), 1, "worker processes of the target"),
    Option("threads", _integer(1, 1024), 16, "request threads per worker process of the target"),
    Option(
        "bootstrap",
        _endpoints,
        (),
        "write to this Kafka cluster instead of the embedded broker",
        "HOST:PORT,...",
    ),
    Option(
        "broker",
        _choice(*BROKER_KINDS),
        "mock",
        "the embedded cluster: mock, in memory, or kafka, real brokers that need Java",
        "KIND",
        choices=BROKER_KINDS,
    ),
    Option(
        "broker_option",
        _pairs,
        (),
        "with --broker kafka: a setting of every broker, as in server.properties; repeatable",
        "KEY=VALUE",
        is_repeatable=True,
    ),
    Option("brokers", _integer(1, 16), 2, "brokers in the embedded cluster"),
    Option(
        "kafka_config",
        _file,
        "",
        "file of librdkafka properties for the target's clients (TLS, SASL, acks, ...)",
        "FILE",
    ),
    Option(
        "kafka_option",
        _kafka_options,
        (),
        "one such property, no secret; repeatable, wins over the file",
        "KEY=VALUE",
        is_repeatable=True,
    ),
    Option(
        "fault",
        _faults,
        (),
        f"{', '.join(KINDS)}: seconds into the load, and for how long; repeatable",
        "KIND@START[+DURATION]",
        is_repeatable=True,
    ),
    Option("topic", _topic, "", "topic to write to (default: one of the run's own)", "NAME"),
    Option(
        "verify_messages",
        _flag,
        False,
        "read the topic back at the end and check every message",
        is_flag=True,
    ),
    Option("results", lambda value: Path(str(value)), Path("results"), "folder for runs", "DIR"),
    Option("run_name", _one_word, "", "name of the run's folder (default: time and strategy)", "S"),
    Option("interval", _number(0.1), 1.0, "seconds between two samples", "S"),
    Option(
        "plateau",
        _number(0),
        10.0,
        "seconds to stay on after the target has run out of descriptors",
        "S",
    ),
    Option(
        "request_timeout",
        _number(0, exclusive=True),
        5.0,
        "seconds until a request has failed",
        "S",
    ),
    Option(
        "target_port", _integer(0, 65535), 0, "port of the target on 127.0.0.1 (0: any free one)"
    ),
    Option(
        "target_pid",
        _integer(0),
        0,
        "with --host: the process to sample, children included (0: none)",
        "PID",
    ),
    Option("no_report", _flag, False, "leave the report for `tidemark report`", is_flag=True),
)

OPTIONS_BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


@dataclass(frozen=True)
class RunOptions:
    """The checked options of one run; see `OPTIONS` for what each one means."""

    strategy: str
    workload: str
    rate: float
    ramp: float
    batch_size: int
    payload_bytes: int
    seed: int
    fds_limit: int
    workers: int
    threads: int
    bootstrap: tuple[str, ...]
    broker: str
    broker_option: tuple[str, ...]
    brokers: int
    kafka_config: str
    kafka_option: tuple[str, ...]
    fault: tuple[Fault, ...]
    topic: str
    verify_messages: bool
    results: Path
    run_name: str
    interval: float
    plateau: float
    request_timeout: float
    target_port: int
    target_pid: int
    no_report: bool

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> RunOptions:
        """Check `values` (what is missing or None takes its default).

        Raises:
            OptionError: one line that names the option and what it wants.
        """
        read = {}
        for option in OPTIONS:
            value = values.get(option.name)
            read[option.name] = option.read(option.default if value is None else value)
        return cls(**read)

    def replace(self, **changes: Any) -> RunOptions:
        """Return a copy with some values changed."""
        return dataclasses.replace(self, **changes)

    def as_arguments(self) -> list[str]:
        """The command-line arguments that give the same options, defaults included."""
        arguments: list[str] = []
        for option in OPTIONS:
            value = getattr(self, option.name)
            if option.is_flag:
                arguments += [option.flag] if value else []
            elif option.is_repeatable:
                arguments += [f"{option.flag}={one}" for one in value]
            else:
                text = ",".join(value) if isinstance(value, tuple) else str(value)
                arguments += [f"{option.flag}={text}"]
        return arguments
