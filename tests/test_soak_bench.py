"""The bench of memory over days: that it sees what it says, and fails where it has to."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from benchmarks.soak import __main__ as soak
from benchmarks.soak import recording
from benchmarks.soak.recording import Counted, Wanted, record
from benchmarks.soak.telling import table
from tidemark.analysis.verdict.assessment import assess_directory
from tidemark.record.directory import RunDirectory
from tidemark.record.layout import REQUESTS, SAMPLES
from tidemark.record.stream import RowStream

if TYPE_CHECKING:
    from collections.abc import Mapping

ENOUGH = Wanted(ticks=200, requests=1000)


def test_rows_of_one_tick_count_once(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    counted = Counted(path)
    assert counted.look() == 0
    path.write_text("time_s,elapsed_s,pid\n1.0,0.0,1\n1.0,0.0,2\n2.0,1.0,1\n2.0,1")
    assert counted.look() == 2
    with path.open("a") as file:
        file.write(".0,2\n3.0,2.0,1\n")
    assert counted.look() == 3


def test_requests_stand_on_the_time_of_who_watched(tmp_path: Path) -> None:
    run, watched = RunDirectory(tmp_path / "run"), RunDirectory(tmp_path / "watched")
    for directory in (run, watched):
        directory.path.mkdir()
    with watched.writer(SAMPLES) as samples:
        samples.append({"time_s": 1010.0, "elapsed_s": 0.5, "pid": 1})
        samples.append({"time_s": 1012.0, "elapsed_s": 2.5, "pid": 1})  # the last one
    with run.writer(REQUESTS) as rows:
        for tick in range(500):
            times = {"time_s": 1008.0 + tick / 100, "elapsed_s": 3.0 + tick / 100}
            rows.append({**times, "requests": tick})
    recording.count_requests(run.path, watched.path)
    found = RowStream(watched.path, REQUESTS).new_rows()
    assert [float(row["elapsed_s"]) for row in found] == pytest.approx([0.0, 1.0, 2.0])
    assert [row["requests"] for row in found] == ["150", "250", "350"]


@pytest.mark.parametrize(
    ("ticks", "exit_code", "expected"),
    [
        ({"sampler": 200, "agent": 201}, 0, 0),
        ({"sampler": 199, "agent": 201}, 0, 1),
        ({"sampler": 200, "agent": 201}, 1, 1),
        ({"sampler": 200, "agent": 201}, 3, 1),
    ],
)
def test_it_fails_unless_all_are_clean(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    ticks: Mapping[str, int],
    exit_code: int,
    expected: int,
) -> None:
    monkeypatch.setattr(soak, "record", lambda *_: ticks)
    monkeypatch.setattr(soak, "assess_directory", lambda _: SimpleNamespace(targets=()))
    checked = SimpleNamespace(returncode=exit_code)
    monkeypatch.setattr(soak.subprocess, "run", lambda *_, **__: checked)
    assert soak.run(ENOUGH, tmp_path) == expected


@pytest.mark.long
@pytest.mark.e2e
def test_all_three_are_watched_while_days_go_by(tmp_path: Path) -> None:
    ticks = record(ENOUGH, tmp_path)
    assert set(ticks) == {"sampler", "agent", "requests.csv"}
    assert min(ticks.values()) >= ENOUGH.ticks
    fetched = RowStream(tmp_path / "run", SAMPLES).new_rows()
    assert {row["target"] for row in fetched} == {"service"}
    assessment = assess_directory(tmp_path / "watched")
    assert {one.id for one in assessment.targets} == {"locust", "sampler", "agent"}
    told = table(assessment)
    for name in ("locust", "sampler", "agent"):
        assert f"| {name} | memory, KiB |" in told
    assert int(RowStream(tmp_path / "watched", REQUESTS).new_rows()[-1]["requests"]) >= 1000 / 2
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in listed.stdout
