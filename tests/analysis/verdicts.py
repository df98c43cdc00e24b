"""Verdicts made by hand, so that what is drawn and written is tested apart from what is judged."""

from typing import Any

import numpy as np

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.assessment import Assessment, weigh
from tidemark.analysis.verdict.model import (
    Exhaustion,
    Fit,
    Forecast,
    ForecastCheck,
    Interval,
    Line,
    LocalPorts,
    ResourceVerdict,
    Verdict,
)

HOUR_S = 3600.0


def clean_assessment(run: Run, /, **changes: Any) -> Assessment:
    """Return what the verdict that nothing leaks amounts to."""
    return weigh(run, clean(run, **changes))


def leak_assessment(run: Run, /, *, dead: bool = True, **changes: Any) -> Assessment:
    """Return what the verdict that `run` leaks amounts to."""
    return weigh(run, leak(run, dead=dead, **changes))


def clean(run: Run, /, **changes: Any) -> Verdict:
    """Return the verdict that nothing leaks in `run`."""
    worker = _largest(run)
    resources = {
        "fds": _flat("fds", worker["fds"].iloc[-1], 1024.0, pid=int(worker["pid"].iloc[0])),
        "connections": _flat("connections", float(worker["established"].iloc[-1]), None),
        "threads": _flat("threads", float(worker["threads"].iloc[-1]), 15000.0),
        "rss_bytes": _flat("rss_bytes", float(worker["rss_bytes"].iloc[-1]), 2.0**31),
    }
    values: dict[str, Any] = {
        "run": run.name,
        "verdict": "clean",
        "reason": "No resource grows with the requests.",
        "resources": resources,
    }
    return Verdict(**(values | changes))


def leak(run: Run, /, *, dead: bool = True, **changes: Any) -> Verdict:
    """Return the verdict that `run` leaks 7.8 descriptors a request, with all there is to draw."""
    worker = _largest(run)
    elapsed, fds = worker["elapsed_s"].to_numpy(), worker["fds"].to_numpy()
    at_limit = elapsed[fds >= 1016]
    end = float(at_limit[0]) if at_limit.size else float(elapsed[-1])
    early = end / 4
    slope = (float(np.interp(end, elapsed, fds)) - 18) / end
    requests = 129.0
    first = Forecast(
        made_at_elapsed_s=early,
        made_at_requests=32.0,
        level=18 + slope * early,
        limit=1024.0,
        requests=131.0,
        requests_interval=Interval(122.0, 141.0),
        elapsed_s=1006 / slope * 1.02,
        interval_s=Interval(1006 / slope * 0.93, 1006 / slope * 1.12),
    )
    check = ForecastCheck(
        first,
        "exhaustion",
        131.0,
        Interval(122.0, 141.0),
        requests,
        "requests",
        0.0155,
        covered=True,
    )
    last = Forecast(
        made_at_elapsed_s=end,
        made_at_requests=80.0,
        level=18 + slope * end,
        limit=1024.0,
        requests=requests,
        requests_interval=Interval(125.0, 133.0),
        elapsed_s=1006 / slope,
        interval_s=Interval(1006 / slope * 0.97, 1006 / slope * 1.03),
    )
    resources = {
        "fds": ResourceVerdict(
            resource="fds",
            verdict="leak",
            reason="Descriptors grow by 7.8 a request without a pause, up to the limit of 1,024.",
            per_request=7.8,
            per_request_interval=Interval(7.75, 7.84),
            per_hour=224_640.0,
            per_hour_interval=Interval(223_000.0, 226_000.0),
            baseline=18.0,
            last=float(fds[-1]),
            limit=1024.0,
            requests_to_limit=0.0 if dead else 49.0,
            exhaustion_elapsed_s=end if dead else 1006 / slope,
            exhaustion_interval_s=last.interval_s,
            scope=f"process {worker['pid'].iloc[0]}",
            pid=int(worker["pid"].iloc[0]),
            scope_per_request=7.8,
            fit=Fit(Line(slope, 18.0, 0.0, end), Line(7.8, 18.0, 0.0, requests)),
            forecast=None if dead else last,
            forecast_check=check if dead else None,
        ),
        "connections": _flat("connections", 230.0, None, verdict="leak", per_request=1.8),
        "threads": _flat("threads", 504.0, 15000.0, verdict="inconclusive", per_request=3.8),
        "rss_bytes": _flat("rss_bytes", 1.2e8, 2.0**31, verdict="leak", per_request=317_440.0),
    }
    values: dict[str, Any] = {
        "run": run.name,
        "verdict": "leak",
        "reason": "Descriptors grow by 7.8 a request and reached the limit of 1,024.",
        "resources": resources,
        "first_to_exhaust": "fds",
        "exhausted": Exhaustion("fds", end, requests) if dead else None,
        "local_ports": (
            LocalPorts("127.0.0.1:40001", 64.0, 28232.0, 4.0, 470.0, None, None, "far from it"),
        ),
    }
    return Verdict(**(values | changes))


def _largest(run: Run) -> Any:
    own = run.samples[run.samples["pid"] > 0].dropna(subset=["fds"])
    return own[own["pid"] == own.loc[own["fds"].idxmax(), "pid"]]


def _flat(
    resource: str,
    level: float,
    limit: float | None,
    *,
    verdict: Any = "clean",
    per_request: float = 0.0,
    pid: int | None = None,
) -> ResourceVerdict:
    return ResourceVerdict(
        resource=resource,
        verdict=verdict,
        reason=f"{resource} judged {verdict}.",
        per_request=per_request,
        per_request_interval=Interval(per_request * 0.99, per_request * 1.01),
        per_hour=per_request * 8 * HOUR_S,
        baseline=level,
        last=level,
        limit=limit,
        pid=pid,
    )
