"""Every figure that is recorded of a process, once: what it is called, judged and drawn by.

A metric is one entry in `METRICS`. The columns of `samples.csv`, what is judged and by which
measure, the names in sentences and tables, the panels of the pictures and the resources that a
threshold can name all follow from it. How it is read stands in `sampler/figures.py`.
"""

from dataclasses import dataclass, replace
from typing import Literal

Unit = Literal["count", "bytes", "s"]
Drawing = Literal["processes", "states", "names", "total", "rate"]

KIB = 1024.0
MIB = 1024.0 * KIB

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


@dataclass(frozen=True, slots=True)
class Measure:
    """By which measure the growth of a metric is judged, in the unit of the metric.

    Attributes:
        resolution: Half of the smallest step that the metric can make.
        least_growth: Growth over the judged part below which nothing is called a leak, ...
        least_share: ... nor below this share of its level.
        trifle: A difference in growth per request that nobody would act on.
    """

    resolution: float
    least_growth: float
    least_share: float = 0.0
    trifle: float = 0.01


@dataclass(frozen=True, slots=True)
class Limit:
    """Where the limit of a metric is recorded.

    Attributes:
        column: The column of `samples.csv` that has it for each process; None where it stands
            in the event `limits_read` (as `NAME_limit`) and holds for all processes together.
        always: Whether there is one even where it was not recorded.
    """

    column: str | None = None
    always: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a process, or of all processes together.

    Attributes:
        name: What verdict.json, thresholds and events call it, unit included.
        columns: The columns of `samples.csv` that it is the sum of.
        title: At the head of a panel, a row or a sentence: "File descriptors".
        noun: What one of it is called after a figure: "descriptor".
        plural: The same for several.
        heading: At the head of a narrow column, before "/req".
        unit: Unit of the recorded figure.
        axis: What an axis says.
        axis_scale: Recorded figures are multiplied by this for the axis.
        drawn: How: a line per process, per TCP state or per name of a thread; the sum of all
            processes; or, of a running total, what is added per second. None leaves it out.
        judged: By which measure its growth is judged; None for what is only recorded.
        limit: Where its limit is; None where there is none to run into.
        cumulative: Whether it only ever counts up: then its use per request is told.
        absent_is_zero: Whether to leave its panel out where it is 0 throughout.
    """

    name: str
    columns: tuple[str, ...]
    title: str
    noun: str
    plural: str
    heading: str
    unit: Unit = "count"
    axis: str = ""
    axis_scale: float = 1.0
    drawn: Drawing | None = None
    judged: Measure | None = None
    limit: Limit | None = None
    cumulative: bool = False
    absent_is_zero: bool = False

    @property
    def phrase(self) -> str:
        """Its title as a sentence begins with it after a colon: "file descriptors"."""
        return self.title[0].lower() + self.title[1:]

    @property
    def sampled(self) -> tuple[str, ...]:
        """Its columns of `samples.csv`, that of its limit included."""
        limit = self.limit.column if self.limit else None
        return self.columns if limit is None else (*self.columns, limit)

    @property
    def has_own_limit(self) -> bool:
        """Whether its limit holds for each process alone."""
        return self.limit is not None and self.limit.column is not None


_COUNTED = Measure(resolution=0.5, least_growth=2.0)

METRICS: tuple[Metric, ...] = (
    Metric(
        "fds",
        ("fds",),
        "File descriptors",
        "descriptor",
        "descriptors",
        "fds",
        axis="descriptors",
        drawn="processes",
        judged=_COUNTED,
        limit=Limit(column="fds_limit", always=True),
    ),
    Metric(
        "connections",
        TCP_STATES,
        "Broker connections",
        "connection",
        "connections",
        "conns",
        axis="connections",
        drawn="states",
        judged=_COUNTED,
    ),
    Metric(
        "threads",
        ("threads",),
        "Threads",
        "thread",
        "threads",
        "threads",
        axis="threads",
        drawn="names",
        judged=_COUNTED,
        limit=Limit(),
    ),
    Metric(
        "rss_bytes",
        ("rss_bytes",),
        "Resident memory",
        "of memory",
        "of memory",
        "memory",
        unit="bytes",
        axis="MiB",
        axis_scale=1.0 / MIB,
        drawn="total",
        judged=Measure(MIB / 16, least_growth=2 * MIB, least_share=0.05, trifle=KIB),
        limit=Limit(),
    ),
    Metric(
        "swap_bytes",
        ("swap_bytes",),
        "Swapped out",
        "of swap",
        "of swap",
        "swap",
        unit="bytes",
        axis="MiB",
        axis_scale=1.0 / MIB,
        drawn="total",
        absent_is_zero=True,
    ),
    Metric(
        "rss_anon_bytes",
        ("rss_anon_bytes",),
        "Anonymous memory",
        "of anonymous memory",
        "of anonymous memory",
        "anon",
        unit="bytes",
        axis="MiB",
        axis_scale=1.0 / MIB,
    ),
    Metric(
        "rss_file_bytes",
        ("rss_file_bytes",),
        "Memory of files and shared memory",
        "of file memory",
        "of file memory",
        "file",
        unit="bytes",
        axis="MiB",
        axis_scale=1.0 / MIB,
    ),
    Metric(
        "heap_bytes",
        ("heap_bytes",),
        "Heap after a collection",
        "of heap",
        "of heap",
        "heap",
        unit="bytes",
        axis="MiB",
        axis_scale=1.0 / MIB,
    ),
    Metric(
        "collections",
        ("collections",),
        "Garbage collections",
        "collection",
        "collections",
        "gcs",
        axis="collections",
    ),
    Metric(
        "goroutines",
        ("goroutines",),
        "Goroutines",
        "goroutine",
        "goroutines",
        "goroutines",
        axis="goroutines",
        drawn="total",
    ),
    Metric(
        "handles",
        ("handles",),
        "Active handles",
        "handle",
        "handles",
        "handles",
        axis="handles",
        drawn="total",
    ),
    Metric(
        "cpu_s",
        ("cpu_s",),
        "CPU time",
        "of CPU time",
        "of CPU time",
        "cpu",
        unit="s",
        axis="% of a core",
        axis_scale=100.0,
        drawn="rate",
        cumulative=True,
    ),
)
"""Every metric, in the order in which they are shown."""

JUDGED: tuple[Metric, ...] = tuple(metric for metric in METRICS if metric.judged is not None)
"""Those whose growth is judged: the resources of a verdict."""

USED: tuple[Metric, ...] = tuple(metric for metric in METRICS if metric.cumulative)
"""Those that are used up by requests: what each costs is told."""

RESOURCES: tuple[str, ...] = tuple(metric.name for metric in JUDGED)
"""The names of the resources that a verdict speaks of, in the order in which they are shown."""

OUTGOING = replace(
    next(one for one in METRICS if one.name == "connections"), title="Outgoing connections"
)
"""The metric of that name where no broker was named, and connections to anywhere are counted."""

_BY_NAME = {metric.name: metric for metric in METRICS}


def metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        KeyError: There is none.
    """
    return _BY_NAME[name]
