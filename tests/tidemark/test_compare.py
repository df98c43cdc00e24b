"""What a comparison hands to each run, and what it amounts to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.analysis.rundirs import write_run
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.findings import Finding
from tidemark.analysis.verdict.target_result import TargetResult
from tidemark.record.directory import RunDirectory
from tidemark.record.metadata import utc_now
from tidemark.run.compare import Drive, exit_code, explain
from tidemark.run.options import RunOptions


def options(tmp_path: Path, **values: object) -> RunOptions:
    return RunOptions.parse({"results": tmp_path / "results", **values})


def test_every_run_gets_the_same_options_but_for_strategy_and_place(tmp_path: Path) -> None:
    def command(name: str) -> set[str]:
        given = options(tmp_path, rate="7", seed="3", strategy=name)
        path, told = tmp_path / name, frozenset({"strategy"})
        drive = Drive(name="mine", options=given, duration=30.0, users=2, told=told, path=path)
        return set(drive.command())

    first, second = command("shared"), command("pooled")
    assert {"--rate=7.0", "--seed=3", "--run-time=30s", "--users=2"} <= first & second
    assert first ^ second == {
        "--strategy=shared", "--strategy=pooled", "--run-name=shared", "--run-name=pooled",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("outcomes", "wanted"),
    [
        (["completed", "exhausted"], 0),
        (["completed", "aborted"], 3),
        (["completed", None], 3),  # its writer did not live
    ],
)
def test_a_run_that_was_not_run_whole_cannot_be_told(
    tmp_path: Path, outcomes: list[str | None], wanted: int
) -> None:
    paths = [tmp_path / str(number) for number in range(len(outcomes))]
    for path, outcome in zip(paths, outcomes, strict=True):
        ended_at = None if outcome is None else utc_now()
        RunDirectory.create(path).write_metadata(
            {"started_at": utc_now(), "ended_at": ended_at, "outcome": outcome}
        )
    assessed = [cast("Assessment", Assessed([])) for _ in paths]
    assert exit_code(assessed, paths) == wanted
    assert exit_code(assessed[1:], paths) == 3  # one of them holds nothing to assess


@dataclass
class Assessed:
    """What a comparison asks of an assessment."""

    findings: list[Finding]
    targets: tuple[TargetResult, ...] = ()


def test_a_run_without_a_sample_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, empty = (write_run(tmp_path / name, requests=120) for name in ("whole", "empty"))
    samples = empty / "samples.csv"
    samples.write_text(samples.read_text().partition("\n")[0] + "\n")
    paths = [whole, empty, tmp_path / "never-begun"]
    assessed = explain(paths, tmp_path / "out")
    assert [one.run.path for one in assessed] == [whole]
    assert exit_code(assessed, paths) == 3
    assert capsys.readouterr().err.count("samples.csv") == 1
