"""Takes the samples of one run and writes them into its directory."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sampler import composition, procfs
from sampler.clock import Instant, RunClock
from sampler.connections import Connections, ConnectionSource, state_columns
from sampler.errors import DeniedError, NoSuchProcessError
from sampler.limits import read_limits
from sampler.rundir import RunDirectory
from sampler.schema import KERNEL_PID, KERNEL_PROCESS
from sampler.tree import Process, ProcessTree

Row = dict[str, object]


@dataclass(slots=True)
class Glance:
    """The last sample in a few figures, for a live line.

    Attributes:
        elapsed_s: When, seconds since the run began.
        processes: Living processes of the tree.
        fds: Descriptors of all of them; None if one could not be read.
        threads: Threads of all of them.
        rss_bytes: Resident memory of all of them, bytes.
        connections: Broker connections held, when last read; None if never.
        time_wait: Broker connections in TIME_WAIT, when last read.
    """

    elapsed_s: float = 0.0
    processes: int = 0
    fds: int | None = None
    threads: int = 0
    rss_bytes: int = 0
    connections: int | None = None
    time_wait: int | None = None


class Recorder:
    """Writes one sample a call of `tick`.

    Args:
        directory: Where to.
        clock: The run's clock.
        tree: Whom to watch.
        source: How to read connections.
    """

    def __init__(
        self,
        directory: RunDirectory,
        clock: RunClock,
        tree: ProcessTree,
        source: ConnectionSource,
        interval_s: float,
    ) -> None:
        self.directory = directory
        self.clock = clock
        self.tree = tree
        self.source = source
        self.interval_s = interval_s
        self.glance = Glance()
        self._samples = directory.samples_writer()
        self._composition = directory.composition_writer()
        self._endpoints = directory.endpoints_writer()
        self._known: set[Process] = set()
        self._denied: set[tuple[int, str]] = set()
        self._root_seen = True
        self._composition_due_s = 0.0
        self._size_counts = procfs.size_counts_fds()
        self._cpu_before_s = time.process_time()
        self.event("sampler_started", source=source.name, interval_s=interval_s)

    def event(self, name: str, **fields: object) -> None:
        """Record an event now."""
        self.directory.append_event(self.clock.now(), name, **fields)

    def tick(self) -> None:
        """Take one sample and write it."""
        instant = self.clock.now()
        self.tree.refresh()
        self._announce()
        connections = self.source.read(self.tree.members)
        rows = [
            row
            for process in self.tree.members.values()
            if (row := self._process_row(process)) is not None
        ]
        self._add_connections(rows, connections)
        self._write(instant, rows, connections)
        if instant.elapsed_s >= self._composition_due_s:
            self._write_composition(instant)
            self._composition_due_s = instant.elapsed_s + 5 * self.interval_s

    def _announce(self) -> None:
        if self._root_seen and self.tree.root.pid not in self.tree.members:
            self._root_seen = False
            self.event("target_exited", pid=self.tree.root.pid, process=self.tree.root.name)
        for process in self.tree.members.values():
            if process not in self._known:
                self._known.add(process)
                self._read_limits(process)

    def _read_limits(self, process: Process) -> None:
        try:
            limits = read_limits(process.pid)
        except NoSuchProcessError:
            return
        except DeniedError as error:
            self._deny(process.pid, error.what)
            return
        self.event("limits_read", pid=process.pid, process=process.name, **asdict(limits))

    def _deny(self, pid: int, what: str) -> None:
        if (pid, what) not in self._denied:
            self._denied.add((pid, what))
            self.event("permission_denied", pid=pid, what=what, missing="CAP_SYS_PTRACE")

    def _process_row(self, process: Process) -> Row | None:
        pid = process.pid
        try:
            stat = procfs.read_stat(pid)
            if stat.start_ticks != process.start_ticks or stat.state in {"Z", "X"}:
                return None
            return {
                "pid": pid,
                "process": process.name,
                "fds": self._fds(pid),
                "fds_limit": procfs.read_fds_limit(pid),
                "threads": stat.threads,
                "rss_bytes": stat.rss_bytes,
                "cpu_s": stat.cpu_s,
            }
        except NoSuchProcessError:
            return None

    def _fds(self, pid: int) -> int | None:
        try:
            if self._size_counts:
                return procfs.count_fds_by_size(pid)
            return procfs.count_fds_by_listing(pid)
        except DeniedError as error:
            self._deny(pid, error.what)
            return None

    def _add_connections(self, rows: list[Row], connections: Connections) -> None:
        for pid, what in connections.denied.items():
            self._deny(pid, what)
        for row in rows:
            counts = connections.by_process.get(int(str(row["pid"])))
            if counts is not None:
                row.update(state_columns(counts))
        kernel = connections.by_process.get(KERNEL_PID)
        if kernel is not None:
            rows.append({"pid": 0, "process": KERNEL_PROCESS, **state_columns(kernel)})

    def _write(self, instant: Instant, rows: list[Row], connections: Connections) -> None:
        cpu_s = time.process_time()
        cost_s, self._cpu_before_s = cpu_s - self._cpu_before_s, cpu_s
        when = _when(instant)
        self._samples.append_all({**when, **row, "sample_cost_s": cost_s} for row in rows)
        self._endpoints.append_all(
            {**when, "endpoint": name, "held": count.held, "time_wait": count.time_wait}
            for name, count in (connections.by_endpoint or {}).items()
        )

    def _write_composition(self, instant: Instant) -> None:
        when = _when(instant)
        for pid in self.tree.members:
            rows: list[Row] = []
            try:
                threads = composition.count_threads(procfs.read_thread_names(pid))
                rows += _counts(pid, "thread", threads)
                links = procfs.read_fd_links(pid).values()
                rows += _counts(pid, "fd", composition.count_descriptors(links))
            except NoSuchProcessError:
                continue
            except DeniedError as error:
                self._deny(pid, error.what)
            self._composition.append_all({**when, **row} for row in rows)

    def close(self) -> None:
        """Close the files and the source."""
        self.source.close()
        for writer in (self._samples, self._composition, self._endpoints):
            writer.close()


def _when(instant: Instant) -> Row:
    return {"time_s": instant.time_s, "elapsed_s": instant.elapsed_s}


def _counts(pid: int, kind: str, counts: Mapping[str, int]) -> list[Row]:
    return [
        {"pid": pid, "kind": kind, "name": name, "count": count}
        for name, count in sorted(counts.items())
    ]
