import json

import pytest

from tests.analysis.rundirs import write_run
from tidemark.analysis.reports import files as report
from tidemark.analysis.reports import verdict_json
from tidemark.record.errors import RunDirectoryError, UnusableRunError

FILES = ["report.html", "report.png", "verdict.json"]


@pytest.fixture
def run_path(tmp_path):
    return write_run(tmp_path, requests=120)


def test_a_report_is_rebuilt_from_the_run_directory(run_path):
    before = {path.name for path in run_path.iterdir()}
    assessment = report.write_run_report(run_path)
    after = {path.name for path in run_path.iterdir()}
    assert after - before == set(FILES)
    assert json.loads((run_path / "verdict.json").read_text()) == verdict_json.content(assessment)
    assert (run_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert (run_path / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_the_same_run_gives_the_same_files(run_path):
    report.write_run_report(run_path)
    first = {name: (run_path / name).read_bytes() for name in FILES}
    report.write_run_report(run_path)
    assert {name: (run_path / name).read_bytes() for name in FILES} == first


def test_a_comparison_reports_each_run_and_all_together(tmp_path):
    paths = [write_run(tmp_path, strategy=name, requests=60) for name in ("pooled", "shared")]
    rows = report.write_comparison(paths, tmp_path / "new" / "together")
    assert [row.run.strategy for row in rows] == ["pooled", "shared"]
    for folder in paths:
        assert set(FILES) <= {path.name for path in folder.iterdir()}
    together = sorted(path.name for path in (tmp_path / "new" / "together").iterdir())
    assert together == ["report.html", "report.png"]


def test_the_reference_is_the_control_of_the_others(tmp_path, monkeypatch):
    paths = [write_run(tmp_path, strategy=name, requests=60) for name in ("pooled", "shared")]
    seen = {}
    real = report.assess

    def assess(run, *, control=None, **how):
        seen[run.strategy] = control and control.strategy
        return real(run, control=control, **how)

    monkeypatch.setattr(report, "assess", assess)
    report.write_comparison(paths, tmp_path / "out")
    assert seen == {"pooled": "shared", "shared": None}


def test_nothing_to_compare_is_one_clear_line(tmp_path):
    with pytest.raises(report.ReportError, match="no run to compare"):
        report.write_comparison([], tmp_path)


def test_a_directory_that_is_no_run_is_one_clear_line(tmp_path):
    with pytest.raises(UnusableRunError, match="no run directory"):
        report.write_run_report(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_clear_line(run_path, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(report.ReportError, match="cannot be made") as caught:
        report.write_comparison([run_path], tmp_path / "file" / "out")
    assert "\n" not in str(caught.value)


def test_a_write_that_fails_leaves_the_old_report_and_no_litter(run_path, monkeypatch):
    report.write_run_report(run_path)
    old = (run_path / "report.html").read_bytes()
    before = {path.name for path in run_path.iterdir()}

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(RunDirectoryError, match="No space left on device"):
        report.write_run_report(run_path)
    assert (run_path / "report.html").read_bytes() == old
    assert {path.name for path in run_path.iterdir()} == before
