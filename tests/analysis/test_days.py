"""Verdicts on runs of days, whose rate goes by day and night: what follows it is no growth."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tidemark.analysis.verdict.assessment import Assessment, assess_directory
from tidemark.record.layout import REQUESTS, RUN_JSON, SAMPLES
from tidemark.record.metrics import TCP_STATES
from tidemark.run.shapes import Shape

MIB = 2**20
RATE, TICK_S = 20.0, 60.0


def write(
    folder: Path, shape: str, hours: float, *, fds: float = 0.0, memory_bytes: float = 0.0
) -> Path:
    """A run whose descriptors, threads and memory follow the rate, and grow with each request."""
    random = np.random.default_rng(1)
    curve = Shape.read(shape).curve
    at = np.arange(2.0, 3600 * hours, TICK_S)
    expected = RATE * np.array([curve.area_until(one) for one in at - 2.0])
    requests = np.concatenate([[0], np.cumsum(random.poisson(np.diff(expected)))])
    rate = np.gradient(expected, at)
    resident = 200 + 20 * -np.expm1(-requests / 3000) + 4 * rate + random.normal(0, 1, len(at))
    times = {"time_s": 1.79e9 + at, "elapsed_s": at}
    told = {
        **times,
        "target": "target",
        "pid": 100,
        "process": "api",
        "fds": 20 + random.poisson(rate) + np.floor(fds * requests).astype(int),
        "fds_limit": 65_536,
        "threads": 10 + random.poisson(rate / 2),
        "rss_bytes": (resident * MIB + memory_bytes * requests).astype(int),
        "cpu_s": (0.002 * requests).round(2),
        **dict.fromkeys(TCP_STATES, 0),
        "established": 4,
    }
    folder.mkdir()
    pd.DataFrame(told).reindex(columns=SAMPLES.columns).to_csv(folder / SAMPLES.file, index=False)
    counted = {**times, "users": 1, "requests": requests, "failures": 0}
    table = pd.DataFrame(counted).reindex(columns=REQUESTS.columns)
    table.to_csv(folder / REQUESTS.file, index=False)
    run = {"format": 2, "strategy": "api", "ended_at": "2026-09-24T00:00:00Z"}
    run |= {"outcome": "completed", "brokers": ["127.0.0.1:9092"], "load": {"rate": RATE}}
    (folder / RUN_JSON).write_text(json.dumps(run))
    return folder


def assessed(tmp_path: Path, shape: str, hours: float, **grows: float) -> Assessment:
    return assess_directory(write(tmp_path / "run", shape, hours, **grows))


@pytest.mark.parametrize(
    ("shape", "hours"), [("day-night", 72), ("spikes:every=1h,for=5m", 24), ("steps:each=2h", 12)]
)
def test_what_follows_the_rate_is_clean(tmp_path: Path, shape: str, hours: float) -> None:
    found = assessed(tmp_path, shape, hours)
    assert found.result == "clean", found.reason


@pytest.mark.parametrize(("shape", "hours"), [("day-night", 24), ("spikes:every=1h,for=5m", 24)])
def test_what_grows_with_requests_is_seen_all_the_same(
    tmp_path: Path, shape: str, hours: float
) -> None:
    found = assessed(tmp_path, shape, hours, fds=0.001, memory_bytes=300.0).verdict.resources
    assert found["fds"].verdict == found["rss_bytes"].verdict == "leak"
    assert found["threads"].verdict == "clean"
    assert found["fds"].per_request == pytest.approx(0.001, rel=0.05)
    assert found["rss_bytes"].per_request == pytest.approx(300, rel=0.1)
