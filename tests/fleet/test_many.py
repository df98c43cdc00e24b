"""A run of many targets is judged the same, however it is kept and whoever judges."""

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.fleet_runs import Plan, make_csv
from tidemark.analysis.opened import OF_TARGETS
from tidemark.analysis.reports import verdict_json
from tidemark.analysis.reports.files import write_run_report
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import assess_directory
from tidemark.analysis.verdict.targets import judge_target
from tidemark.commands.check import check
from tidemark.commands.report import report
from tidemark.fleet import many as fleet
from tidemark.fleet.compacting import compact
from tidemark.fleet.errors import FleetError
from tidemark.fleet.many import is_many, judge_many, judge_runs
from tidemark.fleet.workers import Workers
from tidemark.record.errors import TidemarkError, UnusableRunError

DATA = Path(__file__).parents[1] / "data"
RECORDED = sorted(path.parent for path in DATA.rglob("run.json"))
PLAN = Plan(targets=5, leaking=2, duration_s=3600.0, interval_s=10.0)


@functools.cache
def _made(is_compacted):
    """Made once for all tests, which copy it."""
    folder = tempfile.TemporaryDirectory(prefix="tidemark-test-many-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "many"
    make_csv(PLAN, path)
    if is_compacted:
        list(compact(path, replace=True))
    return path


def many(tmp_path, *, is_compacted=True):
    return shutil.copytree(_made(is_compacted), tmp_path / "many")


def verdict_of(path, workers):
    judged = judge_many(path, workers)
    assert judged.failed == ()
    return verdict_json.content(judged.assessment)


def assert_same(one, other):
    assert json.dumps(one, indent=1).splitlines() == json.dumps(other, indent=1).splitlines()


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_recorded_run_is_judged_the_same_once_it_is_compacted(tmp_path, recorded):
    path = shutil.copytree(recorded, tmp_path / recorded.name)
    before = verdict_json.content(assess_directory(path))
    list(compact(path, replace=True, anyway=False))
    assert not any((path / table.file).exists() for table in OF_TARGETS)
    assert_same(before, verdict_json.content(assess_directory(path)))


@pytest.mark.long
def test_one_target_is_read_without_the_others(tmp_path):
    path = many(tmp_path, is_compacted=False)
    whole = load_run(path)
    wanted = [judge_target(whole, target) for target in whole.target_ids]
    list(compact(path, replace=True))
    for place, target in enumerate(PLAN.ids):
        others = [one for one in path.glob("*.parquet/*") if target not in one.name]
        hidden = [
            one.rename(tmp_path / f"{one.parent.name}-{one.name}") for one in others if one.is_dir()
        ]
        run = load_run(path, target)
        assert run.target == target
        assert judge_target(run, target) == wanted[place]
        for one in hidden:
            table, _, name = one.name.partition("-")
            one.rename(path / table / name)


@pytest.mark.long
def test_the_verdict_is_the_same_from_csv_and_parquet_from_one_process_and_two(tmp_path):
    path = many(tmp_path, is_compacted=False)
    whole = verdict_json.content(write_run_report(path))
    assert whole["verdict"] == "leak"
    assert {one for one, found in whole["targets"].items() if found["verdict"] == "leak"} == set(
        PLAN.leaks
    )
    list(compact(path, replace=True))
    assert_same(whole, verdict_json.content(assess_directory(path)))
    assert_same(whole, verdict_of(path, Workers(1)))
    assert_same(whole, verdict_of(path, Workers(2)))


def test_the_report_of_targets_that_are_too_many_to_draw_is_an_overview(tmp_path, monkeypatch):
    path = many(tmp_path)
    monkeypatch.setattr(fleet, "MOST_ROWS", 10)
    monkeypatch.setattr(fleet, "run_of", lambda *_: pytest.fail("read all rows"))
    done = CliRunner().invoke(report, [str(path), "--jobs", "1"], standalone_mode=False)
    assert done.exception is None
    assert "leak" in done.output
    assert (path / "report.png").read_bytes().startswith(b"\x89PNG")
    page = (path / "report.html").read_text()
    assert all(target in page for target in PLAN.ids)
    assert set(json.loads((path / "verdict.json").read_text())["targets"]) == set(PLAN.ids)


def spoil(path, target):
    (path / "samples.parquet" / f"target={target}" / "part-0.parquet").write_bytes(b"no")


def test_a_target_that_cannot_be_judged_is_named_and_the_others_are_told(tmp_path):
    path = many(tmp_path)
    clean = [target for target in PLAN.ids if target not in PLAN.leaks]
    spoil(path, clean[0])
    done = CliRunner().invoke(report, [str(path)], standalone_mode=False)
    assert done.return_value == 2
    assert f"{path}, target {clean[0]}: " in done.stderr
    said = json.loads((path / "verdict.json").read_text())
    assert set(said["targets"]) == set(PLAN.ids) - {clean[0]}
    assert clean[0] in said["warnings"][0]
    checked = CliRunner().invoke(check, [str(path)], standalone_mode=False)
    assert checked.return_value == 2


def test_a_run_of_which_a_target_could_not_be_judged_is_not_clean(tmp_path):
    path = tmp_path / "many"
    make_csv(Plan(targets=3, leaking=0, duration_s=3600.0, interval_s=10.0), path)
    list(compact(path, replace=True))
    assert judge_many(path, Workers(1)).assessment.result == "clean"
    spoil(path, PLAN.ids[1])
    judged = judge_many(path, Workers(1))
    assert judged.assessment.verdict.verdict == "inconclusive"
    assert judged.assessment.exit_code == 3
    for target in PLAN.ids[:3]:
        spoil(path, target)
    with pytest.raises(FleetError, match=r"no target could be judged; replica-0000: .*Parquet"):
        judge_many(path, Workers(1))


@pytest.mark.parametrize("arguments", [["--jobs", "2"], ["--scheduler", "tcp://127.0.0.1:1"]])
def test_a_run_whose_targets_share_a_file_is_not_shared_out(tmp_path, arguments):
    path = many(tmp_path, is_compacted=False)
    assert not is_many(path)
    for command in (report, check):
        with pytest.raises(FleetError, match="tidemark compact"):
            CliRunner().invoke(
                command, [str(path), *arguments], standalone_mode=False, catch_exceptions=False
            )


def test_options_that_do_not_apply_are_refused(tmp_path):
    path = shutil.copytree(RECORDED[0], tmp_path / "one")
    for arguments, said in (
        (["--scheduler", "tcp://127.0.0.1:1"], "has one target"),
        (["--target", "target", "--jobs", "2"], "one target is judged here"),
        (["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"], "leave one of them out"),
    ):
        for command in (report, check):
            with pytest.raises(TidemarkError, match=said):
                CliRunner().invoke(
                    command, [str(path), *arguments], standalone_mode=False, catch_exceptions=False
                )


def test_check_of_many_targets_has_the_exit_code_of_the_worst(tmp_path):
    path = many(tmp_path)
    done = CliRunner().invoke(check, [str(path), "--jobs", "1"], standalone_mode=False)
    assert done.return_value == 1
    leaking = next(iter(PLAN.leaks))
    assert leaking in done.output


@pytest.mark.long
def test_several_runs_are_judged_in_processes_and_one_that_cannot_be_is_told(tmp_path):
    paths = [shutil.copytree(one, tmp_path / one.name) for one in RECORDED[:3]]
    wanted = [verdict_json.content(assess_directory(path)) for path in paths]
    (paths[1] / "samples.csv").write_text("nothing\n")
    assessed, failures = judge_runs(paths, Workers(2))
    assert [one.run.path for one in assessed] == [paths[0], paths[2]]
    assert_same(wanted[0], verdict_json.content(assessed[0]))
    assert len(failures) == 1
    assert failures[0].startswith(str(paths[1]))


def test_a_target_that_is_not_there_is_one_line(tmp_path):
    path = many(tmp_path)
    with pytest.raises(UnusableRunError, match="has no target 'nobody'; name one of replica-0000"):
        load_run(path, "nobody")
