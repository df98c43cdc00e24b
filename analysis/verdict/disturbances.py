"""When the service was not left alone, or was not seen: what it holds then is not judged.

Each disturbance is a span of the run, with the time that clients take to come back after it. One
that does not end ends what is judged. What is held before and after may differ (a pool has grown,
connections were made anew), so that growth is looked for within the stretches between them.
"""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.model import Floats
from tidemark.record.events import (
    BrokerDown,
    BrokerUp,
    FaultEnded,
    FaultFailed,
    FaultStarted,
    ProcessContinued,
    ProcessStopped,
    Stalled,
)

Spans = tuple[tuple[float, float], ...]
"""From when to when, seconds since the run began, in order and apart; the last end may be inf."""

SETTLING_S = 5.0
"""After a disturbance, connections are made anew and requests that waited are answered."""
HOLE_S = 2.0
HOLE_TICKS = 4.0
"""A pause between two ticks is a hole when it is longer than both, ..."""
HOLE_NEIGHBOURS = 9
"""... counted in the usual ticks of its neighbourhood: a sampler may take its time."""
SILENT_S = 2.0
SILENT_FAILURES = 5
"""Nothing is answered when for so long none was, and so many requests failed in a row."""


def find_disturbances(run: Run, died_s: float | None) -> Spans:
    """Find the disturbances of a run.

    Args:
        run: The run.
        died_s: When it ran out of something; the silence after that is its death.
    """
    spans = [*_faults(run), *_brokers_down(run), *_stops(run), *_holes(run)]
    spans += run.interruptions
    spans += [span for span in _silences(run) if died_s is None or span[1] < died_s]
    return _merged([(begin, end + SETTLING_S) for begin, end in spans])


def _merged(spans: list[tuple[float, float]]) -> Spans:
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)


def _until(ends: list[float], begin_s: float) -> float:
    return min((at for at in ends if at >= begin_s), default=math.inf)


def _faults(run: Run) -> Iterator[tuple[float, float]]:
    ends = [one.elapsed_s for one in run.events_of(FaultEnded)]
    ends += [one.elapsed_s for one in run.events_of(FaultFailed)]
    for begun in run.events_of(FaultStarted):
        yield begun.elapsed_s, _until(ends, begun.elapsed_s)


def _brokers_down(run: Run) -> Iterator[tuple[float, float]]:
    for down in run.events_of(BrokerDown):
        name = down.event.broker
        ups = [up for up in run.events_of(BrokerUp) if name in {None, up.event.broker}]
        yield down.elapsed_s, _until([up.elapsed_s for up in ups], down.elapsed_s)


def _stops(run: Run) -> Iterator[tuple[float, float]]:
    for stop in run.events_of(ProcessStopped):
        who = (stop.event.pid, stop.event.target)
        again = run.events_of(ProcessContinued)
        ends = [one.elapsed_s for one in again if (one.event.pid, one.event.target) == who]
        yield stop.elapsed_s, _until(ends, stop.elapsed_s)


def _holes(run: Run) -> Iterator[tuple[float, float]]:
    """Pauses between ticks: the sampler was stopped, or the whole host was."""
    at = np.unique(run.samples["elapsed_s"].to_numpy())
    steps = pd.Series(np.diff(at))
    usual = steps.rolling(HOLE_NEIGHBOURS, center=True, min_periods=1).median().to_numpy()
    for place in np.flatnonzero(steps.to_numpy() > np.maximum(HOLE_S, HOLE_TICKS * usual)):
        yield float(at[place]), float(at[place + 1])


def _silences(run: Run) -> Iterator[tuple[float, float]]:
    """From one answer to the next where none came meanwhile, but requests failed or waited."""
    table = run.counts
    if not len(table):
        return
    at, finished, failed = (table[name].to_numpy(dtype=float) for name in table.columns)
    rises = np.flatnonzero(np.diff(finished - failed) > 0)
    waited = np.array([one.elapsed_s for one in run.events_of(Stalled)])
    # An answer came between the tick before a rise and that of the rise.
    edges = np.array([0, *(rises + 1), len(at) - 1])
    for place in np.flatnonzero(np.diff(at[edges]) >= SILENT_S):
        last, following = edges[place : place + 2]
        begin, end = float(at[last]), float(at[following])
        is_waiting = bool(((waited > begin) & (waited <= end)).any())
        if is_waiting or failed[following] - failed[last] >= SILENT_FAILURES:
            yield begin, math.inf if place == len(rises) else end


def within(spans: Spans, at: Floats) -> NDArray[np.bool_]:
    """Which moments lie within a disturbance."""
    found = np.zeros(len(at), dtype=bool)
    for begin_s, end_s in spans:
        found |= (at >= begin_s) & (at <= end_s)
    return found
