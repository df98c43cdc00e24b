"""`record.stream`: a reader beside the writer sees each line once, whole, and reads no more."""

import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.appender import CsvAppender
from tidemark.record.directory import RunDirectory
from tidemark.record.layout import ROUTES
from tidemark.record.retention import retention
from tidemark.record.stream import LineStream, RowStream, place_after
from tidemark.record.thinning import Thinner


def look_when_told(path, connection):
    """Another process: look each time it is told to, and say what was seen, and up to where."""
    stream = LineStream(path)
    while connection.recv():
        connection.send((stream.new_lines(), stream.offset))


@pytest.fixture
def reader(tmp_path):
    """What a reader in another process sees in `tmp_path / "x"` at each look."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=look_when_told, args=(tmp_path / "x", theirs))
    process.start()

    def look():
        ours.send(True)
        return ours.recv()

    yield look
    ours.send(False)
    process.join(timeout=10)
    assert process.exitcode == 0
    ours.close()
    theirs.close()


def add(path, data):
    with path.open("ab") as file:
        file.write(data)


def test_a_reader_in_another_process_sees_new_lines_only(tmp_path, reader):
    assert reader() == ([], 0), "there is no file yet"
    add(tmp_path / "x", b"one\ntwo\n")
    assert reader() == ([b"one", b"two"], 8)
    assert reader() == ([], 8)
    add(tmp_path / "x", b"three\n")
    assert reader() == ([b"three"], 14)


def test_a_torn_line_waits_until_it_is_whole(tmp_path, reader):
    add(tmp_path / "x", b"one\ntw")
    assert reader() == ([b"one"], 4)
    add(tmp_path / "x", b"o")
    assert reader() == ([], 4)
    add(tmp_path / "x", b"\n")
    assert reader() == ([b"two"], 8)


def test_a_file_that_has_become_shorter_starts_anew(tmp_path, reader):
    add(tmp_path / "x", b"one\ntwo\n")
    assert reader() == ([b"one", b"two"], 8)
    (tmp_path / "x").write_bytes(b"new\n")
    assert reader() == ([b"new"], 4)


class CountingFile:
    """A file that counts the bytes that are read of it."""

    def __init__(self, file, counted):
        self._file, self._counted = file, counted

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *error):
        return self._file.__exit__(*error)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def read(self, size):
        data = self._file.read(size)
        self._counted.append(len(data))
        return data


def test_a_look_costs_what_was_added(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"y" * 99 + b"\n" + b"z" * 99_899 + b"\n")
    stream = LineStream(path)
    assert len(stream.new_lines()) == 2
    counted = []
    opened = type(path).open
    monkeypatch.setattr(
        type(path), "open", lambda self, mode: CountingFile(opened(self, mode), counted)
    )
    add_line = opened(path, "ab")
    with add_line:
        add_line.write(b"new\n")
    assert stream.new_lines() == [b"new"]
    assert sum(counted) == 4


def test_more_than_is_read_at_once(tmp_path):
    lines = [bytes([65 + n % 26]) * 700_001 for n in range(5)]
    (tmp_path / "x").write_bytes(b"\n".join(lines) + b"\ntorn")
    stream = LineStream(tmp_path / "x")
    assert stream.new_lines() == lines
    assert stream.offset == 5 * 700_002


@given(st.lists(st.binary(max_size=20)))
def test_however_it_is_cut_each_line_is_seen_once(tmp_path_factory, parts):
    path = tmp_path_factory.mktemp("run") / "x"
    stream, seen = LineStream(path), []
    for part in parts:
        add(path, part)
        seen += stream.new_lines()
    written = b"".join(parts)
    assert seen == written.split(b"\n")[:-1]
    assert stream.offset == written.rfind(b"\n") + 1


# Rows


def test_rows_come_with_the_names_of_their_columns(tmp_path):
    stream = RowStream(tmp_path, ROUTES)
    assert stream.new_rows() == []
    with RunDirectory(tmp_path).writer(ROUTES) as writer:
        assert stream.new_rows() == [], "the header is no row"
        writer.append({"time_s": 1.0, "elapsed_s": 0.5, "route": "/a,b", "requests": 3})
        assert stream.new_rows() == [
            {"time_s": "1.0", "elapsed_s": "0.5", "route": "/a,b", "requests": "3", "failures": ""}
        ]
        assert stream.new_rows() == []


def test_a_row_of_another_width_is_left_out(tmp_path):
    (tmp_path / "routes.csv").write_text(",".join(ROUTES.columns) + "\n1,2\n1,2,/,4,5\n")
    assert [row["requests"] for row in RowStream(tmp_path, ROUTES).new_rows()] == ["4"]


def test_a_table_that_was_begun_anew_has_its_header_once(tmp_path):
    stream = RowStream(tmp_path, ROUTES)
    header = ",".join(ROUTES.columns)
    (tmp_path / "routes.csv").write_text(f"{header}\n1,2,/,4,5\n1,2,/,6,7\n")
    assert len(stream.new_rows()) == 2
    (tmp_path / "routes.csv").write_text(f"{header}\n9,9,/,9,9\n")
    assert [row["requests"] for row in stream.new_rows()] == ["9"]


def test_a_table_that_is_thinned_is_read_on_where_it_was(tmp_path):
    path = tmp_path / "x"
    stream, seen = LineStream(path), []
    with CsvAppender(path, ("time_s", "elapsed_s", "target", "fds")) as appender:
        thinner = Thinner(appender, retention("60s@1s,600s@10s"))
        replaced = 0
        for tick in range(1000):
            row = {"time_s": 1000 + tick, "elapsed_s": tick, "target": "a", "fds": tick}
            appender.append(row)
            replaced += thinner.step(tick)
            if tick % 7 == 0:
                seen += stream.new_lines()
        thinner.close()
        seen += stream.new_lines()
    assert replaced > 50
    assert [line.split(b",")[1] for line in seen[1:]] == [b"%d" % tick for tick in range(1000)]


def test_a_line_is_found_however_far_from_the_end(tmp_path):
    path = tmp_path / "x"
    lines = [b"%09d" % number for number in range(300_000)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    with path.open("rb") as file:
        for number in (299_999, 299_998, 200_000, 195_143, 1):
            assert place_after(file, lines[number]) == 10 * (number + 1)
        assert place_after(file, b"not there") is None
