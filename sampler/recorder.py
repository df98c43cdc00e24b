"""Takes the samples of one run and writes them into its directory."""

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tidemark.record.clock import Instant, RunClock
from tidemark.record.errors import DiskFullError
from tidemark.record.layout import HELD_STATES, KERNEL_PID, KERNEL_PROCESS
from tidemark.sampler.brokers import BrokerRefresh, Brokers
from tidemark.sampler.budget import WINDOW_S, Budget, Cadence
from tidemark.sampler.composition import count_descriptors, count_threads
from tidemark.sampler.connections import Connections, ConnectionSource, state_columns
from tidemark.sampler.errors import (
    DeniedError,
    NetlinkError,
    NoSuchProcessError,
    SamplerError,
    ShortageError,
)
from tidemark.sampler.follow import RootWatch
from tidemark.sampler.host import Host
from tidemark.sampler.journal import Journal
from tidemark.sampler.procsource import ProcfsSource
from tidemark.sampler.tree import Process, ProcessTree

Row = dict[str, object]

_CONNECTIONS_PART, _COMPOSITION_PART = 0.8, 0.2
_COMPOSITION_LEAST_TICKS = 5
_STEP_PART = 0.1
_LINK_COST_S, _THREAD_COST_S = 4e-6, 15e-6
"""What a name of a descriptor and of a thread cost, roughly, before it is measured."""
_SLACK_S = 1e-3
_SWAP_LEAST_S = 10.0
_STRIKES = 3
"""After so many dumps in a row that failed, the next best source is taken."""


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
        time_wait: Broker connections in TIME_WAIT, when last read; None if never.
        cost_share: CPU time of the sampler since it began, as a share of one core.
    """

    elapsed_s: float = 0.0
    processes: int = 0
    fds: int | None = None
    threads: int = 0
    rss_bytes: int = 0
    connections: int | None = None
    time_wait: int | None = None
    cost_share: float = 0.0


class Recorder:
    """Writes one sample a call of `tick`.

    Args:
        journal: Where to.
        clock: The run's clock.
        host: How to read processes.
        tree: Whom to watch.
        root_watch: Follows the root when it is started again.
        brokers: The remote ends that count.
        source: How to read connections.
        interval_s: Seconds between ticks.
        budget_share: What the sampler may use of one core on average.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        clock: RunClock,
        host: Host,
        tree: ProcessTree,
        root_watch: RootWatch,
        brokers: Brokers,
        source: ConnectionSource,
        interval_s: float,
        budget_share: float,
    ) -> None:
        self.glance = Glance()
        self._journal = journal
        self._clock = clock
        self._host = host
        self._tree = tree
        self._root_watch = root_watch
        self._brokers = brokers
        self._refresh = BrokerRefresh(brokers)
        self._source = source
        self._interval_s = interval_s
        self._budget = Budget(budget_share)
        self._connections_due = Cadence(self._budget, _CONNECTIONS_PART)
        self._composition_due = Cadence(self._budget, _COMPOSITION_PART)
        self._snapshot_due_s = 0.0
        self._pending: list[int] = []
        self._swap_due_s = 0.0
        self._known: set[Process] = set()
        self._denied: set[str] = set()
        self._strikes = 0
        self._offset_s: float | None = None
        self._began = (time.monotonic(), time.process_time())
        self._written_cpu_s = self._ended_cpu_s = time.process_time()

    def start(self, shortcoming: SamplerError | None = None) -> None:
        """Record that it began, and how connections are read.

        Args:
            shortcoming: Why there is no better source; None if it is the best.
        """
        share = self._budget.share
        self.event(
            "sampler_started",
            source=self._source.name,
            interval_s=self._interval_s,
            budget_share=share if math.isfinite(share) else None,
            **({} if shortcoming is None else {"reason": str(shortcoming)}),
        )
        if isinstance(shortcoming, DeniedError):
            self._unread(shortcoming)

    def event(self, name: str, **fields: object) -> None:
        """Record an event now."""
        self._journal.event(self._clock.now(), name, **fields)

    def pause_composition(self) -> None:
        """Leave threads' and descriptors' names out from now on, whatever the budget allows."""
        self._snapshot_due_s = math.inf

    def tick(self, *, full: bool = False) -> None:
        """Take one sample and write it.

        Args:
            full: Read the connections whether or not the budget allows for it: the last
                sample of a run is a whole one.

        Raises:
            RunDirectoryError: It cannot be written, for another reason than lack of space.
        """
        instant = self._clock.now()
        now_s = time.monotonic()
        self._watch_clock(instant)
        self._refresh.apply()
        self._look(now_s)
        rows = self._process_rows(now_s)
        dear_cpu_s = time.process_time()
        connections = self._connections(now_s, full=full)
        composition = self._composition(now_s, rows)
        dear_cpu_s = time.process_time() - dear_cpu_s
        self._add_connections(rows, connections)
        self._update_glance(instant, rows, connections)
        self._write(instant, rows, composition, connections)
        cpu_s = time.process_time()
        self._budget.set_base(cpu_s - self._ended_cpu_s - dear_cpu_s, self._interval_s)
        self._ended_cpu_s = cpu_s

    def _look(self, now_s: float) -> None:
        """See who is there; if the sampler has run short, those who were there before."""
        try:
            self._tree.refresh(now_s)
            self._root_watch.look(now_s, self.event)
        except ShortageError as error:
            self._tree.stats = {}
            self._unread(error)
        self._announce()

    def _watch_clock(self, instant: Instant) -> None:
        """Unix time minus elapsed time is constant until somebody sets the clock."""
        offset_s = instant.time_s - instant.elapsed_s
        if self._offset_s is not None and abs(offset_s - self._offset_s) > 1.0:
            self.event("clock_set", by_s=round(offset_s - self._offset_s, 3))
            self._offset_s = offset_s
        self._offset_s = offset_s if self._offset_s is None else self._offset_s

    def _announce(self) -> None:
        for process in self._tree.members.values():
            if process not in self._known:
                self._known.add(process)
                try:
                    limits = self._host.limits(process.pid)
                except NoSuchProcessError:
                    continue
                except (DeniedError, ShortageError) as error:
                    self._unread(error, process.pid)
                    continue
                self.event("limits_read", pid=process.pid, process=process.name, **asdict(limits))
        self._known &= set(self._tree.members.values())

    def _unread(self, error: SamplerError, pid: int | None = None) -> None:
        """Say once for each kind of figure that it cannot be read, and why."""
        what = error.what if isinstance(error, DeniedError) else ""
        key = f"{type(error).__name__} {what.replace(str(pid), 'PID')}"
        if key in self._denied:
            return
        self._denied.add(key)
        if isinstance(error, DeniedError):
            needed = "CAP_SYS_ADMIN" if "/ns/" in what else "the target's user, or CAP_SYS_PTRACE"
            self.event("permission_denied", pid=error.pid, what=what, missing=needed)
        else:
            self.event("unread", pid=pid, reason=str(error))

    def _process_rows(self, now_s: float) -> list[Row]:
        with_swap = now_s >= self._swap_due_s
        if with_swap:
            self._swap_due_s = now_s + max(_SWAP_LEAST_S, self._interval_s)
        return [self._process_row(one, with_swap=with_swap) for one in self._tree.members.values()]

    def _process_row(self, process: Process, *, with_swap: bool) -> Row:
        pid = process.pid
        row: Row = {"pid": pid, "process": process.name}
        stat = self._tree.stats.get(pid)
        if stat is not None:
            row.update(threads=stat.threads, rss_bytes=stat.rss_bytes, cpu_s=stat.cpu_s)
        try:
            row["fds"] = self._host.fds(pid)
            row["fds_limit"] = self._host.fds_limit(pid)
            if with_swap:
                row["swap_bytes"] = self._host.swap_bytes(pid)
        except NoSuchProcessError:
            pass  # it went while it was read: what was read before stands
        except (DeniedError, ShortageError) as error:
            self._unread(error, pid)
        return row

    def _connections(self, now_s: float, *, full: bool) -> Connections | None:
        """The connections if they are due; None leaves their fields empty."""
        if not full and not self._connections_due.due(now_s):
            return None
        before_s = time.process_time()
        try:
            connections = self._source.read(self._tree.members)
        except SamplerError as error:
            self._unread(error)
            self._strike(error)
            self._connections_due.done(now_s, time.process_time() - before_s)
            return None
        self._strikes = 0
        cost_s = time.process_time() - before_s
        self._connections_due.done(now_s, cost_s, connections.learning_cost_s)
        for pid, what in connections.denied.items():
            self._unread(DeniedError(pid, what), pid)
        return connections

    def _strike(self, error: SamplerError) -> None:
        self._strikes += 1
        if isinstance(error, NetlinkError) and self._strikes >= _STRIKES:
            self._source.close()
            self._source = ProcfsSource(self._brokers)
            self.event("source_changed", source=self._source.name, reason=str(error))

    def _composition(self, now_s: float, rows: list[Row]) -> list[Row]:
        """What threads and descriptors are, if it is due.

        Of all processes at once where that is cheap, otherwise of a few at a time.
        """
        if not self._pending and now_s >= self._snapshot_due_s:
            self._snapshot_due_s = now_s + _COMPOSITION_LEAST_TICKS * self._interval_s - _SLACK_S
            self._pending = list(self._tree.members)
        step = self._composition_step(rows)
        expected_s = sum(cost_s for _, cost_s in step)
        if not step or not self._composition_due.due(now_s, expected_s):
            return []
        before_s = time.process_time()
        found: list[Row] = []
        for pid, _ in step:
            self._pending.remove(pid)
            found += self._composition_of(pid)
        self._composition_due.done(now_s, time.process_time() - before_s)
        return found

    def _composition_step(self, rows: list[Row]) -> list[tuple[int, float]]:
        """The next processes and what each is expected to cost, within a part of the budget."""
        sizes = {row["pid"]: row for row in rows}
        self._pending = [pid for pid in self._pending if pid in sizes]
        step: list[tuple[int, float]] = []
        left_s = self._budget.free_share * WINDOW_S * _STEP_PART
        for pid in self._pending:
            fds, threads = (sizes[pid].get(name) or 0 for name in ("fds", "threads"))
            cost_s = _LINK_COST_S * int(str(fds)) + _THREAD_COST_S * int(str(threads))
            left_s -= cost_s
            if step and left_s < 0:
                break
            step.append((pid, cost_s))
        return step

    def _composition_of(self, pid: int) -> list[Row]:
        rows: list[Row] = []
        try:
            rows += _counts(pid, "thread", count_threads(self._host.thread_names(pid)))
            rows += _counts(pid, "fd", count_descriptors(self._host.fd_links(pid)))
        except NoSuchProcessError:
            pass  # it went while it was read: what was read before stands
        except (DeniedError, ShortageError) as error:
            self._unread(error, pid)
        return rows

    def _add_connections(self, rows: list[Row], connections: Connections | None) -> None:
        counts_by_pid = {} if connections is None else connections.by_process
        for row in rows:
            counts = counts_by_pid.get(int(str(row["pid"])))
            if counts is not None:
                row.update(state_columns(counts))
        kernel = counts_by_pid.get(KERNEL_PID)
        if kernel is not None:
            row = {"pid": KERNEL_PID, "process": KERNEL_PROCESS, **state_columns(kernel)}
            rows.append(row)

    def _update_glance(
        self, instant: Instant, rows: list[Row], connections: Connections | None
    ) -> None:
        glance, mine = self.glance, [row for row in rows if row["pid"] != KERNEL_PID]
        glance.elapsed_s = instant.elapsed_s
        glance.processes = len(mine)
        glance.fds = None if any(row.get("fds") is None for row in mine) else _sum(mine, "fds")
        glance.threads, glance.rss_bytes = _sum(mine, "threads"), _sum(mine, "rss_bytes")
        if connections is not None:
            glance.connections = sum(_sum(mine, state) for state in HELD_STATES)
            glance.time_wait = _sum(rows, "time_wait")
        began_s, began_cpu_s = self._began
        lasted_s = max(time.monotonic() - began_s, self._interval_s)
        glance.cost_share = (time.process_time() - began_cpu_s) / lasted_s

    def _write(
        self,
        instant: Instant,
        rows: list[Row],
        composition: list[Row],
        connections: Connections | None,
    ) -> None:
        endpoints = (connections.by_endpoint if connections else None) or {}
        endpoint_rows: list[Row] = [
            {"endpoint": name, "held": count.held, "time_wait": count.time_wait}
            for name, count in endpoints.items()
        ]
        cpu_s = time.process_time()
        cost: Row = {"sample_cost_s": cpu_s - self._written_cpu_s}
        self._written_cpu_s = cpu_s
        try:
            self._journal.write(instant, [row | cost for row in rows], composition, endpoint_rows)
        except DiskFullError as error:
            if self._journal.lost_samples == 1:
                sys.stderr.write(f"sampler: {error}\n")

    def close(self) -> None:
        """Close the files and the source."""
        self._refresh.close()
        self._source.close()
        self._journal.close()


def _sum(rows: list[Row], column: str) -> int:
    return sum(value for row in rows if isinstance(value := row.get(column), int))


def _counts(pid: int, kind: str, counts: Mapping[str, int]) -> list[Row]:
    return [
        {"pid": pid, "kind": kind, "name": name, "count": count}
        for name, count in sorted(counts.items())
    ]
