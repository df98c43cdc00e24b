"""Local ports: what churn costs even where nothing is leaked.

A connection that the client closes keeps its local port in TIME_WAIT for 60 s on Linux
(TCP_TIMEWAIT_LEN in include/net/tcp.h). With r connections closed per second toward one endpoint
60 r ports are taken, besides those of the connections that are held, and the range
(`ip_local_port_range`) is all there is for one endpoint.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.decision import decide
from tidemark.analysis.verdict.forecast import forecast_limit
from tidemark.analysis.verdict.limits import Limits
from tidemark.analysis.verdict.model import Floats, Forecast, LocalPorts
from tidemark.analysis.verdict.scope import Approach
from tidemark.analysis.verdict.tracks import Track
from tidemark.analysis.verdict.window import Window
from tidemark.record.layout import BROKER, OTHER_ENDPOINTS, REMOTE
from tidemark.record.metrics import Measure

TIME_WAIT_S = 60.0
"""How long Linux keeps a connection in TIME_WAIT."""
BUSY = 200
"""With so many connections an end that is no broker is worth a word."""
NEAR = 0.5
"""A share of the range beyond which its use is worth a warning."""
SCALE = Measure(resolution=0.5, least_growth=2.0)


def judge_ports(run: Run, window: Window, limits: Limits) -> tuple[LocalPorts, ...]:
    """Judge the local ports toward each broker, and toward other ends that take many of them.

    Empty where they were not recorded.
    """
    brokers = run.endpoints_of(BROKER).groupby("endpoint", observed=True, sort=True)
    return tuple(
        _endpoint(str(name), rows, window, limits) for name, rows in (*brokers, *_busy_remotes(run))
    )


def _busy_remotes(run: Run) -> Iterator[tuple[str, pd.DataFrame]]:
    """Ends that are no brokers and take many ports; a look without a row for one saw none of it."""
    remotes = run.endpoints_of(REMOTE)
    for target, each in remotes.groupby("target", observed=True):
        looks = np.unique(each["elapsed_s"].to_numpy())
        named = each[each["endpoint"] != OTHER_ENDPOINTS]
        for name, rows in named.groupby("endpoint", observed=True, sort=True):
            if (rows["held"] + rows["time_wait"]).max() >= BUSY:
                columns = ["held", "time_wait", "foreign"]
                counts = rows.groupby("elapsed_s")[columns].sum().reindex(looks, fill_value=0.0)
                yield str(name), counts.reset_index().assign(target=target)


def _endpoint(name: str, rows: pd.DataFrame, window: Window, limits: Limits) -> LocalPorts:
    rows = rows.sort_values("elapsed_s", kind="stable")
    at = rows["elapsed_s"].to_numpy()
    held = rows["held"].to_numpy()
    waiting = rows["time_wait"].to_numpy()
    late = at >= at[-1] - max(10.0, 0.25 * (at[-1] - at[0]))
    used = _median(held[late] + waiting[late])
    churn = _churn(at, waiting, window)
    room = None if limits.local_ports is None else limits.local_ports - (_median(held[late]) or 0.0)
    forecast = _forecast(at, held, window, limits.local_ports)
    return LocalPorts(
        endpoint=name,
        used=used or 0.0,
        available=limits.local_ports,
        churn_per_s=churn,
        churn_ceiling_per_s=None if room is None else max(room, 0.0) / TIME_WAIT_S,
        exhaustion_elapsed_s=forecast.elapsed_s if forecast else None,
        exhaustion_interval_s=forecast.interval_s if forecast else None,
        reason=_reason(used or 0.0, limits.local_ports, churn, room, forecast)
        + _foreign(rows[late], waiting[late]),
    )


def _foreign(rows: pd.DataFrame, waiting: Floats) -> str:
    """What cannot be told: TIME_WAIT belongs to no process."""
    held = _median(rows["foreign"].to_numpy(dtype=float)) if "foreign" in rows else None
    if not held or not _median(waiting):
        return ""
    return f"; some may be other processes', which hold {units.several(held, 'connection')} there"


def _median(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def _churn(at: Floats, waiting: Floats, window: Window) -> float | None:
    """Connections closed per second: what is in TIME_WAIT was closed within the last minute."""
    known = np.isfinite(waiting) & (at >= window.begin_s) & (at <= window.end_s)
    if not known.any():
        return None
    covered = np.minimum(at[known] - window.begin_s, TIME_WAIT_S)
    full = covered >= 0.5 * min(float(covered.max()), TIME_WAIT_S)
    full &= covered > 0
    if not full.any():
        return None
    return float(np.median(waiting[known][full] / covered[full]))


def _forecast(at: Floats, held: Floats, window: Window, ports: float | None) -> Forecast | None:
    if ports is None:
        return None
    inside = np.isfinite(held) & (at >= window.begin_s) & (at <= window.end_s)
    if inside.sum() < 8:
        return None
    known = np.isfinite(window.x) & np.isfinite(window.bins.elapsed_s)
    x = np.interp(at[inside], window.bins.elapsed_s[known], window.x[known])
    track = Track(
        "endpoint",
        None,
        at[inside],
        x,
        held[inside],
        held[inside],
        np.zeros(int(inside.sum()), dtype=np.intp),
        np.empty((int(inside.sum()), 0)),
        np.zeros(int(inside.sum())),
    )
    found = decide(track, SCALE, None)
    if found.decision != "leak" or found.growth is None:
        return None
    return forecast_limit(Approach(found.growth, (float(held[inside][-1]),), (1.0,)), window, ports)


def _reason(
    used: float,
    available: float | None,
    churn: float | None,
    room: float | None,
    forecast: Forecast | None,
) -> str:
    if available is None:
        return f"{units.count(used)} local ports in use; the range was not recorded"
    text = f"{units.count(used)} of {units.count(available)} local ports in use"
    if forecast is not None:
        return f"{text}; held connections use them up at {units.duration(forecast.elapsed_s)}"
    if churn and room is not None:
        ceiling = max(room, 0.0) / TIME_WAIT_S
        text += (
            f"; {units.number(churn)} connections closed per second, each keeping its port "
            f"for 60 s: the ceiling is {units.number(ceiling, 3)} per second"
        )
    return text
