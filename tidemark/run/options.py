"""The options of a run, once, for the command line, Locust's parser and its web form."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemark.record.options import (
    Option,
    choice,
    endpoints,
    flag,
    integer,
    number,
    one_word,
    pairs,
    path,
    read_all,
    several,
    topic,
)
from tidemark.run.faults import KINDS, Fault, check_apart, parse_fault
from tidemark.targets.client_options import CLIENT_OPTIONS
from tidemark.targets.strategies import ALIASES, STRATEGIES, parse_strategy

WORKLOADS = ("open", "closed")
BROKER_KINDS = ("mock", "kafka")
MIN_PAYLOAD_BYTES = 24  # run id, sequence number of up to fourteen digits, and two colons


def _faults(given: Any) -> tuple[Fault, ...]:
    each = given if isinstance(given, tuple) else several(given)
    return check_apart(
        tuple(one if isinstance(one, Fault) else parse_fault(str(one)) for one in each)
    )


OPTIONS: tuple[Option, ...] = (
    Option(
        "strategy",
        parse_strategy,
        "per-request-leaked",
        "how the target makes its Kafka producer",
        "NAME",
        choices=(*STRATEGIES, *ALIASES),
    ),
    Option(
        "workload",
        choice(*WORKLOADS),
        "open",
        "open: Poisson arrivals at --rate, whatever the answers; "
        "closed: each user waits for its answer before the next request",
        "KIND",
        choices=WORKLOADS,
    ),
    Option("rate", number(0, exclusive=True), 10.0, "requests per second, all users together"),
    Option("ramp", number(0), 0.0, "seconds over which the rate rises from 0 to --rate", "S"),
    Option("batch_size", integer(1, 100_000), 10, "messages in the body of one request"),
    Option(
        "payload_bytes",
        integer(MIN_PAYLOAD_BYTES, 800_000),
        100,
        "bytes of one message, the label that says which one it is included",
    ),
    Option("seed", integer(0), 1, "the same seed gives the same arrival times and payloads"),
    Option("fds_limit", integer(1), 1024, "descriptor limit (RLIMIT_NOFILE) of the target alone"),
    Option("workers", integer(1, 64), 1, "worker processes of the target"),
    Option("threads", integer(1, 1024), 16, "request threads per worker process of the target"),
    Option(
        "bootstrap",
        endpoints,
        (),
        "write to this Kafka cluster instead of the embedded broker",
        "HOST:PORT,...",
    ),
    Option(
        "broker",
        choice(*BROKER_KINDS),
        "mock",
        "the embedded cluster: mock, in memory, or kafka, real brokers that need Java",
        "KIND",
        choices=BROKER_KINDS,
    ),
    Option(
        "broker_option",
        pairs,
        (),
        "with --broker kafka: a setting of every broker, as in server.properties; repeatable",
        "KEY=VALUE",
        is_repeatable=True,
    ),
    Option("brokers", integer(1, 16), 2, "brokers in the embedded cluster"),
    *CLIENT_OPTIONS,
    Option(
        "fault",
        _faults,
        (),
        f"{', '.join(KINDS)}: seconds into the load, and for how long; repeatable",
        "KIND@START[+DURATION]",
        is_repeatable=True,
    ),
    Option("topic", topic, "", "topic to write to; one of the run's own if none", "NAME"),
    Option(
        "verify_messages",
        flag,
        False,
        "read the topic back at the end and check every message",
        is_flag=True,
    ),
    Option("results", path, Path("results"), "folder for runs", "DIR"),
    Option("run_name", one_word, "", "name of the run's folder; time and strategy if none", "S"),
    Option("interval", number(0.1), 1.0, "seconds between two samples", "S"),
    Option(
        "plateau",
        number(0),
        10.0,
        "seconds to stay on after the target has run out of descriptors",
        "S",
    ),
    Option(
        "request_timeout", number(0, exclusive=True), 5.0, "seconds until a request has failed", "S"
    ),
    Option(
        "target_port", integer(0, 65535), 0, "port of the target on 127.0.0.1 (0: any free one)"
    ),
    Option(
        "target_pid",
        integer(0),
        0,
        "with --host: the process to sample, children included (0: none)",
        "PID",
    ),
    Option("no_report", flag, False, "leave the report for `tidemark report`", is_flag=True),
)


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
        return cls(**read_all(OPTIONS, values))

    def replace(self, **changes: Any) -> RunOptions:
        """Return a copy with some values changed."""
        return dataclasses.replace(self, **changes)

    def as_arguments(self) -> list[str]:
        """The command-line arguments that give the same options, defaults included."""
        return [
            argument
            for option in OPTIONS
            for argument in option.as_arguments(getattr(self, option.name))
        ]

    def kafka_arguments(self) -> list[str]:
        """What a child needs to reach the brokers as we do; secrets stay in their file."""
        return [
            argument
            for option in CLIENT_OPTIONS
            if (given := getattr(self, option.name))
            for argument in option.as_arguments(given)
        ]
