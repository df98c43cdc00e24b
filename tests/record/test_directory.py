"""`record.directory`: a folder that holds one run, written by several processes."""

import json
import multiprocessing
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record import layout
from tidemark.record.clock import Instant, RunClock
from tidemark.record.directory import RunDirectory, whole_lines, write_file
from tidemark.record.errors import RunDirectoryError, TidemarkError, UnusableRunError
from tidemark.record.events import Gap, RunEnded, RunStarted, Stalled, Unknown

NOW = Instant(1_700_000_000.25, 1.5)


# Making it


def test_a_run_directory_is_made_once(tmp_path):
    directory = RunDirectory.create(tmp_path / "a" / "b")
    directory.write_metadata({"strategy": "shared"})
    with pytest.raises(RunDirectoryError, match=r"holds a run already \(run.json\)"):
        RunDirectory.create(directory.path)


@pytest.mark.parametrize("name", layout.WRITTEN_FILES)
def test_nothing_that_was_recorded_is_written_into(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(RunDirectoryError, match="holds a run already"):
        RunDirectory.create(tmp_path)


@pytest.mark.parametrize("name", layout.WRITTEN_FILES)
def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path, name):
    run = tmp_path / "run"
    run.mkdir()
    (run / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunDirectoryError, match="holds a run already"):
        RunDirectory.create(run)


def test_a_link_made_after_the_run_began_is_not_followed(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    directory = RunDirectory.create(tmp_path / "run")
    for name in ("samples.csv", "events.jsonl", "run.json"):
        directory.file(name).symlink_to(elsewhere)
    with pytest.raises(RunDirectoryError, match="is a link"):
        directory.writer(layout.SAMPLES)
    with pytest.raises(RunDirectoryError, match="is a link"):
        directory.append_event(NOW, RunStarted())
    directory.write_metadata({})  # takes the link's place
    assert not elsewhere.exists()
    assert not directory.file("run.json").is_symlink()


def test_a_pipe_in_the_place_of_a_file_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "events.jsonl")
    with pytest.raises(RunDirectoryError, match="is a pipe"):
        RunDirectory(tmp_path).append_event(NOW, RunStarted())


@pytest.mark.parametrize(
    ("shared", "folder", "file"), [(False, 0o700, 0o600), (True, 0o755, 0o644)]
)
def test_a_run_is_its_owners_alone_unless_it_is_shared(tmp_path, shared, folder, file):
    former = os.umask(0o022)
    try:
        directory = RunDirectory.create(tmp_path / "run", shared=shared)
        directory.write_metadata({})
        directory.keep_room()
        directory.write_metadata({"strategy": "shared"})
        joined = RunDirectory(directory.path)  # another process, which was not told
        joined.append_event(NOW, RunStarted())
        joined.writer(layout.SAMPLES).close()
        write_file(directory.file("report.html"), b"")
    finally:
        os.umask(former)
    assert stat.S_IMODE(directory.path.stat().st_mode) == folder
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.path.iterdir()}
    assert found == dict.fromkeys(("run.json", "events.jsonl", "samples.csv", "report.html"), file)


def test_in_an_open_folder_the_files_are_closed_all_the_same(tmp_path):
    (tmp_path / "run").mkdir(mode=0o755)
    directory = RunDirectory.create(tmp_path / "run")
    directory.write_metadata({})
    directory.append_event(NOW, RunStarted())
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.path.iterdir()} == {0o600}


def test_an_unrelated_file_does_not_stop_a_run(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    assert RunDirectory.create(tmp_path).path == tmp_path


def test_a_folder_that_cannot_be_made_is_one_line_with_exit_code_2(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(TidemarkError) as caught:
        RunDirectory.create(tmp_path / "file" / "run")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


# run.json


def test_metadata_is_written_whole_with_its_format(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.write_metadata({"strategy": "größe", "load": {"rate": 5}})
    assert directory.read_metadata().raw == {
        "format": layout.FORMAT,
        "strategy": "größe",
        "load": {"rate": 5},
    }
    directory.write_metadata({"strategy": "shared"})
    assert directory.read_metadata().strategy == "shared"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_metadata_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "run.json").mkdir()
    with pytest.raises(RunDirectoryError, match=r"run\.json: .*check permissions"):
        RunDirectory(tmp_path).write_metadata({})
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


# Tables


@pytest.mark.parametrize("table", layout.TABLES, ids=lambda table: table.file)
def test_writers_have_the_columns_of_the_layout(tmp_path, table):
    with RunDirectory(tmp_path).writer(table) as writer:
        assert writer.path == tmp_path / table.file
        assert writer.path.read_text() == ",".join(table.columns) + "\n"


# events.jsonl


def test_no_events_yet(tmp_path):
    assert RunDirectory(tmp_path).read_events() == ()


def test_events_are_in_the_order_of_time(tmp_path):
    directory = RunDirectory(tmp_path)
    for elapsed_s in (3.0, 1.0, 2.0):
        directory.append_event(Instant(NOW.time_s, elapsed_s), Stalled(silent_s=elapsed_s))
    assert [one.event.silent_s for one in directory.read_events()] == [1.0, 2.0, 3.0]


@given(st.integers(0, 200))
def test_a_torn_event_costs_only_itself(tmp_path_factory, cut):
    directory = RunDirectory(tmp_path_factory.mktemp("run"))
    for number in range(3):
        directory.append_event(NOW, Gap(missed_ticks=number))
    path = directory.file("events.jsonl")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - min(cut, len(data))])
    found = [one.event for one in directory.read_events()]
    assert found == [Gap(missed_ticks=number) for number in range(len(found))]
    assert len(found) == path.read_bytes().count(b"\n")


def test_a_killed_writers_torn_event_is_cut_off_by_the_next(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.append_event(NOW, RunStarted())
    with directory.file("events.jsonl").open("ab") as file:
        file.write(b'{"time_s": 17')
    directory.append_event(NOW, RunEnded())
    assert [one.event for one in directory.read_events()] == [RunStarted(), RunEnded()]


def test_a_torn_event_in_the_middle_names_its_line(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.append_event(NOW, RunStarted())
    with directory.file("events.jsonl").open("ab") as file:
        file.write(b'{"time_s": 17\n')
    directory.append_event(NOW, RunEnded())
    with pytest.raises(UnusableRunError, match=r"events\.jsonl, line 2: is not an event"):
        directory.read_events()


def test_events_of_several_processes_do_not_mix(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_events, args=(tmp_path, n)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    events = [one.event for one in RunDirectory(tmp_path).read_events()]
    assert {(event.given["writer"], event.given["at"]) for event in events} == {
        (writer, at) for writer in range(3) for at in range(100)
    }
    lines = whole_lines(tmp_path / "events.jsonl").splitlines()
    assert len(lines) == 300
    assert all(json.loads(line) for line in lines)


def write_events(path, number):
    directory = RunDirectory(path)
    for at in range(100):
        given = {"writer": number, "at": at, "padding": "y" * 500}
        directory.append_event(NOW, Unknown("x", given))


def test_whole_lines_drop_the_torn_one(tmp_path):
    (tmp_path / "x").write_bytes(b"one\ntwo\nthr")
    assert whole_lines(tmp_path / "x") == b"one\ntwo\n"
    (tmp_path / "x").write_bytes(b"on")
    assert whole_lines(tmp_path / "x") == b""
    with pytest.raises(UnusableRunError, match="cannot be read"):
        whole_lines(tmp_path / "missing")


# The clock


def test_two_clocks_of_one_run_agree():
    clock = RunClock.start()
    again = RunClock(clock.started_monotonic_s)
    first, second = clock.now(), again.now()
    assert 0 <= first.elapsed_s <= second.elapsed_s
