"""What stands in the start form, in which order, and what it is called there.

The names of the options are those of the command line. Here they are said to somebody who has
never read its help; what is not in this table is shown last, called as its option is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

BUILTIN = "builtin"
STARTED = "started"
RUNNING = "running"
CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        name: What Locust takes it as: the name of an option of the run, or of one of its own.
        label: What it is called.
        unit: What the figure counts, behind it.
        hint: What else there is to know, below it.
        needs: What has no use for it is not shown it: `BUILTIN` is a strategy of ours, `STARTED`
            whatever is started here, `RUNNING` a service that runs already, `CLOSED` the closed
            workload. Empty: it is always of use.
        words: What its choices are called, where there are any.
    """

    name: str
    label: str
    unit: str = ""
    hint: str = ""
    needs: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together, folded under a title; without one they are always shown."""

    title: str
    fields: tuple[Field, ...]


HOST = Field(
    "host",
    "Address of the service",
    hint="on this machine, http://127.0.0.1:PORT; another one is named with --host on the "
    "command line",
    needs=RUNNING,
)
RATE = Field("rate", "Rate", "requests per second")
RUN_TIME = Field("run_time", "Duration", hint="as 90s, 10m or 1h30m; left empty, until you stop it")
USERS = Field("user_count", "Users", "at the same time", needs=CLOSED)
SPAWN_RATE = Field("spawn_rate", "Users started", "per second", needs=CLOSED)

ARRIVAL = Group(
    "How requests arrive",
    (
        Field(
            "workload",
            "Requests are sent",
            hint="open: whatever the answers; closed: each user waits for its answer first",
            words={"open": "at random moments (open)", "closed": "after an answer (closed)"},
        ),
        USERS,
        SPAWN_RATE,
        Field(
            "shape",
            "Shape",
            hint="constant, ramp, steps, spikes or day-night, with more to say of it: "
            "spikes:every=10m,for=30s,factor=5",
        ),
        Field("ramp", "Rise to the full rate", "seconds"),
        Field("settle", "Warm-up", "seconds", "recorded, but left out of the verdict"),
        Field("request_timeout", "Failed if not answered within", "seconds"),
        Field("seed", "Seed", hint="the same seed sends the same requests at the same moments"),
    ),
)
MESSAGES = Group(
    "Messages",
    (
        Field("batch_size", "In one request", "messages"),
        Field("payload_bytes", "Size of a message", "bytes"),
        Field("topic", "Kafka topic", hint="left empty, one of the run's own"),
        Field(
            "verify_messages",
            "Check at the end that every message arrived",
            hint="reads the topic back: what is lost or doubled is counted",
        ),
    ),
)
LIMITS = Group(
    "Limits of the service",
    (
        Field("fds_limit", "File descriptors", "at most", needs=STARTED),
        Field("workers", "Worker processes", needs=BUILTIN),
        Field("threads", "Request threads", "per worker process", needs=BUILTIN),
        Field("target_port", "Port to listen on", hint="0 is any free one", needs=STARTED),
    ),
)
WATCHED = Group(
    "Which processes are watched",
    (
        Field(
            "target_port",
            "Whoever listens on port",
            hint="0: whoever listens at the address above; several with commas between: each is "
            "watched by itself",
            needs=RUNNING,
        ),
        Field(
            "target_pid",
            "Or the process with the id",
            hint="0: none; children are included; several with commas between",
            needs=RUNNING,
        ),
        Field("all_targets", "All processes that match, each by itself", needs=RUNNING),
        Field("no_target", "None: there is no verdict then", needs=RUNNING),
    ),
)
KAFKA = Group(
    "Kafka",
    (
        Field(
            "broker",
            "Embedded brokers",
            needs=STARTED,
            words={"mock": "in memory (mock)", "kafka": "real Kafka, which needs Java (kafka)"},
        ),
        Field("brokers", "Number of embedded brokers", needs=STARTED),
        Field(
            "bootstrap",
            "A cluster that is there already",
            hint="host:port, with commas between; on this machine, or as on the command line",
        ),
        Field(
            "kafka_option",
            "Settings of the Kafka clients",
            hint="librdkafka's, KEY=VALUE with spaces between: acks=1 linger.ms=5",
        ),
    ),
)
FAULTS = Group(
    "Faults",
    (
        Field(
            "fault",
            "What breaks on the way",
            hint="broker-kill, broker-freeze, outage (of all brokers) or target-kill, each with "
            "the second of the load and for how long: outage@30+10 target-kill@60",
            needs=STARTED,
        ),
    ),
)
RECORD = Group(
    "Recording and report",
    (
        Field("interval", "Time between two samples", "seconds"),
        Field(
            "plateau",
            "Go on after its descriptors ran out",
            "seconds",
            "so that the picture shows what happens then",
        ),
        Field(
            "stop_at",
            "End it early, as failed, at",
            hint="a level of a resource, with spaces between: fds=90% memory=2GiB",
        ),
        Field(
            "retain",
            "Thin what grows old",
            hint="for runs of days: 6h@1s,7d@10s keeps every tick of the last six hours, and one "
            "in ten seconds before that; left empty, all is kept",
        ),
        Field("run_name", "Name of the run", hint="left empty, time and strategy"),
        Field("no_report", "Write no report at the end"),
        Field("keep_going", "Go on even if no request at all is answered"),
    ),
)

GROUPS = (ARRIVAL, MESSAGES, LIMITS, WATCHED, KAFKA, FAULTS, RECORD)
REST = "Further options"

OF_SOAK_USERS = frozenset(
    ("rate", "shape", "ramp", "workload", "seed", "batch_size", "payload_bytes")
)
"""What says nothing to users who send what their own locustfile tells them."""

STRATEGIES: Mapping[str, str] = {
    "per-request-leaked": "A client and a producer for each request; closes the producer only. "
    "It leaks, and dies of it.",
    "per-request-closed": "The same, with the client closed as well: the fix.",
    "per-request-unflushed": "A producer for each request, dropped without a flush: it leaks "
    "nothing and loses messages.",
    "pooled": "Producers out of a pool: they grow in number up to its size, and no further.",
    "shared": "One producer for the life of the process: the recommended way.",
}
"""What the built-in strategies do, in a sentence."""
