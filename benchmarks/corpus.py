"""The machinery of the labelled corpus: loads, noise, processes, and runs made of them.

A series is a whole run in memory, judged exactly as a run read from disk is. What it is labelled
with, and whether it holds enough information to be told at all, comes from the parameters it was
made with, never from the method under test.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tidemark.analysis.run import Run
from tidemark.analysis.tables import empty_table
from tidemark.record import layout
from tidemark.record.events import Emfile, Recorded
from tidemark.record.metadata import COMPLETED, EXHAUSTED, RunMetadata, Target

Floats = NDArray[np.float64]
Label = Literal["leak", "clean", "undecided"]
Rng = np.random.Generator

LEAST_Z = 6.0
"""A leak can be told when an observer who knows the noise sees it at six standard deviations."""
LEAST_EFFECTIVE = 20.0
"""A clean series can be told when it is worth this many independent samples."""
UNLIMITED = 1_000_000.0


@dataclass(frozen=True)
class Noise:
    """AR(1) noise: standard deviation, memory in seconds, and whether it is whole numbers."""

    sigma: float = 0.0
    memory_s: float = 0.0

    def draw(self, rng: Rng, at: Floats) -> Floats:
        """Noise at the given times (seconds), shape of `at`."""
        if not self.sigma:
            return np.zeros(len(at))
        fresh = rng.normal(size=len(at)) * self.sigma
        if not self.memory_s:
            return fresh
        kept = np.exp(-np.diff(at) / self.memory_s)
        out = np.empty(len(at))
        out[0] = fresh[0]
        for i, keep in enumerate(kept, start=1):
            out[i] = keep * out[i - 1] + math.sqrt(1 - keep * keep) * fresh[i]
        return out

    def effective(self, at: Floats) -> float:
        """How many independent samples that many samples are worth."""
        if not self.memory_s:
            return float(len(at))
        keep = math.exp(-float(np.median(np.diff(at))) / self.memory_s)
        return len(at) * (1 - keep) / (1 + keep)


@dataclass(frozen=True)
class Clock:
    """Times of the samples and the load at each: shapes `(n,)`."""

    at: Floats
    users: Floats
    requests: Floats

    @property
    def duration_s(self) -> float:
        """Seconds from the first sample to the last."""
        return float(self.at[-1] - self.at[0])

    @property
    def share(self) -> Floats:
        """Elapsed share of the run, 0 to 1."""
        return np.asarray((self.at - self.at[0]) / self.duration_s)

    @property
    def arrivals(self) -> Floats:
        """Requests answered since the sample before."""
        return np.diff(self.requests, prepend=self.requests[0])


def make_clock(
    rng: Rng,
    duration_s: float,
    interval_s: float,
    rate: float,
    *,
    shape: Callable[[Floats], Floats] | None = None,
    users: float = 10.0,
) -> Clock:
    """A clock with Poisson arrivals.

    Args:
        rng: Source of chance.
        duration_s: Length of the run.
        interval_s: Time between samples.
        rate: Requests per second at full load.
        shape: Load as a share of the full one, a function of the elapsed share of the run.
        users: Users at full load.
    """
    at = np.arange(0.0, duration_s, interval_s) + rng.uniform(0, 0.02 * interval_s)
    part = np.ones(len(at)) if shape is None else shape(at / duration_s)
    requests = np.cumsum(rng.poisson(rate * interval_s * part)).astype(float)
    requests -= requests[0]
    return Clock(at, np.round(users * part), requests)


@dataclass(frozen=True)
class Life:
    """One process: a resource from its start to its end; NaN before and after."""

    pid: int
    name: str
    value: Floats


@dataclass(frozen=True)
class Case:
    """A labelled series.

    Attributes:
        shape: Name of its shape.
        label: What it is.
        resource: Which resource carries the series.
        informative: Whether it can be told at all, by the parameters it was made with.
        run: The run.
        parameters: What it was made with, to be shown beside a wrong answer.
    """

    shape: str
    label: Label
    resource: str
    informative: bool
    run: Run
    parameters: dict[str, object] = field(default_factory=dict)


def leaked(rng: Rng, clock: Clock, per_request: float, clump: float = 1.0) -> Floats:
    """What a leak has added by each sample: whole pieces of `clump` at random requests."""
    return np.asarray(np.cumsum(rng.poisson(clock.arrivals * per_request / clump)) * clump, float)


def seen(level: Floats, *, whole: bool = True) -> Floats:
    """A level as the sampler sees it: not negative, and whole where pieces are counted."""
    return np.maximum(np.round(level) if whole else level, 0.0)


def limit_above(level: Floats) -> float:
    """The least common descriptor limit that the level stays well below."""
    return next(x for x in (1024.0, 4096.0, 65536.0, 1e6, 1e9) if x > 1.2 * float(np.max(level)))


def leak_is_visible(
    clock: Clock, growth: float, noise: Noise, clump: float = 1.0, wave: float = 0.0
) -> bool:
    """Whether an observer who knows the noise would see the growth.

    The last quarter of the run is compared with the first; `wave` is the amplitude of a sawtooth,
    which the growth has to exceed.
    """
    quarter = max(noise.effective(clock.at) / 4, 1.0)
    moved = 0.75 * growth
    spread = math.sqrt(2 * noise.sigma**2 / quarter + moved * clump)
    enough_samples = noise.effective(clock.at) >= LEAST_EFFECTIVE
    return enough_samples and moved >= LEAST_Z * spread and growth >= wave


def clean_is_visible(clock: Clock, noise: Noise) -> bool:
    """Whether the run is worth enough independent samples to say that nothing grows."""
    return noise.effective(clock.at) >= LEAST_EFFECTIVE


def build_run(
    clock: Clock,
    lives: list[Life],
    resource: str = "fds",
    *,
    fds_limit: float = UNLIMITED,
    gaps: NDArray[np.bool_] | None = None,
    events: tuple[Recorded[Emfile], ...] = (),
    name: str = "series",
) -> Run:
    """A run in memory in which one resource carries the series and the others are constant."""
    parts = []
    for life in lives:
        there = np.isfinite(life.value)
        if gaps is not None:
            there &= ~gaps
        parts.append(_rows(clock.at[there], life, life.value[there], resource, fds_limit))
    samples = pd.concat(parts).sort_values("elapsed_s", kind="stable", ignore_index=True)
    return Run(
        Path(name),
        _metadata(events),
        samples.astype({"process": "category", "target": "category"}),
        empty_table(layout.COMPOSITION),
        _requests(clock),
        empty_table(layout.ROUTES),
        empty_table(layout.ENDPOINTS),
        events,
    )


def out_of_descriptors(at_s: float | None) -> tuple[Recorded[Emfile], ...]:
    """The event that says so; none where there was no such moment."""
    return () if at_s is None else (Recorded(1.7e9 + at_s, at_s, Emfile()),)


def _rows(at: Floats, life: Life, value: Floats, resource: str, fds_limit: float) -> pd.DataFrame:
    columns: dict[str, object] = dict.fromkeys(layout.SAMPLES.columns, 0.0)
    columns |= {
        "time_s": 1.7e9 + at,
        "elapsed_s": at,
        "target": layout.ONLY_TARGET,
        "pid": life.pid,
        "process": life.name,
        "fds": 40.0,
        "fds_limit": fds_limit,
        "threads": 12.0,
        "rss_bytes": 60e6,
        "established": 3.0,
    }
    columns["established" if resource == "connections" else resource] = value
    return pd.DataFrame(columns, index=range(len(at)))


def _requests(clock: Clock) -> pd.DataFrame:
    columns: dict[str, object] = dict.fromkeys(layout.REQUESTS.columns, 0.0)
    columns |= {
        "time_s": 1.7e9 + clock.at,
        "elapsed_s": clock.at,
        "users": clock.users,
        "requests": clock.requests,
        "messages_accepted": clock.requests,
    }
    return pd.DataFrame(columns)


def _metadata(events: tuple[Recorded[Emfile], ...]) -> RunMetadata:
    outcome = EXHAUSTED if events else COMPLETED
    targets = (Target(layout.ONLY_TARGET),)
    return RunMetadata(layout.FORMAT, "series", None, None, outcome, (), {}, targets, {}, {}, {})


Maker = Callable[[Rng], Case]
"""Makes one labelled series from a source of chance."""
