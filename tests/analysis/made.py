"""Runs in memory in which one resource carries a series that a test has made."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemark.analysis.run import Run
from tidemark.analysis.tables import empty_table
from tidemark.record import layout
from tidemark.record.events import Event, LimitsRead, Recorded, RuntimeSeen
from tidemark.record.metadata import RunMetadata, Target

Floats = npt.NDArray[np.float64]
MIB = 1024 * 1024
UNREAD = ("rss_anon_bytes", "heap_bytes", "collections")
"""Columns that are empty where a test says nothing of them: not every sampler reads them."""


def ticks(duration_s: float = 600.0, interval_s: float = 1.0) -> Floats:
    """Times of samples."""
    return np.arange(0.0, duration_s, interval_s)


def steady(at: Floats, rate: float = 10.0) -> Floats:
    """Requests at a steady rate without any chance in it."""
    return np.floor(at * rate)


def metadata(**changes: Any) -> RunMetadata:
    """What run.json says."""
    values: dict[str, Any] = {
        "format": layout.FORMAT,
        "strategy": "made",
        "started_at": None,
        "ended_at": dt.datetime(2026, 11, 24, tzinfo=dt.UTC),
        "outcome": "completed",
        "brokers": (),
        "target": {},
        "targets": (Target(layout.ONLY_TARGET),),
        "load": {},
        "host": {},
        "raw": {},
    }
    return RunMetadata(**(values | changes))


def happened(at: float, event: Event) -> Recorded[Any]:
    """An event at a moment of the run."""
    return Recorded(1.7e9 + at, at, event)


def limits(at: float = 0.0, **fields: Any) -> Recorded[Any]:
    """What the sampler says when it first sees a process."""
    return happened(at, LimitsRead(pid=10, process="worker", **fields))


def run_by(runtime: str, pid: int = 10, at: float = 0.0, **fields: Any) -> Recorded[Any]:
    """What the sampler says of what a process is run by."""
    return happened(at, RuntimeSeen(pid=pid, target=layout.ONLY_TARGET, runtime=runtime, **fields))


def make_run(
    at: Floats,
    series: Floats | Sequence[Floats],
    *,
    resource: str = "fds",
    requests: Floats | None = None,
    users: Floats | None = None,
    fds_limit: float = 65536.0,
    events: Sequence[Recorded[Any]] = (),
    endpoints: pd.DataFrame | None = None,
    raw: dict[str, Any] | None = None,
    load: dict[str, Any] | None = None,
    outcome: str = "completed",
    extra: Mapping[str, Floats | Sequence[Floats]] | None = None,
    runtime: str | Sequence[str | None] | None = None,
) -> Run:
    """A run whose processes (one for each series) carry it in one resource; NaN is not alive.

    `extra` is what other columns hold: of all processes alike, or a series for each; `runtime`
    what they are run by, in the same way.
    """
    many = [series] if isinstance(series, np.ndarray) else list(series)
    parts = [_rows(at, 10 + n, values, resource, fds_limit) for n, values in enumerate(many)]
    for name, held in (extra or {}).items():
        each = [held] * len(many) if isinstance(held, np.ndarray) else list(held)
        for part, values, own in zip(parts, many, each, strict=True):
            part[name] = own[np.isfinite(values)]
    kinds = [runtime] * len(many) if isinstance(runtime, str) else list(runtime or ())
    seen = [run_by(kind, 10 + n) for n, kind in enumerate(kinds) if kind is not None]
    samples = pd.concat(parts).sort_values("elapsed_s", kind="stable", ignore_index=True)
    samples = samples.astype({"process": "category", "target": "category"})
    counted = empty_table(layout.REQUESTS)
    if requests is not None:
        counted = _requests(at, requests, users)
    held = empty_table(layout.ENDPOINTS)
    if endpoints is not None:
        told = {"target": layout.ONLY_TARGET, "kind": layout.BROKER, "foreign": np.nan}
        held = endpoints.assign(**{name: told[name] for name in told if name not in endpoints})
    return Run(
        Path("made"),
        metadata(raw=raw or {}, load=load or {}, outcome=outcome),
        samples,
        empty_table(layout.COMPOSITION),
        counted,
        empty_table(layout.ROUTES),
        held,
        (*seen, *events),
    )


def _rows(at: Floats, pid: int, values: Floats, resource: str, fds_limit: float) -> pd.DataFrame:
    alive = np.isfinite(values)
    columns: dict[str, Any] = dict.fromkeys(layout.SAMPLES.columns, 0.0)
    columns |= dict.fromkeys(UNREAD, np.nan)
    columns |= {
        "time_s": 1.7e9 + at[alive],
        "elapsed_s": at[alive],
        "target": layout.ONLY_TARGET,
        "pid": pid,
        "process": "worker",
        "fds": 30.0,
        "fds_limit": fds_limit,
        "threads": 9.0,
        "rss_bytes": 60.0 * MIB,
        "established": 2.0,
    }
    columns["established" if resource == "connections" else resource] = values[alive]
    return pd.DataFrame(columns, index=range(int(alive.sum())))


def _requests(at: Floats, requests: Floats, users: Floats | None) -> pd.DataFrame:
    columns: dict[str, Any] = dict.fromkeys(layout.REQUESTS.columns, 0.0)
    columns |= {
        "time_s": 1.7e9 + at,
        "elapsed_s": at,
        "users": 1.0 if users is None else users,
        "requests": requests,
        "messages_accepted": 10 * requests,
    }
    return pd.DataFrame(columns, index=range(len(at)))
