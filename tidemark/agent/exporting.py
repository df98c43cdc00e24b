"""The last tick as a page of Prometheus, under the names that client libraries use.

A process is told by labels; `tidemark import prometheus` and the sampler's own `--metrics-url` know
the names.
"""

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tidemark.agent.shelf import Shelf
from tidemark.record.exposition import family, labels
from tidemark.record.layout import KERNEL_PID, SAMPLES
from tidemark.record.metrics import TCP_STATES

_TAIL_BYTES = 64 * 1024
_MOST_TAIL_BYTES = 1 << 20

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Family:
    """One metric: a column of samples.csv under the name that it is known by."""

    name: str
    column: str
    help: str
    kind: str = "gauge"


_OF_A_PROCESS = (
    _Family("process_open_fds", "fds", "Number of open file descriptors."),
    _Family("process_max_fds", "fds_limit", "Maximum number of open file descriptors."),
    _Family("process_threads", "threads", "Number of OS threads."),
    _Family("process_resident_memory_bytes", "rss_bytes", "Resident memory size in bytes."),
    _Family(
        "process_cpu_seconds_total",
        "cpu_s",
        "Total user and system CPU time spent in seconds.",
        "counter",
    ),
)
_STATES = "tidemark_connections"


def metrics_page(shelf: Shelf, answered: Mapping[int, int]) -> str:
    """The page.

    Args:
        shelf: The files of the recording.
        answered: Status -> how many answers had it.
    """
    ticks = _ticks(shelf)
    rows = _last(ticks)
    lines = [line for one in _OF_A_PROCESS for line in _of_each(one, rows)]
    # Connections are dear to read where there are many, and not read with every tick.
    lines += _connections(_last([row for row in ticks if row[TCP_STATES[0]]]))
    if rows:
        lines += family(
            "tidemark_last_sample_timestamp_seconds",
            "Unix time of the last tick.",
            "gauge",
            (f" {rows[0]['time_s']}",),
        )
    counts = [f'{{code="{code}"}} {count}' for code, count in sorted(answered.items())]
    name, text = "tidemark_agent_http_requests_total", "Requests answered, by status."
    lines += family(name, text, "counter", counts)
    lines += family("tidemark_agent_time_seconds", "Unix time here.", "gauge", (f" {time.time()}",))
    return "\n".join(lines) + "\n"


def _of_each(metric: _Family, rows: Sequence[Row]) -> Iterator[str]:
    told = [
        f"{_labels(row)} {row[metric.column]}"
        for row in rows
        if row[metric.column] and row["pid"] != str(KERNEL_PID)
    ]
    yield from family(metric.name, metric.help, metric.kind, told)


def _connections(rows: Sequence[Row]) -> Iterator[str]:
    told = [
        f"{_labels(row, state=state)} {row[state]}"
        for row in rows
        for state in TCP_STATES
        if row[state]
    ]
    yield from family(_STATES, "TCP connections that count, by state.", "gauge", told)


def _labels(row: Row, **more: str) -> str:
    return labels({name: row[name] for name in ("target", "pid", "process")} | more)


def _ticks(shelf: Shelf) -> list[Row]:
    """The rows of the last ticks, the oldest first; more of them are read if a tick is long."""
    rows: list[Row] = []
    for most_bytes in (_TAIL_BYTES, _MOST_TAIL_BYTES):
        text = shelf.tail(SAMPLES.file, most_bytes).decode("utf-8", "replace")
        read = [row for row in csv.reader(text.splitlines()) if len(row) == len(SAMPLES.columns)]
        told = (dict(zip(SAMPLES.columns, row, strict=True)) for row in read)
        rows = [row for row in told if row["pid"] != "pid"]
        if len(_last(rows)) < len(rows):
            break
    return rows


def _last(rows: Sequence[Row]) -> list[Row]:
    """Those of them that were written with the last."""
    return [row for row in rows if row["time_s"] == rows[-1]["time_s"]]
