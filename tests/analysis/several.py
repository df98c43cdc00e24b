"""Runs in memory that watched several targets, put together from runs of one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from tests.analysis import made
from tidemark.analysis.run import Run
from tidemark.record.events import Recorded
from tidemark.record.metadata import Target

Floats = made.Floats


def together(
    runs: Mapping[str, Run],
    *,
    unsampled: Sequence[str] = (),
    events: Sequence[Recorded[Any]] = (),
    hosts: Mapping[str, str] | None = None,
    outcome: str = "completed",
) -> Run:
    """One run of several targets.

    Args:
        runs: By target, a run of it alone; requests are those of the first.
        unsampled: Targets that run.json lists and that no sample is of.
        events: What happened, beside what happened to each.
        hosts: By target, the host that it runs on.
        outcome: How the run ended.
    """
    first = next(iter(runs.values()))
    own = [
        replace(one, event=replace(one.event, target=name))
        for name, run in runs.items()
        for one in run.events
    ]
    targets = tuple(Target(name, host=(hosts or {}).get(name)) for name in (*runs, *unsampled))
    return replace(
        first,
        metadata=replace(first.metadata, targets=targets, outcome=outcome),
        samples=_joined({name: run.samples for name, run in runs.items()}),
        endpoints=_joined({name: run.endpoints for name, run in runs.items()}),
        events=tuple(sorted((*own, *events), key=lambda one: one.elapsed_s)),
    )


def _joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    rows = [table.assign(target=name) for name, table in tables.items() if len(table)]
    if not rows:
        return next(iter(tables.values()))
    table = pd.concat(rows).sort_values("elapsed_s", kind="stable", ignore_index=True)
    return table.astype({"target": "category"})


def leaking(per_request: float, *, resource: str = "fds", seed: int = 3, **options: Any) -> Run:
    """A run of one target that leaks so much with each of the run's requests; 0 is clean."""
    at = made.ticks(options.pop("duration_s", 300.0))
    rng = made.np.random.default_rng(seed)
    requests = made.steady(at)
    level = 40.0 + made.np.floor(per_request * requests) + rng.integers(0, 3, len(at))
    return made.make_run(at, level, resource=resource, requests=requests, **options)
