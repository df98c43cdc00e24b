"""The options of a run, once, for the command line, Locust's parser and its web form."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from tidemark.record import options as value
from tidemark.record.errors import TidemarkError
from tidemark.record.options import Option, read_all
from tidemark.run.faults import KINDS, Fault, check_apart, parse_fault
from tidemark.targets.client_options import ALLOW_KAFKA_PLUGINS, KAFKA_CONFIG, KAFKA_OPTION
from tidemark.targets.strategies import ALIASES, STRATEGIES, resolve

WORKLOADS = ("open", "closed")
BROKER_KINDS = ("mock", "kafka")
LONGEST_S = 365 * 86_400
MIN_PAYLOAD_BYTES = 24  # run id, sequence number of up to fourteen digits, and two colons


def _faults(given: Any) -> tuple[Fault, ...]:
    each = given if isinstance(given, tuple) else value.several(given)
    return check_apart(
        tuple(one if isinstance(one, Fault) else parse_fault(str(one)) for one in each)
    )


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
    plateau: float = _option(
        value.number(0, LONGEST_S),
        10.0,
        "seconds to stay on after the target has run out of descriptors",
        "S",
    )
    request_timeout: float = _option(
        value.number(0, LONGEST_S, exclusive=True), 5.0, "seconds until a request has failed", "S"
    )
    target_port: int = _option(
        value.integer(0, 65535),
        0,
        "port of the target on 127.0.0.1 (0: any free one); with --host: watch who listens there",
    )
    target_pid: int = _option(
        value.integer(0),
        0,
        "with --host: the process to sample, children included (0: who listens there)",
        "PID",
    )
    target_command: str = _option(
        value.line,
        "",
        "with --host: sample the process whose command line this regular expression matches",
        "PATTERN",
        in_form=False,
    )
    target_unit: str = _option(
        value.one_word,
        "",
        "with --host: sample the processes of this systemd unit",
        "NAME",
        in_form=False,
    )
    target_container: str = _option(
        value.one_word,
        "",
        "with --host: sample the processes of this container",
        "ID",
        in_form=False,
    )
    pid_file: str = _option(
        value.file,
        "",
        "with --host: sample the process whose id stands in this file",
        "FILE",
        in_form=False,
    )
    keep_going: bool = _option(
        value.flag,
        False,
        "go on with a service that has answered no request at all",
        is_flag=True,
    )
    no_target: bool = _option(
        value.flag, False, "with --host: drive it without watching a process", is_flag=True
    )
    share_files: bool = field(metadata={"option": value.SHARE_FILES})
    no_report: bool = _option(
        value.flag, False, "leave the report for `tidemark report`", is_flag=True
    )

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Check `values` (what is missing or None takes its default).

        Raises:
            OptionError: one line that names the option and what it wants.
        """
        return cls(**read_all(OPTIONS, values))

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
                "let the load last longer"
            )

    def as_arguments(self, *names: str) -> list[str]:
        """The command-line arguments that give the same values of these options, or of all."""
        return [
            argument
            for option in OPTIONS
            if not names or option.name in names
            if (given := getattr(self, option.name)) not in ("", ())  # what is empty by default
            for argument in option.as_arguments(given)
        ]


OPTIONS: tuple[Option, ...] = tuple(
    replace(one.metadata["option"], name=one.name) for one in fields(RunOptions)
)
"""The same, as they are described for every command line and form."""
