"""The run directory of what was seen of some instances."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tidemark.importing.instances import Instance
from tidemark.importing.requests import Requests
from tidemark.importing.series import Floats
from tidemark.record.clock import Instant
from tidemark.record.directory import RunDirectory
from tidemark.record.events import (
    Event,
    Gap,
    RunEnded,
    RunStarted,
    RuntimeSeen,
    TargetRestarted,
    Unread,
)
from tidemark.record.layout import ONLY_TARGET, REQUESTS, SAMPLES
from tidemark.record.metadata import COMPLETED, LONGEST_NAME, Target
from tidemark.sampler.figures import Figure

MISSED = 1.5
"""A scrape was missed where the next one comes later than after so many intervals."""
_ROWS_AT_ONCE = 10_000

Told = tuple[float, Event]
"""An event, and when it happened, Unix time."""


@dataclass(frozen=True, slots=True)
class Life:
    """One process of an instance.

    Attributes:
        pid: The number that stands for it: nobody has recorded its process id.
        instance: Whose.
        number: Which of its processes, counted from 0.
        begin_s: When it was first seen, Unix time.
    """

    pid: int
    instance: Instance
    number: int
    begin_s: float

    @property
    def target(self) -> str:
        """The id of its target."""
        return target_of(self.instance)


def target_of(instance: Instance) -> str:
    """The id of the target that an instance is."""
    return instance.name[:LONGEST_NAME] or ONLY_TARGET


@dataclass(frozen=True, slots=True)
class Recording:
    """What is written.

    Attributes:
        process: What its processes are called.
        instances: The instances; at least one, each with a row at least.
        requests: What was answered, of each instance or of all together.
        interval_s: Seconds between readings.
        successors: Instances that have come in another's place -> that other one, by name.
        metadata: What else is known, for run.json.
    """

    process: str
    instances: Sequence[Instance]
    requests: Sequence[Requests]
    interval_s: float
    successors: Mapping[str, str]
    metadata: Mapping[str, object]

    @property
    def begin_s(self) -> float:
        """When the first row was read, Unix time."""
        return min(float(one.time_s[0]) for one in self.instances)

    @property
    def end_s(self) -> float:
        """When the last one was."""
        return max(float(one.time_s[-1]) for one in self.instances)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(len(one.time_s) for one in self.instances)

    @property
    def answered(self) -> int | None:
        """Requests that were answered; None where that is unknown."""
        if not self.requests:
            return None
        return int(sum(one.at(np.array([self.end_s]))[0] for one in self.requests))

    def lives(self) -> list[Life]:
        """The processes in the order in which they were first seen."""
        found = []
        for instance in self.instances:
            for number in range(instance.lives[-1] + 1):
                begin_s = float(instance.time_s[instance.lives.index(number)])
                found.append((begin_s, instance.name, number, instance))
        found.sort(key=lambda one: one[:3])
        return [
            Life(pid, instance, number, begin_s)
            for pid, (begin_s, _, number, instance) in enumerate(found, start=1)
        ]

    def write(self, folder: Path, *, shared: bool = False) -> None:
        """Make the run directory.

        Args:
            folder: Where; it must not hold a run.
            shared: Whether others than its owner may read it.

        Raises:
            RunDirectoryError: It cannot be made or written.
        """
        directory = RunDirectory.create(folder, shared=shared)
        directory.write_metadata(self.metadata)
        lives = self.lives()
        with directory.writer(SAMPLES) as samples:
            rows = self._samples(lives)
            while part := list(itertools.islice(rows, _ROWS_AT_ONCE)):
                samples.append_all(part)
        if self.requests:
            with directory.writer(REQUESTS) as requests:
                requests.append_all(self._requests())
        for time_s, event in sorted(self._events(lives), key=lambda told: told[0]):
            directory.append_event(Instant(time_s, self._elapsed(time_s)), event)
        targets = [Target(target_of(one)).to_json() for one in self.instances]
        directory.write_metadata({**self.metadata, "targets": targets, "outcome": COMPLETED})

    def _elapsed(self, time_s: float) -> float:
        return max(time_s - self.begin_s, 0.0)

    def _times(self, time_s: float) -> dict[str, float]:
        return {"time_s": time_s, "elapsed_s": self._elapsed(time_s)}

    def _samples(self, lives: Iterable[Life]) -> Iterator[Mapping[str, object]]:
        pids = {(life.instance.name, life.number): life.pid for life in lives}
        rows = [
            (float(time_s), pids[one.name, number], target_of(one), figures)
            for one in self.instances
            for time_s, number, figures in zip(one.time_s, one.lives, one.figures, strict=True)
        ]
        rows.sort(key=lambda row: row[:2])
        for time_s, pid, target, figures in rows:
            who: dict[str, object] = {"target": target, "pid": pid, "process": self.process}
            yield {**self._times(time_s), **who, **figures}

    def _requests(self) -> Iterator[Mapping[str, Figure]]:
        """Rows at the times of the instance that was read most often: of one, at its own."""
        most = max(self.instances, key=lambda one: len(one.time_s))
        time_s = np.unique(np.concatenate([most.time_s, [self.begin_s, self.end_s]]))
        answered = np.floor(sum_of(one.at(time_s) for one in self.requests))
        failed = np.floor(sum_of(one.failed_at(time_s) for one in self.requests))
        for at_s, total, failures in zip(time_s, answered, failed, strict=True):
            told = None if math.isnan(failures) else int(failures)
            yield {**self._times(float(at_s)), "requests": int(total), "failures": told}

    def _events(self, lives: Iterable[Life]) -> Iterator[Told]:
        yield self.begin_s, RunStarted()
        yield self.end_s, RunEnded(COMPLETED, "the imported time is over")
        latest: dict[str, Life] = {}
        for life in lives:
            former = latest.get(life.instance.name)
            if former is None:
                former = latest.get(self.successors.get(life.instance.name, ""))
            if former is not None:
                # Both may be there for a while: it has taken the place when the other is gone.
                ended_s = [] if former.instance is life.instance else [former.instance.time_s[-1]]
                at_s = max([life.begin_s, *map(float, ended_s)])
                yield at_s, TargetRestarted(life.pid, self.process, former.pid, life.target)
            runtime = life.instance.runtime
            if runtime is not None:
                seen = RuntimeSeen(life.pid, self.process, runtime, target=life.target)
                yield life.begin_s, seen
            latest[life.instance.name] = life
        pids = {name: life.pid for name, life in latest.items()}
        yield from self._gaps(pids)

    def _gaps(self, pids: Mapping[str, int]) -> Iterator[Told]:
        """Of what nobody was seen in; of one of several instances, what is not told of it."""
        together = np.unique(np.concatenate([one.time_s for one in self.instances]))
        holes = list(_holes(together, self.interval_s))
        for begin_s, end_s in holes:
            missed = max(round((end_s - begin_s) / self.interval_s) - 1, 1)
            yield end_s, Gap(missed, self.interval_s)
        several = len(self.instances) > 1
        for one in self.instances:
            name, pid = target_of(one), pids[one.name]
            for begin_s, end_s in _holes(one.time_s, self.interval_s) if several else ():
                if not any(begin_s < end and begin < end_s for begin, end in holes):
                    reason = f"{name} could not be read for {end_s - begin_s:.0f} s until now"
                    yield end_s, Unread(pid, reason)
            after = one.down_s[one.down_s > one.time_s[-1]]
            if len(after):
                reason = f"{name} could not be read any more: it did not answer, or not in time"
                yield min(float(after[0]), self.end_s), Unread(pid, reason)


def _holes(time_s: Floats, interval_s: float) -> Iterator[tuple[float, float]]:
    for row in np.flatnonzero(np.diff(time_s) > MISSED * interval_s):
        yield float(time_s[row]), float(time_s[row + 1])


def sum_of(parts: Iterable[Floats]) -> Floats:
    """The sum of arrays of one length."""
    return np.asarray(np.sum(list(parts), axis=0))


def usual_interval_s(instances: Iterable[Instance]) -> float | None:
    """The usual time between two readings of an instance; None where none was read twice."""
    steps = np.concatenate([np.array([]), *(np.diff(one.time_s) for one in instances)])
    return float(np.median(steps)) if len(steps) else None
