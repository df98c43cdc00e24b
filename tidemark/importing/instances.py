"""What a server holds of each instance of a job, put together scrape by scrape."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from tidemark.importing.requests import Requests, best_counter, requests_of
from tidemark.importing.series import Floats, Series
from tidemark.sampler.exported import NAMES, REQUESTS, STARTED, UP, figures_of, runtime_of
from tidemark.sampler.exposition import HEAP, heap_in
from tidemark.sampler.figures import Figure
from tidemark.sampler.heap import HeapFigures

SCRAPED = (*NAMES, *(name for name in HEAP if name not in NAMES), *REQUESTS, UP)
"""All metrics that are asked for."""
_OF_PROCESS = frozenset((*NAMES, *HEAP))
INSTANCE = "instance"
"""The label that says whom a server has scraped."""

_SAME_START_S = 2.0
"""A process that seems to have begun no later than that is the same: its start is reckoned from the
time at which the host began, which moves a little when its clock is corrected."""
_THINNED = 0.95
"""A scrape that comes this share of a step after the one before is as good as one on time."""


@dataclass(frozen=True)
class Instance:
    """One instance of a service, as a server has seen it.

    Attributes:
        name: The instance, `host:port`; empty where there is but one, without a name.
        time_s: Unix times at which it was read, rising.
        figures: What was read at each of them, by column of samples.csv.
        restarts: When another process was seen in its place for the first time, Unix times.
        runtime: What it is run by, as in the event `runtime_seen`; None where unknown.
        requests: What it answered; None where that is unknown.
        down_s: When it could not be read, Unix times.
    """

    name: str
    time_s: Floats
    figures: Sequence[Mapping[str, Figure]]
    restarts: Floats = field(default_factory=lambda: np.array([]))
    runtime: str | None = None
    requests: Requests | None = None
    down_s: Floats = field(default_factory=lambda: np.array([]))

    @cached_property
    def lives(self) -> list[int]:
        """Which process each row is of, counted from 0."""
        found = np.searchsorted(self.restarts, self.time_s, side="right")
        return [int(number) for number in np.unique(found, return_inverse=True)[1]]

    def shifted(self, by_s: float) -> "Instance":
        """The same, so many seconds later."""
        return replace(
            self,
            time_s=self.time_s + by_s,
            restarts=self.restarts + by_s,
            requests=None if self.requests is None else self.requests.shifted(by_s),
            down_s=self.down_s + by_s,
        )

    def at_times(self, time_s: Floats) -> "Instance":
        """The same rows at other times, each about the same as its own."""
        restarts = np.searchsorted(self.time_s, self.restarts)
        return replace(self, time_s=time_s, restarts=time_s[restarts[restarts < len(time_s)]])

    def thinned(self, step_s: float) -> "Instance":
        """The same with no more than a row for each step; the first row of a process stays."""
        kept: list[int] = []
        for row, time_s in enumerate(self.time_s):
            is_new = not kept or self.lives[row] != self.lives[kept[-1]]
            if is_new or time_s - self.time_s[kept[-1]] >= _THINNED * step_s:
                kept.append(row)
        return replace(self, time_s=self.time_s[kept], figures=[self.figures[row] for row in kept])


def instances_of(series: Iterable[Series], since_s: float) -> list[Instance]:
    """The instances of whose processes something is known, in the order of their names.

    Args:
        series: What was scraped of them, as far as it is among `SCRAPED`.
        since_s: From when on it was asked for: a process that began later has counted from zero.
    """
    by_instance: dict[str, list[Series]] = {}
    for one in series:
        by_instance.setdefault(one.labels.get(INSTANCE, ""), []).append(one)
    counter = best_counter(one.name for held in by_instance.values() for one in held)
    found = [_instance(name, held, counter, since_s) for name, held in sorted(by_instance.items())]
    return [one for one in found if one is not None]


def _instance(
    name: str, series: Sequence[Series], counter: str | None, since_s: float
) -> Instance | None:
    of_process = [one for one in series if one.name in _OF_PROCESS]
    names = {one.name for one in of_process}
    if not of_process:
        return None
    time_s = np.unique(np.concatenate([one.time_s for one in of_process]))
    scrapes = list(_scrapes(of_process, time_s))
    figures = [figures_of(scrape) for scrape in scrapes]
    if not any(figures):
        return None
    counters = [one for one in series if one.name == counter]
    started = _told(of_process, STARTED, time_s)
    restarts = find_restarts(time_s, started, _column(figures, "cpu_s"), counters)
    _add_heaps(figures, scrapes, np.searchsorted(restarts, time_s, side="right"))
    begins = started[np.isfinite(started)]
    new_from_s = float(time_s[0])
    if len(begins) and begins[0] >= since_s:
        new_from_s = -math.inf
    down = [one.time_s[one.value == 0] for one in series if one.name == UP]
    return Instance(
        name,
        time_s,
        figures,
        restarts,
        runtime_of(names),
        requests_of(counters, restarts, new_from_s, time_s),
        down_s=np.concatenate([*down, np.array([])]),
    )


def find_restarts(
    time_s: Floats, started: Floats, cpu_s: Floats, counters: Sequence[Series]
) -> Floats:
    """When another process was seen for the first time.

    By the time at which it began; where that is unknown, by its CPU time, which falls then; and
    where that is unknown too, by any counter of requests.

    Args:
        time_s: When it was read.
        started: When the process began, as it said each time; NaN where it did not.
        cpu_s: Its CPU time, likewise.
        counters: Counters of requests.
    """
    known = np.isfinite(started)
    if known.sum() > 1:
        return np.asarray(time_s[known][1:][np.diff(started[known]) > _SAME_START_S])
    known = np.isfinite(cpu_s)
    if known.sum() > 1:
        return np.asarray(time_s[known][1:][np.diff(cpu_s[known]) < 0])
    falls = [one.time_s[1:][np.diff(one.value) < 0] for one in counters]
    return np.unique(np.concatenate([*falls, np.array([])]))


def _scrapes(series: Sequence[Series], time_s: Floats) -> Iterable[dict[str, list[float]]]:
    """What each scrape said, as a page does: the values by name."""
    read = [(one.name, one.at(time_s).tolist()) for one in series]
    for row in range(len(time_s)):
        found: dict[str, list[float]] = {}
        for name, values in read:
            if not math.isnan(values[row]):
                found.setdefault(name, []).append(values[row])
        yield found


def _add_heaps(
    figures: Sequence[dict[str, Figure]],
    scrapes: Sequence[Mapping[str, list[float]]],
    lives: Iterable[int],
) -> None:
    held: HeapFigures | None = None
    former = -1
    for row, scrape, life in zip(figures, scrapes, lives, strict=True):
        found = heap_in(scrape)
        held = None if found is None else found.after(held if life == former else None)
        former = life
        if held is not None:
            row.update(heap_bytes=held.heap_bytes, collections=held.collections)


def _told(series: Iterable[Series], name: str, time_s: Floats) -> Floats:
    """What a metric said at each time that has one set of labels at a time."""
    found = np.full(len(time_s), np.nan)
    for one in series:
        if one.name == name:
            values = one.at(time_s)
            found = np.where(np.isnan(found), values, found)
    return found


def _column(figures: Sequence[Mapping[str, Figure]], column: str) -> Floats:
    values = [row.get(column) for row in figures]
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
