"""The verdict on a run: what leaks, how fast, and when the run dies of it."""

from __future__ import annotations

import numpy as np
from scipy import stats

from analysis.errors import UnusableRunError
from analysis.model import (
    RESOURCES,
    Exhaustion,
    Fit,
    Floats,
    Forecast,
    Interval,
    Line,
    Messages,
    ResourceVerdict,
    Series,
    Verdict,
)
from analysis.run import Run
from analysis.series import Bins, ProcessSeries, bin_run, summed


def judge(run: Run, control: Run | None = None) -> Verdict:
    """Judge a run.

    Args:
        run: The run.
        control: A run of the same load against a service known to be clean.

    Raises:
        UnusableRunError: The run holds no sample of any process of the target.
    """
    bins, processes = bin_run(run)
    if not processes:
        raise UnusableRunError(run.path, "holds no sample of a process", "check --target-pid")
    death = _death(run, bins, processes)
    until = death.elapsed_s if death else float(np.nanmax(bins.elapsed_s))
    found = {name: _judge_resource(name, bins, processes, until, death) for name in RESOURCES}
    leaks = [name for name in RESOURCES if found[name].verdict == "leak"]
    unsure = [
        name for name in RESOURCES if found[name].verdict == "inconclusive" and found[name].limit
    ]
    decision = "leak" if leaks else "inconclusive" if unsure else "clean"
    named = leaks or unsure or ["fds"]
    first = [name for name in RESOURCES if found[name].exhaustion_elapsed_s is not None]
    first.sort(key=lambda name: found[name].exhaustion_elapsed_s or 0.0)
    return Verdict(
        run=run.name,
        verdict=decision,
        reason="; ".join(found[name].reason for name in named),
        resources=found,
        first_to_exhaust=first[0] if first else None,
        exhausted=death,
        messages=Messages(),
    )


def _death(run: Run, bins: Bins, processes: list[ProcessSeries]) -> Exhaustion | None:
    emfile = run.first_event("emfile")
    if emfile is None:
        return None
    requests = None
    if bins.requests is not None:
        requests = float(
            np.interp(emfile.elapsed_s, run.requests["elapsed_s"], run.requests["requests"].ffill())
        )
    return Exhaustion("fds", emfile.elapsed_s, requests)


def _judge_resource(
    name: str, bins: Bins, processes: list[ProcessSeries], until: float, death: Exhaustion | None
) -> ResourceVerdict:
    scope = max(processes, key=lambda p: np.nan_to_num(p.value[name], nan=-1.0).max())
    single = name == "fds"
    value = scope.value[name] if single else summed(processes, name)
    floor = scope.floor[name] if single else summed(processes, name, "floor")
    keep = np.isfinite(value) & np.isfinite(bins.elapsed_s) & (bins.elapsed_s <= until)
    if keep.sum() < 8:
        return ResourceVerdict(name, "inconclusive", f"{name}: fewer than 8 samples")
    elapsed, value, floor = bins.elapsed_s[keep], value[keep], floor[keep]
    requests = None if bins.requests is None else bins.requests[keep]
    start = elapsed[0] + 0.25 * (elapsed[-1] - elapsed[0])
    tail = elapsed >= start
    line_s, _ = _line(elapsed[tail], value[tail])
    line_r, interval = (None, None) if requests is None else _line(requests[tail], value[tail])
    grows = line_s.slope * (elapsed[-1] - start) > 2 and (interval is None or interval.low > 0)
    limit = scope.fds_limit if single else None
    forecast = None
    if limit and grows:
        level = line_s.at(elapsed[-1])
        at = elapsed[-1] + (limit - level) / line_s.slope
        forecast = Forecast(
            elapsed[-1],
            None if requests is None else requests[-1],
            level,
            limit,
            None if line_r is None else requests[-1] + (limit - level) / line_r.slope,
            None,
            at,
            Interval(at, at),
        )
    rate = line_r.slope if line_r else None
    return ResourceVerdict(
        resource=name,
        verdict="leak" if grows else "clean",
        reason=f"{name} grow by {rate or line_s.slope:.3g}" if grows else f"{name} are flat",
        per_request=rate,
        per_request_interval=interval,
        per_hour=line_s.slope * 3600,
        baseline=float(value[0]),
        last=float(value[-1]),
        limit=limit,
        requests_to_limit=0.0 if death and single else None,
        exhaustion_elapsed_s=death.elapsed_s
        if death and single
        else forecast and forecast.elapsed_s,
        exhaustion_interval_s=forecast and forecast.interval_s,
        warmup_end_s=float(start),
        judged_until_s=float(elapsed[-1]),
        series=Series(elapsed, requests, value, floor),
        fit=Fit(line_s, line_r),
        forecast=forecast,
    )


def _line(x: Floats, y: Floats) -> tuple[Line, Interval]:
    if x[-1] <= x[0]:
        return Line(0.0, float(np.median(y)), float(x[0]), float(x[-1])), Interval(0.0, 0.0)
    slope, intercept, low, high = stats.theilslopes(y, x, 0.90)
    return (
        Line(float(slope), float(intercept), float(x[0]), float(x[-1])),
        Interval(float(low), float(high)),
    )
