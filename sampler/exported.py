"""What client libraries export of a process: which metric is which column, in one place.

The names are those of the client libraries of Prometheus for Go, Java, Python, Node (prom-client),
Rust (the crate `prometheus`) and .NET (prometheus-net), and of Micrometer. A page of metrics and a
server that has scraped one are read by the same table. What tells of the heap after a collection
takes more than a name: see `exposition`.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from tidemark.sampler.figures import Figure

Values = Mapping[str, list[float]]
"""Name of a metric -> its values, one for each set of labels."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A column of samples.csv as it is exported.

    Attributes:
        column: The column.
        names: What it is called, the best first.
        scale: What the exported figure is multiplied by.
    """

    column: str
    names: tuple[str, ...]
    scale: float = 1.0


FIGURES = (
    Exported("fds", ("process_open_fds", "process_files_open_files")),
    Exported("fds_limit", ("process_max_fds", "process_files_max_files")),
    Exported(
        "threads",
        (
            "process_threads",
            "process_num_threads",
            "jvm_threads_current",
            "jvm_threads_live_threads",
            "go_threads",
        ),
    ),
    Exported("rss_bytes", ("process_resident_memory_bytes", "process_working_set_bytes")),
    Exported("cpu_s", ("process_cpu_seconds_total",)),
    Exported("cpu_s", ("process_cpu_time_ns_total",), 1e-9),
    Exported("goroutines", ("go_goroutines",)),
    Exported("handles", ("nodejs_active_handles_total",)),
)
"""Threads of a JVM are those of Java alone; goroutines are no threads."""

PAGE_COLUMNS = ("goroutines", "handles")
"""Columns that nobody but the process itself can tell."""

STARTED = "process_start_time_seconds"
"""When the process began, Unix time: another one is another process."""
UP = "up"
"""Whether a server's latest attempt to scrape succeeded: 1 or 0."""

RUNTIMES = {
    "go": ("go_info", "go_goroutines"),
    "cpython": ("python_info",),
    "jvm": ("jvm_info", "jvm_runtime_info", "jvm_threads_current", "jvm_threads_live_threads"),
    "node": ("nodejs_version_info", "nodejs_active_handles_total"),
}
"""What a process is run by, as in the event `runtime_seen` -> metrics that only it exports."""

REQUESTS = (
    "http_requests_total",
    "http_server_requests_seconds_count",
    "flask_http_request_total",
    "http_server_request_duration_seconds_count",
    "http_request_duration_seconds_count",
)
"""Counters of the requests that a service answered, the best first; not those for its metrics."""
CODE_LABELS = ("code", "status", "status_code", "http_status_code", "http_response_status_code")
"""Labels that may hold the status of an answer: `500`, or `5xx`."""

NAMES = tuple(
    dict.fromkeys(
        (
            *(name for one in FIGURES for name in one.names),
            STARTED,
            *(name for names in RUNTIMES.values() for name in names),
        )
    )
)
"""All that is read of a process itself."""

_LARGEST = 1e15
"""No figure is larger: what has no limit is exported as one that is."""


def figures_of(values: Values) -> dict[str, Figure]:
    """The columns that can be told; several values of one metric are those of several processes.

    Args:
        values: Of one page, or of one scrape.
    """
    found: dict[str, Figure] = {}
    for one in FIGURES:
        for name in one.names:
            given = values.get(name, ())
            if one.column not in found and len(given) == 1 and 0 <= given[0] <= _LARGEST:
                found[one.column] = _figure(one.column, given[0] * one.scale)
    return found


def _figure(column: str, value: float) -> Figure:
    return value if column.endswith("_s") else int(value)


def runtime_of(names: Container[str]) -> str | None:
    """What a process is run by that exports metrics of these names; None if they do not tell.

    Args:
        names: A container of names.
    """
    return next((kind for kind, marks in RUNTIMES.items() if any(m in names for m in marks)), None)


def is_failure(labels: Mapping[str, str]) -> bool | None:
    """Whether these are the labels of requests that the service failed; None if they do not say."""
    codes = [labels[name] for name in CODE_LABELS if name in labels]
    return codes[0].startswith("5") if codes else None
