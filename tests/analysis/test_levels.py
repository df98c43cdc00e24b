"""A run that was to end at the level of a resource, and did."""

import json
from pathlib import Path

from tests.analysis.rundirs import write_run
from tidemark.analysis.figures.frame import subtitle
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import assess_directory
from tidemark.analysis.verdict.findings import Kind, Severity
from tidemark.record.layout import EVENTS_JSONL, RUN_JSON


def stopped(path: Path, elapsed_s: float, **told: object) -> Path:
    """Let a run have been stopped at a level, long before its planned end."""
    event = {"time_s": 1.79e9 + elapsed_s, "elapsed_s": elapsed_s, "event": "level_reached"}
    with (path / EVENTS_JSONL).open("a") as file:
        file.write(json.dumps(event | told) + "\n")
    run = json.loads((path / RUN_JSON).read_text())
    run["load"]["run_time_s"] = 86_400
    (path / RUN_JSON).write_text(json.dumps(run))
    return path


def test_it_fails_and_is_no_less_a_test(tmp_path: Path) -> None:
    run = write_run(tmp_path, strategy="shared", requests=600)
    told = {"asked": "fds=5%", "resource": "fds", "level": 52, "limit": 1024, "process": "api"}
    found = assess_directory(stopped(run, 74.0, **told))
    assert found.exit_code == 1
    assert found.result == "threshold"
    assert found.leading.kind is Kind.THRESHOLD
    assert found.because == (
        "file descriptors of api: 52 of 1,024 at 1 min 14 s, where the run was asked to stop"
    )
    assert found.verdict.verdict == "clean"


def test_a_leak_is_named_first(tmp_path: Path) -> None:
    run = write_run(tmp_path, strategy="per-request-leaked", fds_limit=65_536, requests=300)
    found = assess_directory(stopped(run, 37.0, asked="fds=2000", resource="fds", level=2000))
    assert found.result == "leak"
    thresholds = [one for one in found.findings if one.kind is Kind.THRESHOLD]
    assert [one.severity for one in thresholds] == [Severity.FAIL]
    assert "2,000 at 37 s" in thresholds[0].reason


def test_what_a_newer_version_bounds_is_left_alone(tmp_path: Path) -> None:
    run = write_run(tmp_path, strategy="shared", requests=600)
    found = assess_directory(stopped(run, 74.0, asked="x=1", resource="x", level=1))
    assert not any(one.kind is Kind.THRESHOLD for one in found.findings)


def test_the_picture_says_how_the_rate_went(tmp_path: Path) -> None:
    path = write_run(tmp_path, strategy="shared")
    assert "8 requests/s   ·" in subtitle(load_run(path))
    run = json.loads((path / RUN_JSON).read_text())
    run["load"]["shape"] = "day-night:night=20%,period=1d"
    (path / RUN_JSON).write_text(json.dumps(run))
    assert "8 requests/s, day-night:night=20%,period=1d   ·" in subtitle(load_run(path))
