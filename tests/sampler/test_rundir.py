import contextlib
import csv
import io
import json
import multiprocessing
import os
import resource
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record import layout as schema
from tidemark.record.appender import CsvAppender, LineAppender
from tidemark.record.clock import Instant, RunClock
from tidemark.record.directory import RunDirectory, whole_lines
from tidemark.record.errors import DiskFullError, RunDirectoryError, TidemarkError

NOW = Instant(1_700_000_000.25, 1.5)
COLUMNS = ("time_s", "name", "count")
TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_directory_is_made_once(tmp_path):
    directory = RunDirectory.create(tmp_path / "a" / "b")
    directory.write_metadata({"strategy": "shared"})
    with pytest.raises(RunDirectoryError, match=r"holds a run already \(run.json\)"):
        RunDirectory.create(directory.path)


def test_an_unrelated_file_does_not_stop_a_run(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    assert RunDirectory.create(tmp_path).path == tmp_path


def test_a_folder_that_cannot_be_made_is_one_line_with_exit_code_2(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(TidemarkError) as caught:
        RunDirectory.create(tmp_path / "file" / "run")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_metadata_round_trip_and_format(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.write_metadata({"strategy": "größe", "load": {"rate": 5}})
    assert directory.read_metadata() == {
        "format": schema.FORMAT,
        "strategy": "größe",
        "load": {"rate": 5},
    }
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("text", ['{"format": 2}', "[]", "{", '{"strategy": "x"}'])
def test_metadata_of_another_kind_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunDirectoryError, match=r"run\.json"):
        RunDirectory(tmp_path).read_metadata()


def test_missing_metadata_is_refused(tmp_path):
    with pytest.raises(RunDirectoryError, match="is this a run directory"):
        RunDirectory(tmp_path).read_metadata()


@given(st.lists(st.tuples(TEXT.filter(bool), st.dictionaries(TEXT, TEXT, max_size=3)), max_size=5))
def test_events_round_trip(tmp_path_factory, events):
    directory = RunDirectory(tmp_path_factory.mktemp("run"))
    for name, fields in events:
        directory.append_event(NOW, name, details=fields)
    found = directory.read_events()
    assert [(event["event"], event["details"]) for event in found] == events
    assert all(event["elapsed_s"] == NOW.elapsed_s for event in found)


@given(st.integers(0, 200))
def test_a_torn_event_costs_only_itself(tmp_path_factory, cut):
    directory = RunDirectory(tmp_path_factory.mktemp("run"))
    for number in range(3):
        directory.append_event(NOW, "gap", number=number)
    path = directory.file("events.jsonl")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - min(cut, len(data))])
    kept = path.read_bytes().count(b"\n")
    directory.append_event(NOW, "later")
    names = [event["event"] for event in directory.read_events()]
    # A tear at the very end of a line takes only the newline: the event is whole.
    assert names in (["gap"] * kept + ["later"], ["gap"] * (kept + 1) + ["later"])


def test_events_of_several_processes_do_not_mix(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_events, args=(tmp_path, n)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    events = RunDirectory(tmp_path).read_events()
    assert len(events) == 300
    assert sum(1 for line in whole_lines(tmp_path / "events.jsonl") if json.loads(line)) == 300


def _write_events(path, number):
    directory = RunDirectory(path)
    for at in range(100):
        directory.append_event(NOW, "x", writer=number, at=at, padding="y" * 500)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), TEXT.map(lambda text: " ".join(text.split()))),
            st.one_of(st.none(), st.integers()),
        ),
        max_size=8,
    )
)
def test_rows_round_trip_and_none_is_empty(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("run") / "x.csv"
    with CsvAppender(path, COLUMNS) as appender:
        for name, count in rows:
            appender.append({"time_s": 0.5, "name": name, "count": count})
    found = [(row["time_s"], row["name"], row["count"]) for row in rows_of(path)]
    expected = [("0.5", name or "", "" if n is None else str(n)) for name, n in rows]
    assert found == expected


@given(st.integers(1, 60))
def test_a_torn_row_costs_only_itself(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("run") / "x.csv"
    with CsvAppender(path, COLUMNS) as appender:
        for number in range(4):
            appender.append({"name": "a,b", "count": number})
    data = path.read_bytes()
    path.write_bytes(data[: max(len(data) - cut, 0)])
    kept = max(path.read_bytes().count(b"\n") - 1, 0)
    with CsvAppender(path, COLUMNS) as appender:
        appender.append({"count": 99})
    assert [row["count"] for row in rows_of(path)] == [str(n) for n in range(kept)] + ["99"]


def test_whole_lines_drop_the_torn_one(tmp_path):
    (tmp_path / "x").write_bytes(b"one\ntwo\nthr")
    assert whole_lines(tmp_path / "x") == ["one", "two"]
    (tmp_path / "x").write_bytes(b"on")
    assert whole_lines(tmp_path / "x") == []


def test_line_breaks_in_a_name_stay_within_the_line(tmp_path):
    with CsvAppender(tmp_path / "x.csv", COLUMNS) as appender:
        appender.append({"name": "two\nlines", "count": 1})
    assert rows_of(tmp_path / "x.csv")[0]["name"] == "two lines"


def test_unknown_columns_are_refused(tmp_path):
    with CsvAppender(tmp_path / "x.csv", COLUMNS) as appender:
        with pytest.raises(RunDirectoryError, match="no such column: cuont"):
            appender.append({"cuont": 1})
        with pytest.raises(RunDirectoryError, match="other columns"):
            CsvAppender(tmp_path / "x.csv", ("a", "b"))


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(RunDirectoryError, match="No such file"):
        CsvAppender(tmp_path / "missing" / "x.csv", COLUMNS)


@contextlib.contextmanager
def small_files():
    """For as short as it takes: pytest's own output may go to a file, too."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, handler)


def append_many(path):
    with CsvAppender(path, COLUMNS) as appender:
        for number in range(100):
            appender.append({"name": "n" * 20, "count": number})


def test_where_there_is_no_room_the_file_ends_with_a_whole_row(tmp_path):
    path = tmp_path / "x.csv"
    with small_files(), pytest.raises(DiskFullError, match="stays readable"):
        append_many(path)
    data = path.read_bytes()
    assert data.endswith(b"\n")
    assert len(data) <= 256
    assert [row["count"] for row in rows_of(path)] == [str(n) for n in range(len(rows_of(path)))]


def test_several_rows_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.csv"
    with small_files(), CsvAppender(path, COLUMNS) as appender:
        appender.append({"count": 1})
        with pytest.raises(DiskFullError):
            appender.append_all({"name": "n" * 20, "count": number} for number in range(50))
    assert len(rows_of(path)) == 1


def test_a_device_without_room_is_a_full_disk():
    writer = LineAppender(Path("/dev/full"))
    with pytest.raises(DiskFullError, match="No space left"):
        writer.append(b"x")
    writer.close()


def test_the_registry_and_the_columns_agree():
    names = [metric.name for metric in schema.METRICS]
    assert len(set(names)) == len(names)
    assert schema.SAMPLES_COLUMNS[:4] == ("time_s", "elapsed_s", "pid", "process")
    assert schema.SAMPLES_COLUMNS[4:] == tuple(names)
    assert set(schema.TCP_STATES) <= set(names)
    assert all(metric.title for metric in schema.METRICS)


def test_writers_have_the_columns_of_the_schema(tmp_path):
    directory = RunDirectory(tmp_path)
    for writer, columns in (
        (directory.samples_writer(), schema.SAMPLES_COLUMNS),
        (directory.composition_writer(), schema.COMPOSITION_COLUMNS),
        (directory.requests_writer(), schema.REQUESTS_COLUMNS),
        (directory.endpoints_writer(), schema.ENDPOINTS_COLUMNS),
    ):
        with writer:
            assert writer.path.read_text() == ",".join(columns) + "\n"


def test_two_clocks_of_one_run_agree():
    clock = RunClock.start()
    again = RunClock(clock.started_monotonic_s)
    first, second = clock.now(), again.now()
    assert 0 <= first.elapsed_s <= second.elapsed_s


def test_csv_is_what_the_csv_module_writes(tmp_path):
    with CsvAppender(tmp_path / "x.csv", COLUMNS) as appender:
        appender.append({"time_s": 1.23456789, "name": 'say "hi", all', "count": 0})
    expected = io.StringIO()
    csv.writer(expected, lineterminator="\n").writerow([1.234568, 'say "hi", all', 0])
    assert (tmp_path / "x.csv").read_text().split("\n", 1)[1] == expected.getvalue()


def test_appending_is_seen_by_others_at_once(tmp_path):
    appender = CsvAppender(tmp_path / "x.csv", COLUMNS)
    appender.append({"count": 7})
    assert rows_of(tmp_path / "x.csv")[0]["count"] == "7"
    appender.close()
    appender.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(appender._descriptor)
