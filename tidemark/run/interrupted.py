"""A run that was cut off, as far as it has to be known to go on with it.

What it takes stands in its folder: `resume` of run.json (what was asked for, which machine and
clock), the last rows of its tables, and the ledger of its messages.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tidemark.record.clock import Instant, RunClock
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import TidemarkError
from tidemark.record.events import (
    BrokerDown,
    BrokerUp,
    Event,
    FaultEnded,
    FaultFailed,
    FaultStarted,
    Recorded,
    RunResumed,
    of_kind,
)
from tidemark.record.layout import FORMAT, REQUESTS, SAMPLES
from tidemark.record.lock import DirectoryLock
from tidemark.record.metadata import ABORTED, RunMetadata
from tidemark.run.counted import Counted, last_row
from tidemark.run.kept_ledger import LEDGER, kept_states
from tidemark.run.ledger import OPEN
from tidemark.run.resume_facts import FACTS, boot_id, check_facts, is_number

LONGEST_WAIT_S = 5.0
"""So long the last processes of a run that was killed are waited for."""


@dataclass(frozen=True)
class Interrupted:
    """A run that was cut off and that nobody else writes into.

    Attributes:
        directory: Its folder.
        lock: Of the folder; held from now on.
        metadata: What run.json says.
        clock: The run's clock, which has gone on meanwhile.
        last: When it was heard of last.
        load_s: Seconds of load that were done.
        counted: What the load generator had seen.
        states: The ledger of its messages; None where it is lost.
        events: What happened.
    """

    directory: RunDirectory
    lock: DirectoryLock
    metadata: RunMetadata
    clock: RunClock
    last: Instant
    load_s: float
    counted: Counted
    states: bytes | None
    events: tuple[Recorded[Any], ...]

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read what is needed, once the lock is ours.

        Raises:
            TidemarkError: One line that says why nobody can go on with it.
        """
        directory = RunDirectory(path)
        _check_resumable(path, metadata := directory.read_metadata())
        lock = DirectoryLock.take(path, LONGEST_WAIT_S)
        if lock is None:
            raise TidemarkError(f"--resume {path}: the run goes on, somebody writes it: let it end")
        metadata = directory.read_metadata()  # meanwhile it may have ended in order
        try:
            _check_resumable(path, metadata)
            events = directory.read_events()
            rows = [last_row(path, REQUESTS), last_row(path, SAMPLES)]
            last = _latest(events, rows)
            return cls(
                directory=directory,
                lock=lock,
                metadata=metadata,
                clock=_clock(metadata.raw[FACTS], last),
                last=last,
                load_s=_load_s(path, events),
                counted=Counted.read(path),
                states=kept_states(directory.file(LEDGER)),
                events=events,
            )
        except BaseException:
            lock.release()
            raise

    # -- what it was -----------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.directory.path

    @property
    def facts(self) -> Mapping[str, Any]:
        """What run.json says for whoever goes on."""
        facts: Mapping[str, Any] = self.metadata.raw[FACTS]
        return facts

    @property
    def run_id(self) -> str:
        """Its id, which stands in every message."""
        return str(self.metadata.raw.get("run_id"))

    @property
    def host(self) -> str | None:
        """The service that ran before it; None where one is started."""
        return self.facts.get("host")

    @property
    def planned_s(self) -> float | None:
        """How long the load was to last, seconds; None where no end was planned."""
        return self.facts.get("planned_s")

    @property
    def users(self) -> int | None:
        """How many users there were; None where the load had not begun."""
        users = self.metadata.load.get("users")
        return users if type(users) is int and users > 0 else None

    @property
    def offsets(self) -> Mapping[str, Any] | None:
        """The high watermarks of its topic before its first message; None if nobody knows."""
        return self.facts.get("offsets")

    @property
    def in_flight(self) -> int:
        """Requests of which it is not known what became of them."""
        return (self.states or b"").count(OPEN)

    @property
    def sent_numbers(self) -> int:
        """Arrivals with lower numbers were sent, or were due."""
        return max(len(self.states or b""), self.counted.requests)

    @property
    def sent_s(self) -> float:
        """Arrivals that were due in these first seconds of load were sent.

        Where the ledger is lost, all that may have been: no number of a message comes twice.
        """
        is_lost = self.states is None and self.counted.requests
        return self.load_s + (self._gap_s if is_lost else 0.0)

    @property
    def _gap_s(self) -> float:
        return max(self.clock.now().elapsed_s - self.last.elapsed_s, 0.0)

    def former_pid(self, target: str) -> int | None:
        """The process of a target that was watched."""
        told = [one for one in self.metadata.targets if one.id == target]
        pids = (*told[0].pids, self.metadata.target.get("pid")) if told else ()
        return next((pid for pid in pids if isinstance(pid, int)), None)

    # -- what is said of it ----------------------------------------------------------------------

    def told(self) -> Iterator[Event]:
        """What the run says now: that it goes on, and that what was under way is over."""
        how = "it was interrupted" if self.metadata.ended_at else "its load generator was killed"
        if self.facts.get("boot_id") != boot_id():
            how = "the machine was started anew"
        yield RunResumed(
            gap_s=round(self._gap_s, 3),
            load_s=round(self.load_s, 3),
            in_flight=self.in_flight if self.states is not None else None,
            reason=how,
        )
        done = [one.event.fault for one in of_kind(self.events, FaultEnded)]
        done += [one.event.fault for one in of_kind(self.events, FaultFailed)]
        for fault in of_kind(self.events, FaultStarted):
            if fault.event.fault not in done:
                yield FaultEnded(fault.event.fault, fault.event.kind)
        back = [one.event.broker for one in of_kind(self.events, BrokerUp)]
        for down in of_kind(self.events, BrokerDown):
            if down.event.broker in back:
                back.remove(down.event.broker)
            else:
                yield BrokerUp(down.event.broker, "restart")


def _check_resumable(path: Path, metadata: RunMetadata) -> None:
    """Refuse what nobody can go on with."""
    where = f"--resume {path}"
    if metadata.format != FORMAT:
        raise TidemarkError(
            f"{where}: is of format {metadata.format}, which says too little to go on with: "
            "start a new run"
        )
    facts = metadata.raw.get(FACTS)
    if not isinstance(facts, dict):
        raise TidemarkError(
            f"{where}: does not say what was asked for, as a run of Locust with this version does: "
            "start a new run"
        )
    if metadata.ended_at is not None and metadata.outcome != ABORTED:
        raise TidemarkError(
            f"{where}: has ended in order ({metadata.outcome}): there is nothing to go on with"
        )
    if metadata.raw.get("generators"):
        raise TidemarkError(
            f"{where}: its load came from several workers, which cannot be gone on with: "
            "what each of them had sent is not known"
        )
    check_facts(path, facts)


def _latest(events: tuple[Recorded[Any], ...], rows: list[dict[str, str]]) -> Instant:
    """When a run was heard of last."""
    moments = [Instant(one.time_s, one.elapsed_s) for one in events[-1:]]
    moments += [Instant(float(row["time_s"]), float(row["elapsed_s"])) for row in rows if row]
    return max(moments, key=lambda one: one.elapsed_s, default=Instant(time.time(), 0.0))


def _clock(facts: Mapping[str, Any], last: Instant) -> RunClock:
    """The run's clock: the same one, or, after a start of the machine, by the time of day."""
    began_s = facts.get("started_monotonic_s")
    now_s = time.monotonic()
    is_same = facts.get("boot_id") == boot_id() != ""
    if is_same and is_number(began_s) and now_s - began_s >= last.elapsed_s:
        return RunClock(float(began_s))
    return RunClock(now_s - last.elapsed_s - max(time.time() - last.time_s, 0.0))


def _load_s(path: Path, events: tuple[Recorded[Any], ...]) -> float:
    """Seconds of load that were done: what was, when it was gone on with last, and since then."""
    resumed = of_kind(events, RunResumed)[-1:]
    before_s = next((one.event.load_s or 0.0 for one in resumed), 0.0)
    from_s = next((one.elapsed_s for one in resumed), 0.0)
    end = last_row(path, REQUESTS)
    if not end:
        return before_s
    for at_s in _moments(path / REQUESTS.file):
        if at_s >= from_s:
            return before_s + max(float(end["elapsed_s"]) - at_s, 0.0)
    return before_s


def _moments(file: Path) -> Iterator[float]:
    """`elapsed_s` of each row."""
    with file.open("rb") as table:
        next(table, None)
        for line in table:
            yield float(line.split(b",", 2)[1])
