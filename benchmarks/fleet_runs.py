"""Runs of many targets, some of which leak, made tick by tick or target by target."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

from tidemark.analysis.opened import OF_TARGETS
from tidemark.analysis.partitions import CONTENTS, Part, Partitions, Source, folder_of
from tidemark.fleet.compacting import encoding, folder_name
from tidemark.record import layout
from tidemark.record.layout import Table

Floats = NDArray[np.float64]
MIB = 1 << 20
BEGAN_S = 1.79e9
RATE = 20.0
"""Requests per second and target."""
LEAKS = ("fds", "connections", "threads", "rss_bytes")
BROKER = "10.0.0.7:9092"


@dataclass(frozen=True)
class Plan:
    """A run of many targets.

    Attributes:
        targets: How many.
        leaking: How many of them leak, each one resource, in turn.
        duration_s: How long.
        interval_s: Seconds between two samples.
        seed: Of all chance in it.
    """

    targets: int = 1000
    leaking: int = 12
    duration_s: float = 86_400.0
    interval_s: float = 1.0
    seed: int = 13

    @property
    def ids(self) -> list[str]:
        """The targets' ids."""
        return [f"replica-{number:04d}" for number in range(self.targets)]

    @property
    def leaks(self) -> Mapping[str, str]:
        """Target -> what it leaks; they are spread over the run."""
        step = self.targets / self.leaking if self.leaking else 0
        ids = self.ids
        return {
            ids[int(step * (place + 0.5))]: LEAKS[place % len(LEAKS)]
            for place in range(self.leaking)
        }

    @property
    def at(self) -> Floats:
        """When samples were taken, seconds since the run began."""
        rng = np.random.default_rng(self.seed)
        count = int(self.duration_s / self.interval_s)
        return np.round(np.arange(count) * self.interval_s + 0.02 * rng.random(count), 6)

    def frames(self, number: int) -> dict[str, pd.DataFrame]:
        """The rows of a target, by table."""
        target, at = self.ids[number], self.at
        rng = np.random.default_rng((self.seed, number))
        times: dict[str, object] = {
            "time_s": np.round(BEGAN_S + at, 6),
            "elapsed_s": at,
            "target": target,
        }
        lost = self._lost(target, at)
        held = 4 + rng.integers(0, 3, len(at)) + lost["connections"]
        values: dict[str, object] = dict.fromkeys(layout.SAMPLES.columns, np.nan)
        values |= dict.fromkeys(layout.SAMPLES.columns[10:18], 0.0)
        values |= times | {
            "pid": 4000 + number,
            "process": "gunicorn",
            "fds": 40 + rng.poisson(3, len(at)) + lost["fds"] + lost["connections"],
            "fds_limit": 65536.0,
            "threads": 20 + rng.integers(0, 2, len(at)) + lost["threads"],
            "rss_bytes": 80 * MIB
            + 4096 * (rng.integers(0, 400, len(at)) + _warming(at))
            + lost["rss_bytes"],
            "cpu_s": np.round(0.1 * at, 2),
            "established": held,
            "sample_cost_s": 0.000412,
        }
        endpoints = times | {
            "endpoint": BROKER,
            "held": held,
            "time_wait": rng.poisson(5, len(at)),
            "kind": layout.BROKER,
            "foreign": 0,
        }
        every = max(1, round(10.0 / self.interval_s))
        return {
            layout.SAMPLES.file: pd.DataFrame(values, columns=list(layout.SAMPLES.columns)),
            layout.ENDPOINTS.file: pd.DataFrame(endpoints, columns=list(layout.ENDPOINTS.columns)),
            layout.COMPOSITION.file: _composition(number, times, held, every),
        }

    def _lost(self, target: str, at: Floats) -> dict[str, Floats]:
        """What a target has leaked by then: 1 in 500 requests, or 4 KiB in 20."""
        lost = {name: np.zeros(len(at)) for name in LEAKS}
        if resource := self.leaks.get(target):
            each = 4096.0 / 20 if resource == "rss_bytes" else 1.0 / 500
            lost[resource] = np.floor(at * RATE * each)
        return lost


def _warming(at: Floats) -> NDArray[np.int64]:
    return np.asarray(1500 * (1 - np.exp(-at / 300.0)), dtype=np.int64)


def _composition(number: int, times: dict[str, object], held: Floats, every: int) -> pd.DataFrame:
    counts = {
        ("thread", "rdk:broker*"): 3.0,
        ("thread", "gunicorn"): 1.0,
        ("fd", "socket"): held + 2,
        ("fd", "pipe"): 8.0,
    }
    parts = [
        pd.DataFrame(times | {"pid": 4000 + number, "kind": kind, "name": name, "count": count})
        for (kind, name), count in counts.items()
    ]
    some = [part.iloc[::every] for part in parts]
    whole = pd.concat(some).sort_values("elapsed_s", kind="stable")
    return whole[list(layout.COMPOSITION.columns)]


def make_compacted(plan: Plan, path: Path) -> None:
    """Write a run as `tidemark compact --replace` leaves it, target by target."""
    made: dict[str, dict[str, Part]] = {table.file: {} for table in OF_TARGETS}
    _fresh(path)
    for number, target in enumerate(plan.ids):
        frames = plan.frames(number)
        for table in OF_TARGETS:
            frame = frames[table.file].drop(columns="target")
            folder = folder_of(path, table) / folder_name(target)
            folder.mkdir(parents=True)
            stored = pa.Table.from_pandas(frame, preserve_index=False)
            names = stored.column_names
            parquet.write_table(stored, folder / "part-0.parquet", **encoding(names))
            until_s = float(frame["elapsed_s"].max())
            made[table.file][target] = Part(folder.name, len(frame), until_s)
    for table in OF_TARGETS:
        folder = folder_of(path, table)
        held = Partitions(folder, table, Source(0, 0), made[table.file])
        (folder / CONTENTS).write_text(json.dumps(held.contents()))
    _the_rest(plan, path)


def make_csv(plan: Plan, path: Path) -> None:
    """Write a run as it is recorded: the rows of all targets at every tick."""
    _fresh(path)
    held = [plan.frames(number) for number in range(plan.targets)]
    for table in OF_TARGETS:
        whole = pd.concat([frames.pop(table.file) for frames in held], ignore_index=True)
        whole = whole.sort_values("elapsed_s", kind="stable", ignore_index=True)
        _write_csv(path, table, whole)
    _the_rest(plan, path)


def _fresh(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)


def _write_csv(path: Path, table: Table, frame: pd.DataFrame) -> None:
    """As the sampler writes it: whole numbers without a point, texts without quotes."""
    for name in table.numbers:
        values = frame[name]
        if name not in layout.TIME_COLUMNS and (values.dropna() % 1 == 0).all():
            frame[name] = values.astype("Int64")
    options = csv.WriteOptions(quoting_style="none")
    with (path / table.file).open("wb") as file:
        file.write((",".join(table.columns) + "\n").encode())
        for part in _parts(frame):
            stored = pa.Table.from_pandas(part, preserve_index=False)
            csv.write_csv(
                stored,
                file,
                csv.WriteOptions(include_header=False, quoting_style=options.quoting_style),
            )


def _parts(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for begin in range(0, len(frame), 1 << 20):
        yield frame.iloc[begin : begin + (1 << 20)]


def _the_rest(plan: Plan, path: Path) -> None:
    """What is of the run as a whole; run.json last, which makes it one."""
    rng, at = np.random.default_rng(plan.seed), plan.at
    sent = rng.poisson(RATE * plan.targets * plan.interval_s, len(at)).cumsum()
    columns: dict[str, object] = dict.fromkeys(layout.REQUESTS.columns, np.nan)
    columns |= {
        "time_s": np.round(BEGAN_S + at, 6),
        "elapsed_s": at,
        "users": plan.targets,
        "requests": sent,
        "failures": 0,
        "messages_accepted": 10 * sent,
        "p50_ms": 1.4,
        "p95_ms": 2.2,
        "p99_ms": 4.1,
    }
    frame = pd.DataFrame(columns, columns=list(layout.REQUESTS.columns))
    frame.to_csv(path / layout.REQUESTS.file, index=False)
    events = (("run_started", 0.0), ("run_ended", float(at[-1])))
    lines = [
        json.dumps({"time_s": BEGAN_S + moment, "elapsed_s": moment, "event": event}) + "\n"
        for event, moment in events
    ]
    (path / layout.EVENTS_JSONL).write_text("".join(lines))
    metadata = {
        "format": layout.FORMAT,
        "strategy": f"{plan.targets}-replicas",
        "started_at": "2026-09-21T14:13:20Z",
        "ended_at": "2026-09-22T14:13:20Z",
        "outcome": "completed",
        "brokers": [BROKER],
        "target": {"fds_limit": 65536},
        "targets": [
            {"id": target, "pids": [4000 + number]} for number, target in enumerate(plan.ids)
        ],
        "load": {"rate": RATE * plan.targets},
        "host": {"cpus": 2},
    }
    (path / layout.RUN_JSON).write_text(json.dumps(metadata))
