"""Synthetic run directories, drawn from what the five strategies really do.

The figures come from the two-broker mock cluster: a leaked producer holds 7.8 descriptors, 1.8
ESTABLISHED connections and 3.8 threads, a shared one holds a constant number of each.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemark.record import layout
from tidemark.record.metrics import TCP_STATES

STARTED_AT = 1_790_000_000.0
BROKERS = ("127.0.0.1:40001", "127.0.0.1:40002")
TIME_WAIT_S = 60.0
MIB = 1024 * 1024
MOST_REQUESTS_KEPT = 2_000
"""Runs of more are not kept in memory for the next test."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """What a strategy costs: a base once it is warm, and so much for each request."""

    fds: float = 52.0
    fds_per_request: float = 0.0
    established: float = 3.0
    established_per_request: float = 0.0
    threads: float = 22.0
    threads_per_request: float = 0.0
    rss_mib: float = 62.0
    rss_kib_per_request: float = 0.0
    closed_per_request: float = 0.0
    p50_ms: float = 1.4
    p99_ms: float = 2.6
    late_p50_ms: float = 0.1
    late_p99_ms: float = 0.4
    warm_requests: int = 0


SHAPES = {
    "per-request-leaked": Shape(
        fds=18,
        fds_per_request=7.8,
        established=0,
        established_per_request=1.8,
        threads=18,
        threads_per_request=3.8,
        rss_mib=58,
        rss_kib_per_request=310,
        closed_per_request=1.0,
        p50_ms=58,
        p99_ms=110,
    ),
    "per-request-closed": Shape(
        fds=26, established=1, closed_per_request=3.0, threads=21, p50_ms=62, p99_ms=104
    ),
    "per-request-unflushed": Shape(
        fds=31, established=1, closed_per_request=2.6, threads=24, rss_mib=66, p50_ms=3.1, p99_ms=9
    ),
    "pooled": Shape(
        fds=82, established=16, threads=46, rss_mib=71, p50_ms=1.7, p99_ms=41, warm_requests=60
    ),
    "shared": Shape(),
}
STRATEGIES = tuple(SHAPES)


@dataclass(frozen=True)
class Plan:
    """One synthetic run: what is run, how long, and what happens to it."""

    strategy: str = "shared"
    shape: Shape | None = None
    rate: float = 8.0
    requests: int = 300
    interval_s: float = 0.2
    fds_limit: int = 1024
    workers: int = 1
    leaking_workers: int | None = None
    restarts: Sequence[float] = ()
    outage: tuple[float, float] | None = None
    gap: tuple[float, float] | None = None
    outcome: str | None = "completed"
    with_requests: bool = True
    with_composition: bool = True
    plateau_s: float = 8.0
    seed: int = 7
    brokers: Sequence[str] = BROKERS
    kernel: str = "6.1.0"

    @property
    def duration_s(self) -> float:
        return self.requests / self.rate

    @property
    def resolved(self) -> Shape:
        return self.shape or SHAPES[self.strategy]


def write_run(root: Path, plan: Plan | None = None, **changes: Any) -> Path:
    """Write the run directory `root/strategy` and return its path."""
    plan = replace(plan or Plan(), **changes)
    path = root / plan.strategy
    path.mkdir(parents=True)
    is_small = plan.requests <= MOST_REQUESTS_KEPT
    for name, content in (_files if is_small else _files.__wrapped__)(_hashable(plan)).items():
        (path / name).write_bytes(content)
    return path


def _hashable(plan: Plan) -> Plan:
    return replace(plan, restarts=tuple(plan.restarts), brokers=tuple(plan.brokers))


@functools.lru_cache(maxsize=128)
def _files(plan: Plan) -> Mapping[str, bytes]:
    """Name -> content; the same for the same plan, of which many tests have the same."""
    with TemporaryDirectory(prefix="tidemark-test-run-") as folder:
        path = Path(folder)
        _write(path, plan)
        return {one.name: one.read_bytes() for one in path.iterdir()}


def _write(path: Path, plan: Plan) -> None:
    series = _Series(plan)
    _samples(plan, series).to_csv(path / layout.SAMPLES.file, index=False)
    if plan.with_composition:
        _composition(plan, series).to_csv(path / "composition.csv", index=False)
    if plan.with_requests:
        _requests(plan, series).to_csv(path / "requests.csv", index=False)
    if plan.brokers:
        _endpoints(plan, series).to_csv(path / "endpoints.csv", index=False)
    _write_events(path, plan, series)
    _write_metadata(path, plan, series)
    (path / "target.log").write_text("[INFO] Listening at: http://127.0.0.1:8000\n")


def write_comparison(root: Path, **changes: Any) -> list[Path]:
    """Write a run of every strategy below `root`, in the order of the strategies."""
    return [write_run(root, strategy=name, **changes) for name in STRATEGIES]


class _Series:
    """The time series every file of a run is written from."""

    def __init__(self, plan: Plan) -> None:
        shape = plan.resolved
        self.random = np.random.default_rng(plan.seed)
        self.death_requests = self._requests_at_limit(plan, shape)
        death_s = self.death_requests / plan.rate
        self.exhausted = death_s < plan.duration_s
        end = death_s + plan.plateau_s if self.exhausted else plan.duration_s
        self.elapsed = np.arange(0.0, end + plan.interval_s / 2, plan.interval_s)
        self.elapsed[1:] += self.random.uniform(0, 0.002, self.elapsed.size - 1)
        due = np.cumsum(self.random.exponential(1 / plan.rate, int(end * plan.rate * 1.3) + 8))
        self.due = due[due < self.elapsed[-1]]
        self.started = np.searchsorted(self.due, self.elapsed).astype(float)
        answered = np.searchsorted(self.due, self.elapsed - shape.p50_ms / 1000).astype(float)
        self.answered = np.minimum(answered, self.death_requests)
        stuck = np.searchsorted(self.due, self.elapsed - 5.0) - self.death_requests
        self.failed = np.clip(stuck, 0, None).astype(float)
        if plan.outage:
            self._fail_during(*plan.outage)
        self.death_s = (
            float(self.elapsed[np.argmax(self.answered >= self.death_requests)])
            if self.exhausted
            else None
        )

    @staticmethod
    def _requests_at_limit(plan: Plan, shape: Shape) -> float:
        if not shape.fds_per_request or not plan.fds_limit:
            return float("inf")
        leaking = plan.leaking_workers or plan.workers
        per_worker = (plan.fds_limit - shape.fds) / shape.fds_per_request
        return float(np.floor(per_worker) * plan.workers if leaking else np.inf)

    def _fail_during(self, start: float, end: float) -> None:
        lost = self.started[np.searchsorted(self.elapsed, [start, end])]
        down = np.interp(self.elapsed, [start, end], [0, lost[1] - lost[0]])
        self.failed = self.failed + np.floor(down)

    @property
    def time(self) -> Floats:
        return STARTED_AT + self.elapsed

    def time_wait(self, per_request: float) -> Floats:
        """Return the connections closed in the last minute, which is what TIME_WAIT holds."""
        before = np.searchsorted(self.due, self.elapsed - TIME_WAIT_S)
        closed: Floats = per_request * (np.minimum(self.started, self.death_requests) - before)
        return np.floor(closed)


def _kept(mask_gap: tuple[float, float] | None, frame: pd.DataFrame) -> pd.DataFrame:
    if mask_gap is None:
        return frame
    return frame[~frame["elapsed_s"].between(*mask_gap)]


def _worker(plan: Plan, series: _Series, index: int) -> pd.DataFrame:
    shape = plan.resolved
    leaking = plan.leaking_workers is None or index < plan.leaking_workers
    served = series.answered / plan.workers
    pids = np.full(series.elapsed.size, 101 + index)
    for number, restart in enumerate(plan.restarts, start=1):
        after = series.elapsed >= restart
        served = np.where(after, served - served[np.argmax(after)], served)
        pids[after] = 101 + index + 100 * number
    leaked = served if leaking else np.zeros_like(served)
    warm = 1.0 if not shape.warm_requests else np.minimum(served / shape.warm_requests, 1)
    warm = np.where(served > 0, warm, 0)
    noise = series.random.integers(-1, 2, series.elapsed.size) * (served > 0)
    fds = np.floor(18 + (shape.fds - 18) * warm + shape.fds_per_request * leaked) + noise
    if plan.fds_limit:
        at_limit = leaked * shape.fds_per_request + shape.fds >= plan.fds_limit - 8
        fds = np.where(at_limit, plan.fds_limit, np.minimum(fds, plan.fds_limit))
    rss = shape.rss_mib * MIB + shape.rss_kib_per_request * 1024 * leaked
    return _frame(
        series,
        pid=pids,
        process="gunicorn",
        fds=fds,
        fds_limit=plan.fds_limit or np.nan,
        threads=np.floor(18 + (shape.threads - 18) * warm + shape.threads_per_request * leaked),
        rss_bytes=np.floor(rss + 4096 * series.random.integers(0, 60, series.elapsed.size)),
        cpu_s=np.round(0.4 + 0.004 * served, 3),
        established=np.floor(shape.established * warm + shape.established_per_request * leaked),
        sample_cost_s=0.0009,
    )


def _frame(series: _Series, **columns: Any) -> pd.DataFrame:
    zeros = dict.fromkeys(TCP_STATES, 0)
    frame = pd.DataFrame(
        {
            "time_s": series.time,
            "elapsed_s": series.elapsed,
            "target": layout.ONLY_TARGET,
            **zeros,
            **columns,
        }
    ).reindex(columns=list(layout.SAMPLES.columns))
    frame["time_s"], frame["elapsed_s"] = frame["time_s"].round(6), frame["elapsed_s"].round(6)
    counts = ["pid", "fds", "fds_limit", "threads", "rss_bytes", *TCP_STATES]
    return frame.astype(dict.fromkeys(counts, "Int64"))


def _samples(plan: Plan, series: _Series) -> pd.DataFrame:
    master = _frame(
        series,
        pid=100,
        process="gunicorn",
        fds=9,
        fds_limit=plan.fds_limit or np.nan,
        threads=1,
        rss_bytes=24 * MIB,
        cpu_s=0.2,
    )
    kernel = _frame(
        series,
        pid=0,
        process="kernel",
        time_wait=series.time_wait(plan.resolved.closed_per_request),
    )
    workers = [_worker(plan, series, index) for index in range(plan.workers)]
    frames = pd.concat([master, *workers, kernel])
    return _kept(plan.gap, frames.sort_values(["elapsed_s", "pid"], kind="stable"))


def _composition(plan: Plan, series: _Series) -> pd.DataFrame:
    step = max(1, round(1.0 / plan.interval_s), series.elapsed.size // 2000)
    ticks = slice(None, None, step)
    parts = []
    for index in range(plan.workers):
        worker = _worker(plan, series, index).iloc[ticks]
        parts += _names(plan, worker)
    return _kept(plan.gap, pd.concat(parts).sort_values("elapsed_s", kind="stable"))


def _names(plan: Plan, worker: pd.DataFrame) -> list[pd.DataFrame]:
    threads, fds = worker["threads"].astype(float), worker["fds"].astype(float)
    rdk, sockets = threads - 18, worker["established"].astype(float) + 2
    counts = {
        ("thread", "gunicorn"): np.full(len(worker), 2.0),
        ("thread", "ThreadPoolExecutor-*_*"): np.full(len(worker), 16.0),
        ("thread", "rdk:main"): np.floor(rdk / 3.8),
        ("thread", "rdk:broker-*"): np.floor(rdk / 3.8),
        ("thread", "rdk:broker*"): rdk - 2 * np.floor(rdk / 3.8),
        ("fd", "socket"): np.minimum(sockets, fds - 5),
        ("fd", "file"): np.full(len(worker), 4.0),
        ("fd", "eventfd"): np.full(len(worker), 1.0),
        ("fd", "pipe"): np.maximum(fds - 5 - sockets, 0),
    }
    columns = worker[["time_s", "elapsed_s", "target", "pid"]]
    return [
        columns.assign(kind=kind, name=name, count=np.asarray(count).astype(int))
        for (kind, name), count in counts.items()
    ]


def _requests(plan: Plan, series: _Series) -> pd.DataFrame:
    shape, size = plan.resolved, series.elapsed.size
    finished = series.answered + series.failed
    idle = np.diff(finished, prepend=0.0) == 0
    slow = np.where(np.diff(series.failed, prepend=0.0) > 0, 5000.0, np.nan)

    def percentile(typical: float) -> Floats:
        values = typical * np.exp(series.random.normal(0, 0.12, size))
        return np.where(idle, np.nan, np.where(np.isnan(slow), values, slow)).round(3)

    frame = pd.DataFrame(
        {
            "time_s": series.time.round(6),
            "elapsed_s": series.elapsed.round(6),
            "users": 1,
            "requests": finished.astype(int),
            "failures": series.failed.astype(int),
            "messages_accepted": (3 * series.answered).astype(int),
            "p50_ms": percentile(shape.p50_ms),
            "p95_ms": percentile((shape.p50_ms + 2 * shape.p99_ms) / 3),
            "p99_ms": percentile(shape.p99_ms),
            "late_p50_ms": np.where(idle, np.nan, shape.late_p50_ms),
            "late_p99_ms": np.where(idle, np.nan, shape.late_p99_ms),
            "late_max_ms": np.where(idle, np.nan, shape.late_p99_ms),
        }
    )
    return _kept(plan.gap, frame[list(layout.REQUESTS.columns)])


def _endpoints(plan: Plan, series: _Series) -> pd.DataFrame:
    step = max(1, series.elapsed.size // 2000)
    waiting = series.time_wait(plan.resolved.closed_per_request)[::step]
    parts = [
        pd.DataFrame(
            {
                "time_s": series.time[::step].round(6),
                "elapsed_s": series.elapsed[::step].round(6),
                "target": layout.ONLY_TARGET,
                "endpoint": endpoint,
                "held": 1,
                "time_wait": (waiting / len(plan.brokers)).astype(int),
                "kind": layout.BROKER,
                "foreign": 0,
            }
        )
        for endpoint in plan.brokers
    ]
    return pd.concat(parts)[list(layout.ENDPOINTS.columns)]


EMFILE_LINE = "OSError: [Errno 24] Too many open files"


def _events(plan: Plan, series: _Series) -> list[tuple[float, str, dict[str, Any]]]:
    limits = {"fds_limit": plan.fds_limit, "threads_limit": 15_000, "threads_limit_source": "nproc"}
    memory = {"rss_bytes_limit": 2**31, "rss_bytes_limit_source": "host"}
    ports = {"local_ports_low": 32768, "local_ports_high": 60999}
    found: list[tuple[float, str, dict[str, Any]]] = [
        (0.0, "run_started", {"strategy": plan.strategy}),
        (0.0, "target_started", {"pid": 100}),
        (0.0, "sampler_started", {"source": "netlink", "interval_s": plan.interval_s}),
    ]
    for pid in (100, *range(101, 101 + plan.workers)):
        fields = {"pid": pid, "process": "gunicorn", **limits, **memory, **ports}
        found.append((0.0, "limits_read", fields))
    found += [(at, "target_restarted", {"pid": 101}) for at in plan.restarts]
    if plan.outage:
        found += [(plan.outage[0], "broker_down", {"broker": plan.brokers[0]})]
        found += [(plan.outage[1], "broker_up", {"broker": plan.brokers[0]})]
    if plan.gap:
        missed = round((plan.gap[1] - plan.gap[0]) / plan.interval_s)
        fields = {"missed_ticks": missed, "interval_s": plan.interval_s}
        found.append((plan.gap[1], "gap", fields))
    if series.death_s is not None:
        found.append((series.death_s + 0.1, "emfile", {"line": EMFILE_LINE, "source": "log"}))
        found.append((series.death_s + 5.0, "stalled", {"seconds": 5.0}))
    if plan.outcome is not None:
        ended = "exhausted" if series.exhausted else plan.outcome
        found.append((float(series.elapsed[-1]), "run_ended", {"outcome": ended}))
    return sorted(found, key=lambda item: item[0])


def _write_events(path: Path, plan: Plan, series: _Series) -> None:
    lines = [
        json.dumps({"time_s": STARTED_AT + at, "elapsed_s": at, "event": name, **fields})
        for at, name, fields in _events(plan, series)
    ]
    (path / "events.jsonl").write_text("\n".join(lines) + "\n")


def _iso(time_s: float) -> str:
    return pd.Timestamp(time_s, unit="s", tz="UTC").isoformat()


def _write_metadata(path: Path, plan: Plan, series: _Series) -> None:
    shape = plan.resolved
    outcome = "exhausted" if series.exhausted and plan.outcome else plan.outcome
    ended = {"ended_at": _iso(float(series.time[-1])), "outcome": outcome} if plan.outcome else {}
    latency = {"p50": shape.p50_ms, "p95": shape.p99_ms * 0.9, "p99": shape.p99_ms, "max": 140.0}
    reference = {"reference": True} if plan.strategy == "shared" else {}
    document = {
        "format": layout.FORMAT,
        "strategy": plan.strategy,
        "started_at": _iso(STARTED_AT),
        **ended,
        "brokers": list(plan.brokers),
        "target": {
            "url": "http://127.0.0.1:8000",
            "command": ["python", "-m", "tidemark.targets.serve", plan.strategy],
            "fds_limit": plan.fds_limit,
            "workers": plan.workers,
        },
        "load": {
            "users": 1,
            "rate": plan.rate,
            "batch_size": 3,
            "payload_bytes": 100,
            "shape": "constant",
        },
        "host": {
            "kernel": plan.kernel,
            "cpus": 2,
            "page_size": 4096,
            "python": "3.11.7",
            "versions": {"confluent-kafka": "2.16.1", "librdkafka": "2.16.1", "locust": "2.47.0"},
        },
        **reference,
        **({"latency_ms": latency} if plan.with_requests and plan.outcome else {}),
    }
    (path / "run.json").write_text(json.dumps(document, indent=2))
