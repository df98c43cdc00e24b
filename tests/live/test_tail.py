"""What is read while it is written: each whole row once, no half ones, no half ticks."""

import os

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.live.tail import FileTail, TableTail
from tidemark.record.appender import CsvAppender
from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import COMPOSITION, REQUESTS, SAMPLES
from tidemark.record.retention import retention
from tidemark.record.thinning import Thinner

COLUMNS = ("elapsed_s", "requests", "failures")


def line(at, requests="1", failures="0"):
    return f"{at + 1000},{at},1,{requests},{failures},,,,\n"


HEADER = ",".join(REQUESTS.columns[:9]) + "\n"


def read_all(tail, most_bytes=1 << 20):
    found = [tail.read(most_bytes)]
    while tail.file.is_behind:
        found.append(tail.read(most_bytes))
    found = [rows for rows in found if rows is not None]
    return pd.concat(found) if found else pd.DataFrame(columns=list(COLUMNS))


@given(st.integers(1, 30), st.lists(st.integers(0, 1200), max_size=12), st.integers(128, 400))
def test_however_it_is_cut_every_row_is_read_once(tmp_path_factory, count, cuts, most_bytes):
    folder = tmp_path_factory.mktemp("run")
    content = (HEADER + "".join(line(at, at * 3) for at in range(count))).encode()
    tail = TableTail(folder, REQUESTS, COLUMNS)
    found = []
    with (folder / REQUESTS.file).open("wb", buffering=0) as file:
        for cut in sorted({*cuts, len(content)}):
            file.write(content[file.tell() : cut])
            found += read_all(tail, most_bytes).to_numpy().tolist()
    assert found == [[at, at * 3, 0] for at in range(count)]


def test_a_file_that_is_not_there_yet_has_no_rows(tmp_path):
    tail = TableTail(tmp_path, REQUESTS, COLUMNS)
    assert tail.read() is None
    (tmp_path / REQUESTS.file).write_text(HEADER + line(1))
    assert len(tail.read()) == 1


def test_a_tick_of_several_rows_is_never_handed_out_in_part(tmp_path):
    file = tmp_path / COMPOSITION.file
    rows = [f"{t},{t},target,{pid},thread,x,1" for t in range(40) for pid in range(5)]
    file.write_text("\n".join([",".join(COMPOSITION.columns), *rows]) + "\n")
    tail = TableTail(tmp_path, COMPOSITION, ("elapsed_s", "pid"))
    parts = [tail.read(333)]
    while tail.file.is_behind:
        parts.append(tail.read(333))
    assert len(parts) > 5
    assert all(part["elapsed_s"].value_counts().eq(5).all() for part in parts)
    assert len(pd.concat(parts)) == 200


def test_a_tick_whose_last_row_is_torn_waits_for_it(tmp_path):
    file = tmp_path / COMPOSITION.file
    rows = [",".join(COMPOSITION.columns), *(f"1,1,target,{pid},thread,x,1" for pid in range(3))]
    file.write_text("\n".join(rows) + "\n" + "2,2,target,0,thread,x,1\n2,2,targ")
    tail = TableTail(tmp_path, COMPOSITION, ("elapsed_s", "pid"))
    assert tail.read()["elapsed_s"].tolist() == [1, 1, 1]
    with file.open("a") as more:
        more.write("et,1,thread,x,1\n")
    assert tail.read()["pid"].tolist() == [0, 1]


def test_a_tick_that_is_longer_than_a_part_is_read_all_the_same(tmp_path):
    file = tmp_path / COMPOSITION.file
    rows = [f"1,1,target,{pid},thread,x,1" for pid in range(500)]
    file.write_text("\n".join([",".join(COMPOSITION.columns), *rows]) + "\n")
    tail = TableTail(tmp_path, COMPOSITION, ("elapsed_s", "pid"))
    assert len(read_all(tail, 400)) == 500


def test_figures_that_are_none_are_unknown_and_the_row_stays(tmp_path):
    (tmp_path / REQUESTS.file).write_text(
        HEADER + line(1, "many") + line(2, "-5") + line(3, "inf") + line(4, "1e99") + line(5, "7")
    )
    rows = TableTail(tmp_path, REQUESTS, COLUMNS).read()
    assert rows["requests"].isna().tolist() == [True, True, True, True, False]


def test_rows_without_a_time_are_left_out(tmp_path):
    (tmp_path / REQUESTS.file).write_text(HEADER + ",,,,,,,,\n" + line(5))
    assert TableTail(tmp_path, REQUESTS, COLUMNS).read()["elapsed_s"].tolist() == [5]


def test_rows_of_several_writers_come_in_the_order_of_time(tmp_path):
    (tmp_path / REQUESTS.file).write_text(HEADER + line(2) + line(1) + line(3))
    assert TableTail(tmp_path, REQUESTS, COLUMNS).read()["elapsed_s"].tolist() == [1, 2, 3]


def test_columns_that_an_older_file_lacks_are_what_they_mean(tmp_path):
    (tmp_path / SAMPLES.file).write_text("time_s,elapsed_s,pid,process,fds\n1,1,5,x,7\n")
    rows = TableTail(tmp_path, SAMPLES, ("elapsed_s", "target", "fds", "heap_bytes")).read()
    assert rows["target"].tolist() == ["target"]
    assert rows["fds"].tolist() == [7]
    assert rows["heap_bytes"].isna().all()


def test_a_file_that_was_begun_anew_is_read_from_its_start(tmp_path):
    file = tmp_path / REQUESTS.file
    file.write_text(HEADER + line(1) + line(2))
    tail = TableTail(tmp_path, REQUESTS, COLUMNS)
    tail.read()
    file.write_text(HEADER + line(9))
    assert tail.read()["elapsed_s"].tolist() == [9]
    assert tail.file.times_begun == 1


def test_a_pipe_in_the_place_of_a_file_does_not_hold_the_reader_up(tmp_path):
    os.mkfifo(tmp_path / "x")
    with pytest.raises(UnusableRunError, match="is not a regular file"):
        FileTail(tmp_path / "x").read()


def test_a_line_without_an_end_is_not_kept_in_memory(tmp_path):
    (tmp_path / "x").write_bytes(b"a" * 1000 + b"\nb\n")
    tail = FileTail(tmp_path / "x")
    read = []
    while tail.offset < 1003:
        read.append(tail.read(100))
    assert b"b\n" in b"".join(read)


def test_a_table_that_is_thinned_meanwhile_is_read_once(tmp_path):
    tail, found = TableTail(tmp_path, REQUESTS, COLUMNS), []
    with CsvAppender(tmp_path / REQUESTS.file, REQUESTS.columns) as appender:
        thinner = Thinner(appender, retention("60s@1s,600s@10s"))
        replaced = 0
        for at in range(1000):
            row = {"time_s": 1000 + at, "elapsed_s": at, "requests": at, "failures": 0}
            appender.append(row)
            replaced += thinner.step(at)
            if at % 7 == 0:
                found.append(read_all(tail))
        thinner.close()
        found.append(read_all(tail))
    assert replaced > 50
    assert tail.file.times_begun == 0
    assert pd.concat(found)["elapsed_s"].tolist() == list(range(1000))
