"""Runs that watched several targets, put together from runs of one: in memory and on disk."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tests.analysis import made, rundirs
from tidemark.analysis.run import Run
from tidemark.record import layout
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


def write_several(root: Path, plans: Mapping[str, Mapping[str, Any]], **told: Any) -> Path:
    """Write the run directory `root/several` of several targets.

    Args:
        root: The folder it is made in.
        plans: By target, how its own run differs from `rundirs.Plan`; requests are those of the
            first.
        told: What run.json says beside that.
    """
    paths = {
        name: rundirs.write_run(root / "parts" / str(place), **plan)
        for place, (name, plan) in enumerate(plans.items())
    }
    out = root / "several"
    shutil.copytree(next(iter(paths.values())), out)
    for table in (layout.SAMPLES, layout.COMPOSITION, layout.ENDPOINTS):
        parts = [pd.read_csv(path / table.file).assign(target=name) for name, path in paths.items()]
        rows = pd.concat(parts).sort_values("elapsed_s", kind="stable")
        counts = rows.select_dtypes("float").columns.difference(["time_s", "elapsed_s"])
        whole = [name for name in counts if (rows[name].dropna() % 1 == 0).all()]
        rows.astype(dict.fromkeys(whole, "Int64")).to_csv(out / table.file, index=False)
    _write_events(out, paths)
    document = json.loads((out / layout.RUN_JSON).read_text())
    document |= {"targets": [{"id": name} for name in paths], **told}
    (out / layout.RUN_JSON).write_text(json.dumps(document))
    return out


def _write_events(out: Path, paths: Mapping[str, Path]) -> None:
    """What happened to each target, and once what happened to the run."""
    events = []
    for place, (name, path) in enumerate(paths.items()):
        for line in (path / layout.EVENTS_JSONL).read_text().splitlines():
            event = json.loads(line)
            is_of_target = "pid" in event or event["event"] == "emfile"
            if is_of_target or place == 0:
                events.append({**event, "target": name} if is_of_target else event)
    events.sort(key=lambda event: event["elapsed_s"])
    text = "".join(json.dumps(event) + "\n" for event in events)
    (out / layout.EVENTS_JSONL).write_text(text)
