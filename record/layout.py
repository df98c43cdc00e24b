"""The run directory's file names, columns and metrics: format 1, in one place.

A new metric is one entry in `METRICS`; the columns of `samples.csv` follow from it.
"""

from dataclasses import dataclass

FORMAT = 1
"""The version of the run directory; a reader refuses what it does not know."""

RUN_JSON = "run.json"
SAMPLES_CSV = "samples.csv"
COMPOSITION_CSV = "composition.csv"
REQUESTS_CSV = "requests.csv"
ENDPOINTS_CSV = "endpoints.csv"
EVENTS_JSONL = "events.jsonl"
TARGET_LOG = "target.log"
BROKER_LOG = "broker.log"
VERDICT_JSON = "verdict.json"
REPORT_PNG = "report.png"
REPORT_HTML = "report.html"

KERNEL_PID = 0
"""The `pid` of rows for connections that belong to no process any more."""
KERNEL_PROCESS = "kernel"
"""The `process` of those rows."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured column of `samples.csv`.

    Attributes:
        name: The column, unit included where it has one.
        unit: Unit of the stored figure: `count`, `bytes` or `s`.
        title: What an axis says, for example "Resident set size, MiB".
        axis_scale: Stored figures are multiplied by this for the axis.
        has_limit: Whether the process dies of reaching a limit of it.
        cumulative: Whether it only ever counts up.
    """

    name: str
    unit: str
    title: str
    axis_scale: float = 1.0
    has_limit: bool = False
    cumulative: bool = False


_MIB = 1.0 / (1024 * 1024)

TCP_STATE_NUMBERS: dict[str, int] = {
    "established": 1,
    "syn_sent": 2,
    "fin_wait1": 4,
    "fin_wait2": 5,
    "time_wait": 6,
    "close_wait": 8,
    "last_ack": 9,
    "closing": 11,
}
"""Column name of a TCP state -> its number in the kernel (`include/net/tcp_states.h`)."""

TCP_STATES: tuple[str, ...] = tuple(TCP_STATE_NUMBERS)
"""The TCP states that are recorded, in the order of their columns."""

HELD_STATES: tuple[str, ...] = tuple(name for name in TCP_STATES if name != "time_wait")
"""The states in which a connection can be held by a process."""

METRICS: tuple[Metric, ...] = (
    Metric("fds", "count", "Open file descriptors", has_limit=True),
    Metric("fds_limit", "count", "File descriptor limit (soft RLIMIT_NOFILE)"),
    Metric("threads", "count", "Threads", has_limit=True),
    Metric("rss_bytes", "bytes", "Resident set size, MiB", _MIB, has_limit=True),
    Metric("cpu_s", "s", "CPU time, user and system, s", cumulative=True),
    *(
        Metric(state, "count", f"Broker connections in {state.upper()}", has_limit=True)
        for state in TCP_STATES
    ),
    Metric("sample_cost_s", "s", "CPU time of taking the sample, s"),
    Metric("swap_bytes", "bytes", "Swapped out, MiB", _MIB),
)
"""Every measured column of `samples.csv`, in order."""

METRICS_BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}

TIME_COLUMNS: tuple[str, ...] = ("time_s", "elapsed_s")

SAMPLES_COLUMNS: tuple[str, ...] = (
    *TIME_COLUMNS,
    "pid",
    "process",
    *(metric.name for metric in METRICS),
)
COMPOSITION_COLUMNS: tuple[str, ...] = (*TIME_COLUMNS, "pid", "kind", "name", "count")
REQUESTS_COLUMNS: tuple[str, ...] = (
    *TIME_COLUMNS,
    "users",
    "requests",
    "failures",
    "messages_accepted",
    "p50_ms",
    "p95_ms",
    "p99_ms",
)
ENDPOINTS_COLUMNS: tuple[str, ...] = (*TIME_COLUMNS, "endpoint", "held", "time_wait")
