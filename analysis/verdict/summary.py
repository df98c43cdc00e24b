"""One row of the comparison table per run, and what makes two runs unlike."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.faults import FaultEffect, fault_effects
from tidemark.analysis.verdict.latency import Latency, overall_latency
from tidemark.analysis.verdict.model import Verdict
from tidemark.record.layout import KERNEL_PID
from tidemark.record.metadata import RunMetadata
from tidemark.record.metrics import USED, Metric


@dataclass(frozen=True, slots=True)
class Summary:
    """What a comparison counts of one run. None is what was not recorded.

    Attributes:
        requests: Requests answered or failed.
        failures: Those of them that failed.
        latency: Their response times.
        per_request: What one request costs, by metric: the growth of what is judged, and the
            use of what is used up.
        faults: What each injected fault did, in order of time.
    """

    requests: int | None
    failures: int | None
    latency: Latency
    per_request: Mapping[str, float | None]
    faults: tuple[FaultEffect, ...] = ()


def summarise(run: Run, verdict: Verdict) -> Summary:
    """Return the row of the comparison table for a run."""
    growth = {name: found.per_request for name, found in verdict.resources.items()}
    used = {one.name: use_per_request(run, one) for one in USED}
    return Summary(*_counts(run), overall_latency(run), growth | used, fault_effects(run, verdict))


def use_per_request(run: Run, metric: Metric) -> float | None:
    """What all processes used up of a running total while requests came, for each of them."""
    if not len(run.requests):
        return None
    rows = run.samples[run.samples["pid"] != KERNEL_PID]
    at, counts = (run.requests[name].to_numpy(dtype=float) for name in ("elapsed_s", "requests"))
    served = counts[-1] - counts[0]
    inside = rows[rows["elapsed_s"].between(at[0], at[-1])]
    each = inside.groupby(["target", "pid"], observed=True)[list(metric.columns)]
    used = float((each.max() - each.min()).to_numpy().sum())
    return used / served if served > 0 and len(inside) and math.isfinite(used) else None


def _counts(run: Run) -> tuple[int | None, int | None]:
    if not len(run.requests):
        return None, None
    last = run.requests[["requests", "failures"]].ffill().iloc[-1]
    known = [None if math.isnan(value) else int(value) for value in last]
    return known[0], known[1]


Likeness = tuple[tuple[str, Callable[[RunMetadata], object]], ...]

CONDITIONS: Likeness = (
    ("request rate", lambda meta: meta.load.get("rate")),
    ("users", lambda meta: meta.load.get("users")),
    ("seconds to settle", lambda meta: meta.settle_s),
    ("load shape", lambda meta: meta.load.get("shape")),
    ("workload", lambda meta: meta.load.get("workload")),
    ("batch size", lambda meta: meta.load.get("batch_size")),
    ("payload bytes", lambda meta: meta.load.get("payload_bytes")),
    ("service", lambda meta: meta.target.get("service")),
    ("descriptor limit", lambda meta: meta.target.get("fds_limit")),
    ("workers", lambda meta: meta.target.get("workers")),
    ("threads per worker", lambda meta: meta.target.get("threads")),
    ("number of brokers", lambda meta: len(meta.brokers) or None),
)
"""What makes the test, and has to be equal for two runs to be compared."""
HOST: Likeness = (
    ("kernel", lambda meta: meta.host.get("kernel")),
    ("machine", lambda meta: meta.host.get("machine")),
    ("processors", lambda meta: meta.host.get("cpus")),
    ("Python", lambda meta: meta.host.get("python")),
)
"""What it ran on; versions of libraries are the other part of that."""


def differences(runs: Sequence[Run]) -> list[str]:
    """Return what runs of several strategies should not differ in: "request rate: 8 and 50".

    What a run did not record is not held against it.
    """
    return [*_differing(CONDITIONS, runs), *environment(runs)]


def conditions(runs: Sequence[Run]) -> list[str]:
    """Return what makes the runs different tests, the strategy included."""
    strategies = _difference("strategy", [run.metadata.strategy for run in runs])
    return [*strategies, *_differing(CONDITIONS, runs)]


def environment(runs: Sequence[Run]) -> list[str]:
    """Return what the runs differ in that they ran on: the host and versions of libraries."""
    found = _differing(HOST, runs)
    libraries = [run.metadata.host.get("versions") for run in runs]
    versions = [known if isinstance(known, Mapping) else {} for known in libraries]
    for library in sorted({str(name) for known in versions for name in known}):
        found += _difference(library, [known.get(library) for known in versions])
    return found


def _differing(likeness: Likeness, runs: Sequence[Run]) -> list[str]:
    return [
        text
        for name, read in likeness
        for text in _difference(name, [read(run.metadata) for run in runs])
    ]


def _difference(name: str, values: Sequence[object]) -> list[str]:
    texts = [
        value if isinstance(value, str) else json.dumps(value)
        for value in values
        if value is not None
    ]
    distinct = list(dict.fromkeys(texts))
    return [f"{name}: {' and '.join(distinct)}"] if len(distinct) > 1 else []


def unlike(runs: Sequence[Run]) -> str | None:
    """Return the warning that the runs are unlike and in what; None when they are alike."""
    found = differences(runs)
    if not found:
        return None
    return "These runs are not alike, so compare them with care. " + "; ".join(found)
