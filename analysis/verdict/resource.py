"""The verdict on one resource, put together from its tracks, its limit and its forecast."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis.verdict import reasons
from tidemark.analysis.verdict.control import Rate, beyond_control
from tidemark.analysis.verdict.culprits import Names, with_culprits
from tidemark.analysis.verdict.decision import Judgement, Pattern, decide
from tidemark.analysis.verdict.forecast import check_early_forecast, forecast_limit
from tidemark.analysis.verdict.growth import Growth
from tidemark.analysis.verdict.limits import Limits
from tidemark.analysis.verdict.memory import (
    FEWEST_COLLECTIONS,
    MEMORY,
    MemorySeries,
    beside_heap,
    beyond,
    collected,
    memory_series,
)
from tidemark.analysis.verdict.model import Interval, ResourceVerdict
from tidemark.analysis.verdict.route_counts import RouteCounts
from tidemark.analysis.verdict.routes import attributed
from tidemark.analysis.verdict.scope import (
    Scope,
    approach_of,
    find_scope,
    fit_of,
    measure_scope,
    series_of,
)
from tidemark.analysis.verdict.series import HEAP, ProcessSeries
from tidemark.analysis.verdict.tracks import Track, tracks_of
from tidemark.analysis.verdict.window import Window
from tidemark.record.metrics import TCP_STATES, Measure, metric

LEAST_S = 5.0
"""Judged seconds below which nothing is told: a service makes its pools, threads and caches in the
first ones, and pauses between requests at random look like growth or like a level."""
FINALIZED = ("fds", "connections")
"""What a runtime closes by itself when it collects an object that nobody has closed."""
TOLD_OF_NOTHING = (Pattern.FEW_COLLECTIONS, Pattern.NOT_READ)
"""What says more than that the samples are too few."""
HEAP_S = 20.0
"""Memory that grows for no longer than this is not called a leak, by however much."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A run as the verdict on a resource needs it.

    Attributes:
        window: What is judged of it.
        processes: Its processes.
        limits: Its limits.
        brokers: The endpoints towards which connections are counted.
        never_seen: Whether all columns of connections are 0 throughout.
        strategy: What was run; None where the run was not told.
        routes: How often each route was asked for.
        names: Tells what a resource is made of, by its name.
        all_remotes: Whether connections to anywhere are counted: no broker was named.
    """

    window: Window
    processes: list[ProcessSeries]
    limits: Limits
    brokers: tuple[str, ...] = ()
    never_seen: bool = False
    strategy: str | None = None
    routes: RouteCounts = field(default_factory=RouteCounts)
    names: Callable[[str], Sequence[Names]] = lambda _: ()
    all_remotes: bool = False

    @property
    def memory(self) -> MemorySeries:
        """What memory is judged on."""
        return memory_series(self.window, self.processes)


def judge_resource(
    resource: str, subject: Subject, control: Subject | None = None
) -> ResourceVerdict:
    """Judge one resource of a run.

    Args:
        resource: The name of a judged metric.
        subject: The run.
        control: A run of the same load against a service known to be clean.
    """
    window = subject.window
    scope = find_scope(resource, window, subject.processes, subject.limits)
    judgements = judge_tracks(resource, subject, scope.limit)
    chosen = _choose(judgements)
    rate = _rate(judgements)
    nothing = _nothing_to_judge(resource, subject)
    is_thin = chosen.pattern is Pattern.THIN and nothing not in TOLD_OF_NOTHING
    if nothing is not None and not is_thin:
        chosen, rate = Judgement("inconclusive", nothing, None), None
    if resource == "fds" and window.death is not None:
        chosen, rate = _exhausted(chosen, rate, scope, subject)
    if control is not None and resource == MEMORY:
        chosen = _memory_beyond(chosen, subject, control)
    elif control is not None and rate is not None:
        chosen = beyond_control(chosen, rate.slope, rate.interval, _control_rate(resource, control))
    if resource == MEMORY and chosen.decision == "leak" and window.kept_s < HEAP_S:
        chosen = replace(chosen, decision="inconclusive", pattern=Pattern.EARLY)
    if resource in FINALIZED and _is_uncollected(chosen, subject):
        chosen = replace(chosen, decision="inconclusive", pattern=Pattern.UNCOLLECTED)
    rate = _told(chosen, rate)
    found = _assemble(resource, subject, scope, chosen, rate)
    found = reasons.explained(
        found,
        chosen,
        window,
        subject.memory,
        subject.brokers,
        has_control=control is not None,
    )
    growth = _growth_of_all(chosen, judgements, rate)
    known = _known(resource, subject, growth)
    return attributed(found, growth, subject.routes, known, chosen.hidden)


def _is_uncollected(chosen: Judgement, subject: Subject) -> bool:
    """Whether what grows may only wait for a collection of the heap, of which there were few.

    Threads that run are never collected: if they leak as well, nothing waits; nor does it where
    descriptors ran out before anything was collected.
    """
    if chosen.decision != "leak" or subject.window.death is not None:
        return False
    times = collected(subject.window, subject.processes)
    if times is None or times >= FEWEST_COLLECTIONS:
        return False
    return _choose(judge_tracks("threads", subject, None)).decision != "leak"


def _told(chosen: Judgement, rate: Rate | None) -> Rate | None:
    """The growth to tell: of all processes, unless that of the one that leaks is lost in it."""
    growth = chosen.growth
    if chosen.decision != "leak" or growth is None or rate is None:
        return rate
    is_lost = rate.interval.low <= 0.0 < growth.interval.low
    return Rate(growth.slope, growth.interval) if is_lost else rate


def _growth_of_all(
    chosen: Judgement, judgements: list[tuple[Track, Judgement]], rate: Rate | None
) -> Growth | None:
    """The growth that is told: of all processes, unless that of a single one is."""
    growth = chosen.growth
    if growth is None or rate is None or rate.slope == growth.slope:
        return growth
    is_part = any(found.growth is growth for _, found in judgements[1:])
    return judgements[0][1].growth if is_part else growth


def _known(resource: str, subject: Subject, growth: Growth | None) -> NDArray[np.bool_] | None:
    """At which bins of a growth the level is known: of a heap, those with a collection."""
    held = subject.memory if resource == MEMORY else None
    if growth is None or held is None or held.column != HEAP:
        return None
    return np.isin(growth.track.elapsed_s, held.collected_s)


def _nothing_to_judge(resource: str, subject: Subject) -> Pattern | None:
    """Why the figures are no ground for a judgement; None where they are."""
    is_zero = not any(np.nansum(p.value[resource]) for p in subject.processes)
    read = any(np.isfinite(p.value[resource]).any() for p in subject.processes)
    if not read:
        return Pattern.NOT_READ
    if is_zero and metric(resource).columns != TCP_STATES:
        return Pattern.UNREAD  # no process lives without descriptors, threads and memory
    if resource == MEMORY and subject.memory.is_thin:
        return Pattern.FEW_COLLECTIONS
    if subject.never_seen and metric(resource).columns == TCP_STATES:
        return Pattern.NOT_SEEN
    return Pattern.SHORT if subject.window.kept_s < LEAST_S else None


def judge_tracks(
    resource: str, subject: Subject, limit: float | None
) -> list[tuple[Track, Judgement]]:
    """Judge every track of a resource."""
    scale = _scale(resource)
    if resource == MEMORY:
        held = subject.memory
        beside = beside_heap(held)
        return [
            found
            for one in (held, *([] if beside is None else [beside]))
            for found in _judge_memory(one, scale)
        ]
    tracks = tracks_of(resource, subject.processes, subject.window.view)
    return [
        (track, _judge_count(track, subject.window, scale, limit, len(tracks))) for track in tracks
    ]


def _judge_count(
    track: Track, window: Window, scale: Measure, limit: float | None, tests: int
) -> Judgement:
    """The judgement on one track of what is counted; whoever died of it had no pool."""
    room = _room(track, limit)
    found = decide(track, scale, room, tests)
    if window.death is not None:
        return found
    return window.filling.judged(track, found, scale, room, tests)


def _judge_memory(held: MemorySeries, scale: Measure) -> list[tuple[Track, Judgement]]:
    tracks = tracks_of(held.column, held.processes, held.window.view)
    return [(one, decide(one, scale, None, len(tracks), held.first)) for one in tracks]


def _scale(resource: str) -> Measure:
    """By which measure a resource is judged.

    Raises:
        ValueError: It is only recorded.
    """
    scale = metric(resource).judged
    if scale is None:
        raise ValueError(f"{resource} is not judged")
    return scale


def _room(track: Track, limit: float | None) -> float | None:
    if limit is None or not len(track):
        return None
    return max(limit - float(track.value.max()), 0.0)


def _memory_beyond(chosen: Judgement, subject: Subject, control: Subject) -> Judgement:
    """The judgement on memory less that of the control, if the two can be compared.

    Only the same service shows what this one grows by at first: its caches and its pools.
    """
    held = subject.memory
    track = beyond(held, control.memory)
    if track is None or chosen.growth is None:
        return chosen
    scale, first = _scale(MEMORY), held.first
    if subject.strategy == control.strategy:
        first = first.beyond_control()
        scale = replace(scale, least_growth=first.wander, least_share=0.0)
    found = decide(track, scale, None, 1, first)
    if found.decision == "leak":
        return replace(found, pattern=Pattern.BEYOND_CONTROL)
    if found.decision == "clean" and chosen.decision != "clean":
        return replace(found, pattern=Pattern.AS_CONTROL)
    return chosen


def _control_rate(resource: str, control: Subject) -> Rate | None:
    return _rate(judge_tracks(resource, control, None))


def _choose(judgements: list[tuple[Track, Judgement]]) -> Judgement:
    """The judgement that speaks for the resource: the surest leak, else a doubt, else the first.

    A doubt of a single process counts only if it is about growth: noise in one of several
    processes says nothing where their sum is clean.
    """
    if not judgements:
        return Judgement("inconclusive", Pattern.THIN, None)
    leaks = [found for _, found in judgements if found.decision == "leak"]
    if leaks:
        return min(leaks, key=lambda found: found.growth.chance if found.growth else 1.0)
    first = judgements[0][1]
    doubts = [
        found
        for _, found in judgements[1:]
        if found.decision == "inconclusive"
        and found.pattern not in {Pattern.NOISY, Pattern.THIN, Pattern.SUSPECT}
    ]
    if first.pattern is Pattern.THIN:
        return next((found for _, found in judgements if found.growth is not None), first)
    return first if first.decision == "inconclusive" or not doubts else doubts[0]


def _rate(judgements: list[tuple[Track, Judgement]]) -> Rate | None:
    """Growth of all processes: that of the sum (or the only one), and of the recycled ones."""
    parts = [
        found.growth
        for number, (track, found) in enumerate(judgements)
        if found.growth is not None and (number == 0 or track.is_recycled)
    ]
    if not parts:
        return None
    slope = sum(part.slope for part in parts)
    below = math.sqrt(sum((part.slope - part.interval.low) ** 2 for part in parts))
    above = math.sqrt(sum((part.interval.high - part.slope) ** 2 for part in parts))
    return Rate(slope, Interval(slope - below, slope + above))


def _exhausted(
    chosen: Judgement, rate: Rate | None, scope: Scope, subject: Subject
) -> tuple[Judgement, Rate | None]:
    """What ran out was leaked, unless it only followed the load."""
    if chosen.decision == "leak":
        return chosen, rate
    growth, window = chosen.growth, subject.window
    baseline = baseline_of(scope, window, subject.processes)
    span = window.end_x - window.begin_x
    if growth is None and baseline is not None and scope.limit is not None and span > 0:
        slope = (scope.limit - baseline) / span
        return Judgement("leak", Pattern.EXHAUSTED, None), Rate(
            slope, Interval(0.8 * slope, 1.25 * slope)
        )
    if growth is not None and growth.slope > 0 and not window.load.varies and not growth.slowing:
        return Judgement("leak", Pattern.EXHAUSTED, growth), rate
    return chosen, rate


def level_at(scope: Scope, window: Window, elapsed_s: float) -> float | None:
    """The last known level of a scope at a moment; the first one if there is none before."""
    known = np.flatnonzero(np.isfinite(scope.value) & np.isfinite(window.bins.elapsed_s))
    if not len(known):
        return None
    before = known[window.bins.elapsed_s[known] <= elapsed_s]
    return float(scope.value[before[-1] if len(before) else known[0]])


def baseline_of(scope: Scope, window: Window, processes: list[ProcessSeries]) -> float | None:
    """The level when the load began: of a process that came later, that of those it followed."""
    late = scope.process
    if late is None or late.first_s <= window.begin_s:
        return level_at(scope, window, window.begin_s)
    gone = [
        one
        for one in processes
        if (one.name, one.target) == (late.name, late.target)
        and one.first_s <= window.begin_s
        and one.last_s < late.first_s
    ]
    former = [replace(scope, process=one, value=one.value[scope.resource]) for one in gone]
    levels = [level_at(one, window, window.begin_s) for one in former or [scope]]
    return max((level for level in levels if level is not None), default=None)


def _assemble(
    resource: str, subject: Subject, scope: Scope, chosen: Judgement, rate: Rate | None
) -> ResourceVerdict:
    window, growth, leaks = subject.window, chosen.growth, chosen.decision == "leak"
    resolution = _scale(resource).resolution
    own = measure_scope(scope, window, subject.processes, resolution)
    check = None
    if leaks and own is not None and not own.track.is_recycled:
        check = check_early_forecast(
            window,
            lambda early: approach_of(scope, early, subject.processes, resolution),
            scope.limit if resource == "fds" and window.death else None,
            level_at(scope, window, window.end_s),
            resource,
        )
    found = ResourceVerdict(
        resource=resource,
        verdict=chosen.decision,
        reason="",
        baseline=baseline_of(scope, window, subject.processes),
        last=level_at(scope, window, math.inf),
        limit=scope.limit,
        scope=scope.name,
        pid=scope.pid,
        scope_per_request=own.slope if own and window.per_request else None,
        warmup_end_s=float(growth.points.elapsed_s[0]) if growth else None,
        judged_until_s=window.end_s,
        series=series_of(scope, window),
        fit=fit_of(own, per_request=window.per_request) if own else None,
        excluded_per_request=chosen.excluded if window.per_request else None,
        forecast_check=check,
        all_remotes=subject.all_remotes and metric(resource).columns == TCP_STATES,
        **_rates(rate, window),
        **_end(scope, subject, resolution, leaks=leaks),
    )
    return with_culprits(found, subject.names, window, subject.processes)


def _rates(rate: Rate | None, window: Window) -> dict[str, Any]:
    """The growth of all processes, as far as it is known."""
    if rate is None:
        return {}
    interval = rate.interval.scaled(window.hourly)
    found = {"per_hour": rate.slope * window.hourly, "per_hour_interval": interval}
    if window.per_request:
        found |= {"per_request": rate.slope, "per_request_interval": rate.interval}
    return found


def _end(scope: Scope, subject: Subject, resolution: float, *, leaks: bool) -> dict[str, Any]:
    """When the limit was reached, or will be if the resource leaks.

    There is no forecast for workers that are recycled: each life begins anew.
    """
    window = subject.window
    if scope.resource == "fds" and window.death is not None:
        at = window.death.elapsed_s
        reached = {"exhaustion_elapsed_s": at, "exhaustion_interval_s": Interval(at, at)}
        return {"requests_to_limit": 0.0, **reached}
    if not leaks or scope.limit is None:
        return {}
    approach = approach_of(scope, window, subject.processes, resolution)
    forecast = None if approach is None else forecast_limit(approach, window, scope.limit)
    if forecast is None:
        return {}
    left = None if forecast.requests is None else max(forecast.requests - window.end_x, 0.0)
    return {
        "forecast": forecast,
        "requests_to_limit": left,
        "exhaustion_elapsed_s": forecast.elapsed_s,
        "exhaustion_interval_s": forecast.interval_s,
    }
