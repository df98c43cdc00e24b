"""A run of format 1, as version 0.1.0 recorded it, is still read."""

from pathlib import Path

import pytest

from tidemark.record import layout
from tidemark.record.directory import RunDirectory
from tidemark.record.events import Emfile, LimitsRead, RunEnded, SamplerStarted, Unknown, of_kind
from tidemark.record.metadata import EXHAUSTED
from tidemark.record.stream import RowStream

FOLDER = Path(__file__).parents[1] / "data" / "format1"
RECORDED = (layout.SAMPLES, layout.COMPOSITION, layout.REQUESTS, layout.ENDPOINTS)


@pytest.fixture
def run():
    return RunDirectory(FOLDER)


def test_its_metadata(run):
    found = run.read_metadata()
    assert (found.format, found.strategy, found.outcome) == (1, "per-request-leaked", EXHAUSTED)
    assert len(found.brokers) == 2
    assert found.load["rate"] == 7.0
    (target,) = found.targets
    assert target.id == layout.ONLY_TARGET
    assert target.url == found.target["url"]
    assert target.command.startswith("python -m targets.serve per-request-leaked")


def test_its_events_are_all_known(run):
    events = run.read_events()
    assert len(events) == 7
    assert of_kind(events, Unknown) == []
    (emfile,) = of_kind(events, Emfile)
    assert "Too many open files" in emfile.event.line
    assert emfile.event.target is None, "format 1 says of no event which target it is about"
    assert {one.event.fds_limit for one in of_kind(events, LimitsRead)} == {512}
    assert [one.event.source for one in of_kind(events, SamplerStarted)] == ["netlink"]
    assert events[-1].event.name == RunEnded.NAME


@pytest.mark.parametrize("table", RECORDED, ids=lambda table: table.file)
def test_its_tables_lack_what_was_added_since_and_nothing_else(run, table):
    rows = RowStream(FOLDER, table).new_rows()
    assert rows
    assert all(set(row) | set(table.added) == set(table.columns) for row in rows)
    assert all(row[name] for row in rows for name in table.never_empty)
    assert "target" not in rows[0]


def test_it_has_no_routes(run):
    assert not run.file(layout.ROUTES.file).exists()
