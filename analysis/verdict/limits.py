"""The limits that a run recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.series import ProcessSeries


@dataclass(frozen=True, slots=True)
class Limits:
    """What the resources of a target may reach; None where it was not recorded.

    Attributes:
        threads: Threads of all processes together.
        threads_source: What sets that limit, e.g. `pids.max`.
        rss_bytes: Resident memory of all processes together.
        rss_bytes_source: What sets that limit, e.g. `memory.max`.
        local_ports: Local ports toward one broker endpoint.
    """

    threads: float | None
    threads_source: str
    rss_bytes: float | None
    rss_bytes_source: str
    local_ports: float | None

    def of(self, resource: str, process: ProcessSeries | None) -> float | None:
        """The limit of a resource; that of descriptors is the process's own."""
        if resource == "fds":
            return None if process is None else process.fds_limit
        if resource == "threads":
            return self.threads
        return self.rss_bytes if resource == "rss_bytes" else None


def read_limits(run: Run) -> Limits:
    """Read the limits from the `limits_read` events: the lowest that any process has."""
    threads, threads_source = _lowest(run, "threads_limit")
    rss, rss_source = _lowest(run, "rss_bytes_limit")
    low, _ = _lowest(run, "local_ports_low")
    high, _ = _lowest(run, "local_ports_high")
    ports = high - low + 1 if low is not None and high is not None and high >= low else None
    return Limits(threads, threads_source, rss, rss_source, ports)


def _lowest(run: Run, name: str) -> tuple[float | None, str]:
    found: float | None = None
    source = ""
    for event in run.events:
        value = _number(event.fields.get(name)) if event.name == "limits_read" else None
        if value is not None and (found is None or value < found):
            found, source = value, str(event.fields.get(f"{name}_source", ""))
    return found, source


def _number(value: object) -> float | None:
    """A positive number that a limit can be; None for anything else (an absent limit is null)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and value > 2**62:
        return None
    return float(value) if math.isfinite(value) and value > 0 else None
