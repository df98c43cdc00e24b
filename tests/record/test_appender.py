"""`record.appender`: lines are whole, whoever is killed and whatever is full."""

import contextlib
import csv
import io
import os
import resource
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.appender import CsvAppender, LineAppender, format_field
from tidemark.record.errors import DiskFullError, RunDirectoryError

COLUMNS = ("time_s", "name", "count")
TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (0, "0"),
        (0.0, "0.0"),
        (1.23456789, "1.234568"),
        ("two\r\nlines", "two lines"),
        (10**15, "1000000000000000"),
    ],
)
def test_a_field(value, written):
    assert format_field(value) == written


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


def test_a_torn_line_of_another_writer_is_cut_off(tmp_path):
    (tmp_path / "x").write_bytes(b"one\ntw")
    writer = LineAppender(tmp_path / "x")
    writer.append(b"three")
    writer.close()
    assert (tmp_path / "x").read_bytes() == b"one\nthree\n"


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
