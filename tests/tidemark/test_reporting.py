"""Reports are made by children, once each, and what went wrong is known."""

import threading

import pytest

from tests.analysis.rundirs import write_run
from tests.eventually import eventually
from tidemark.run import reporting
from tidemark.run.children import Nursery
from tidemark.run.reporting import Reports

SLOW_S = 90.0


@pytest.fixture
def reports(monkeypatch):
    monkeypatch.setattr(reporting, "NURSERY", Nursery())
    yield Reports()
    reporting.NURSERY.close()


@pytest.mark.long
def test_a_report_is_made_beside_the_run_and_nothing_is_printed(reports, tmp_path, capfd):
    path = write_run(tmp_path)
    reports.want(path)
    assert reports.is_making(path)
    eventually(lambda: not reports.is_making(path), "that it is made", SLOW_S)
    assert {"report.html", "report.png", "verdict.json"} <= {one.name for one in path.iterdir()}
    assert reports.failure(path) == ""
    assert capfd.readouterr() == ("", "")


@pytest.mark.long
def test_why_one_could_not_be_made_is_told_once(reports, tmp_path):
    reports.want(tmp_path)
    eventually(lambda: not reports.is_making(tmp_path), "that it has ended", SLOW_S)
    assert "holds no run.json" in reports.failure(tmp_path)
    assert reports.failure(tmp_path) == ""


def test_one_that_is_wanted_twice_is_made_once_and_one_after_another(
    reports, tmp_path, monkeypatch
):
    made, goes_on = [], threading.Event()

    def make(path, *, is_quiet):
        assert is_quiet
        made.append(path)
        assert goes_on.wait(SLOW_S)
        return ""

    monkeypatch.setattr(reporting, "_make", make)
    paths = [tmp_path / "a", tmp_path / "a", tmp_path / "b"]
    for path in paths:
        reports.want(path)
    eventually(lambda: made, "that the first is begun")
    assert reports.is_making(tmp_path / "b")
    assert len(made) == 1
    goes_on.set()
    eventually(lambda: not reports.is_making(tmp_path / "b") and len(made) == 2, "all")


def test_none_is_made_once_everything_was_ended(reports, tmp_path):
    reporting.NURSERY.close()
    reports.make(tmp_path)
    assert reports.failure(tmp_path) == "interrupted"
