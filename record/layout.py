"""The files of a run directory and their columns: format 2, in one place.

docs/run-directory.md says the same for people; a test holds the two against each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tidemark.record.metrics import METRICS, TCP_STATES

FORMAT = 2
"""The version of the run directory that is written."""
READABLE_FORMATS = (1, 2)
"""Those that are read; a reader refuses what it does not know."""

RUN_JSON = "run.json"
EVENTS_JSONL = "events.jsonl"
TARGET_LOG = "target.log"
BROKER_LOG = "broker.log"
SAMPLER_LOG = "sampler.log"
LEDGER_LOG = "ledger.log"
BUILD_LOG = "build.log"
PID_SUFFIX = ".pid"
"""Ends the name of the file that holds the process id of a target; its id begins it."""
VERDICT_JSON = "verdict.json"
REPORT_PNG = "report.png"
REPORT_HTML = "report.html"

KERNEL_PID = 0
"""The `pid` of rows for connections that belong to no process any more."""
KERNEL_PROCESS = "kernel"
"""The `process` of those rows."""
ONLY_TARGET = "target"
"""The id of a run's target where there is but one, and of that of a run of format 1."""

TIME_COLUMNS = ("time_s", "elapsed_s")


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file of a run directory.

    Attributes:
        file: Its name.
        columns: Its columns, in order.
        text: Those of them that are text; all others are numbers that are not negative.
        never_empty: Number columns in which an empty field is an error.
        never_falling: Number columns that may not fall from one row to the next.
        each: A text column: the rows of each of its values have an order of their own, so that
            no number falls within them alone; empty where all rows have one order.
        added: Columns that older files lack -> what is read in their place; None is empty.
    """

    file: str
    columns: tuple[str, ...]
    text: tuple[str, ...] = ()
    never_empty: tuple[str, ...] = TIME_COLUMNS
    never_falling: tuple[str, ...] = ("elapsed_s",)
    each: str = ""
    added: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that hold numbers."""
        return tuple(name for name in self.columns if name not in self.text)


_SINCE_FORMAT_2 = {"target": ONLY_TARGET}

_FIRST_SAMPLED = (
    *TIME_COLUMNS,
    "target",
    "pid",
    "process",
    "fds",
    "fds_limit",
    "threads",
    "rss_bytes",
    "cpu_s",
    *TCP_STATES,
    "sample_cost_s",
)
_SAMPLED_SINCE = tuple(
    column for metric in METRICS for column in metric.sampled if column not in _FIRST_SAMPLED
)
"""What was added to the metrics later has its columns at the end, and older files lack them."""

SAMPLES = Table(
    "samples.csv",
    _FIRST_SAMPLED + _SAMPLED_SINCE,
    text=("target", "process"),
    never_empty=(*TIME_COLUMNS, "pid"),
    each="target",
    added={**_SINCE_FORMAT_2, **dict.fromkeys(_SAMPLED_SINCE)},
)
COMPOSITION = Table(
    "composition.csv",
    (*TIME_COLUMNS, "target", "pid", "kind", "name", "count"),
    text=("target", "kind", "name"),
    never_falling=(),
    added=_SINCE_FORMAT_2,
)
REQUESTS = Table(
    "requests.csv",
    (
        *TIME_COLUMNS,
        "users",
        "requests",
        "failures",
        "messages_accepted",
        "p50_ms",
        "p95_ms",
        "p99_ms",
    ),
    never_falling=("elapsed_s", "requests", "failures", "messages_accepted"),
)
ROUTES = Table("routes.csv", (*TIME_COLUMNS, "route", "requests", "failures"), text=("route",))
BROKER = "broker"
REMOTE = "remote"
"""The `kind` of an endpoint that was named as a broker, and of any other remote end."""
OTHER_ENDPOINTS = "other"
"""The `endpoint` that stands for all remote ends beyond those that are told by name."""
ENDPOINTS = Table(
    "endpoints.csv",
    (*TIME_COLUMNS, "target", "endpoint", "held", "time_wait", "kind", "foreign"),
    text=("target", "endpoint", "kind"),
    never_falling=(),
    added={**_SINCE_FORMAT_2, "kind": BROKER, "foreign": None},
)
TABLES = (SAMPLES, COMPOSITION, REQUESTS, ROUTES, ENDPOINTS)

RECORDED_FILES = (RUN_JSON, EVENTS_JSONL, *(table.file for table in TABLES))
"""What makes a folder a run."""
WRITTEN_FILES = (*RECORDED_FILES, TARGET_LOG, BROKER_LOG, SAMPLER_LOG, LEDGER_LOG, BUILD_LOG)
"""What a run writes: a folder that holds one of these is not written into."""
