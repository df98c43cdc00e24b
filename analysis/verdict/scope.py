"""What a limit applies to: one process for descriptors, all of them for everything else."""

from dataclasses import dataclass, replace

import numpy as np

from tidemark.analysis.verdict.growth import FEWEST_TO_FORECAST, Growth, measure, measure_from
from tidemark.analysis.verdict.limits import Limits
from tidemark.analysis.verdict.model import Fit, Floats, Line, Series
from tidemark.analysis.verdict.series import ProcessSeries, summed
from tidemark.analysis.verdict.tracks import LASTING_SHARE, tracks_of
from tidemark.analysis.verdict.trend import theil_sen
from tidemark.analysis.verdict.window import Window
from tidemark.record.metrics import metric

FEW_POINTS = 24
"""With fewer points than these the beginning is counted in, unless it lies off the line."""


@dataclass(frozen=True, slots=True)
class Approach:
    """What grows toward a limit that each of several processes has for itself.

    Attributes:
        growth: Growth of all of them together.
        levels: Where each of them is now.
        grown: By how much each of them has grown.
    """

    growth: Growth
    levels: tuple[float, ...]
    grown: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """What approaches the limit.

    Attributes:
        resource: Its name.
        name: `process N` or `all processes`.
        process: The process; None for all.
        limit: The limit; None where there is none or it was not recorded.
        value: The resource in the bins of the run, NaN where unknown.
        floor: Its minimum in each bin.
    """

    resource: str
    name: str
    process: ProcessSeries | None
    limit: float | None
    value: Floats
    floor: Floats

    @property
    def pid(self) -> int | None:
        """The process id; None for all processes."""
        return None if self.process is None else self.process.pid


def find_scope(
    resource: str, window: Window, processes: list[ProcessSeries], limits: Limits
) -> Scope:
    """Find what approaches the limit of a resource."""
    one = metric(resource)
    if not one.has_own_limit and len(processes) > 1:
        value, floor = (summed(processes, resource, which) for which in ("value", "floor"))
        return Scope(resource, "all processes", None, limits.of(one, None), value, floor)
    process = _nearest(resource, window, _not_replaced(window, processes), limits)
    value, floor = process.value[resource], process.floor[resource]
    limit = limits.of(one, process)
    return Scope(resource, f"process {process.pid}", process, limit, value, floor)


def _not_replaced(window: Window, processes: list[ProcessSeries]) -> list[ProcessSeries]:
    """The processes without those that had ended before another of their name began."""
    latest: dict[tuple[str, str], float] = {}
    for one in processes:
        if one.first_s <= window.end_s:
            who = one.target, one.name
            latest[who] = max(latest.get(who, one.first_s), one.first_s)
    return [one for one in processes if one.last_s >= latest.get((one.target, one.name), 0.0)]


def _nearest(
    resource: str, window: Window, processes: list[ProcessSeries], limits: Limits
) -> ProcessSeries:
    """The process that will reach its limit first, going on as it did; else the fullest one."""

    def remaining(process: ProcessSeries) -> tuple[float, float]:
        limit = limits.of(metric(resource), process) or np.inf
        inside = window.loaded & np.isfinite(process.value[resource])
        value, x = process.value[resource][inside], window.x[inside]
        if len(value) < 2:
            return np.inf, 1.0
        fullness = float(value[-1] / limit) if np.isfinite(limit) else -float(value[-1])
        late = x >= x[0] + 0.3 * (x[-1] - x[0])
        advanced = float(x[late][-1] - x[late][0])
        rise = float(value[late][-1] - value[late][0])
        if fullness >= 0.95 or advanced <= 0 or rise <= 0:
            return (0.0 if fullness >= 0.95 else np.inf), -fullness
        return (limit - float(value[-1])) / rise * advanced, -fullness

    return min(processes, key=remaining)


def measure_scope(
    scope: Scope, window: Window, processes: list[ProcessSeries], resolution: float
) -> Growth | None:
    """The growth of a scope in a window; None where there is too little to measure."""
    if scope.process is not None:
        return _measure_process(scope.resource, scope.process, window, resolution)
    tracks = tracks_of(scope.resource, processes, window.view)
    return measure(tracks[0], resolution, FEWEST_TO_FORECAST) if tracks else None


def _measure_process(
    resource: str, process: ProcessSeries, window: Window, resolution: float
) -> Growth | None:
    track = window.view.of_process(process, resource)
    found = measure(track, resolution, FEWEST_TO_FORECAST) if len(track) else None
    if found is not None and len(found.points) >= FEW_POINTS:
        return found
    track = window.view_from_the_beginning.of_process(process, resource)
    whole = measure_from(track, resolution, 0.0, "value") if len(track) else None
    if found is None or whole is None:
        return found or whole
    return whole if found.interval.contains(whole.slope) and not whole.slowing else found


def approach_of(
    scope: Scope, window: Window, processes: list[ProcessSeries], resolution: float
) -> Approach | None:
    """What grows toward the limit of a scope in a window; None where nothing can be measured."""
    if scope.process is None:
        growth = measure_scope(scope, window, processes, resolution)
        if growth is None or growth.track.is_recycled:
            return None
        return Approach(growth, (float(growth.track.value[-1]),), (1.0,))
    sharing = _sharing(scope, window, processes)
    joint = scope.process if len(sharing) == 1 else _joint(scope.resource, sharing)
    growth = _measure_process(scope.resource, joint, window, resolution)
    if growth is None:
        return None
    held = [process.value[scope.resource][window.loaded] for process in sharing]
    known = [values[np.isfinite(values)] for values in held]
    grown = tuple(max(float(values[-1] - values[0]), 0.0) for values in known)
    return Approach(growth, tuple(float(values[-1]) for values in known), grown)


def _sharing(scope: Scope, window: Window, processes: list[ProcessSeries]) -> list[ProcessSeries]:
    """The processes that answer the same requests: alike in name and limit, alive throughout.

    The first process of several is their parent; it shares nothing unless it grows itself.
    """
    resource, nearest, loaded = scope.resource, scope.process, window.loaded
    alike = [
        process
        for process in processes
        if nearest is not None
        and process.name == nearest.name
        and process.limits.get(resource) == scope.limit
        and np.isfinite(process.value[resource])[loaded].mean() >= LASTING_SHARE
    ]
    if len(alike) > 1:
        first = alike[0].value[resource][loaded]
        alike = alike[1:] if np.nanmax(first) <= np.nanmin(first) + 1.0 else alike
    return alike or ([nearest] if nearest is not None else [])


def _joint(resource: str, processes: list[ProcessSeries]) -> ProcessSeries:
    """The sum of several processes, as if they were one."""
    return replace(
        processes[0],
        value={resource: np.sum([p.value[resource] for p in processes], axis=0)},
        floor={resource: np.sum([p.floor[resource] for p in processes], axis=0)},
    )


def series_of(scope: Scope, window: Window) -> Series:
    """The binned series of a scope over the whole run."""
    there = np.isfinite(scope.value) & np.isfinite(window.bins.elapsed_s)
    requests = window.bins.requests
    return Series(
        window.bins.elapsed_s[there],
        requests[there] if window.per_request and requests is not None else None,
        scope.value[there],
        scope.floor[there],
    )


def fit_of(growth: Growth, *, per_request: bool) -> Fit:
    """The growth as lines against both axes, over the last life that was judged."""
    points = growth.points
    inside = points.life == points.life[-1]
    at, x, y = points.elapsed_s[inside], points.x[inside], points.y[inside]
    in_time = _line(theil_sen(at, y), at, y)
    if not per_request:
        return Fit(in_time, None)
    parallel = growth.track.parallel
    return Fit(in_time, _line(growth.slope / parallel, x * parallel, y))


def _line(slope: float, x: Floats, y: Floats) -> Line:
    return Line(slope, float(np.median(y - slope * x)), float(x[0]), float(x[-1]))
