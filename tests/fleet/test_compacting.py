"""A run's tables made into Parquet: the same rows, target by target, or nothing at all."""

import os
import shutil
import signal
import stat
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.analysis.rundirs import write_run
from tidemark.analysis.opened import OF_TARGETS
from tidemark.analysis.partitions import CONTENTS, find_partitions, folder_of
from tidemark.analysis.tables import in_order, read_table
from tidemark.fleet import compacting
from tidemark.fleet.compacting import compact, folder_name
from tidemark.fleet.errors import CompactError
from tidemark.record import layout
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import DiskFullError, UnusableRunError

HEADER = ",".join(layout.SAMPLES.columns) + "\n"
IDS = ["api/7", "7", "..", "%2F", "10.0.0.7:8080", "einfach, ü", "x" * 255, "ü" * 100]


def done(path, **options):
    return list(compact(path, **options))


def several(tmp_path, ids=IDS, ticks=40, ended="2026-01-01T00:01:00Z"):
    """A run of several targets, the rows of all of them at every tick."""
    directory = RunDirectory.create(tmp_path / "run")
    targets = [{"id": one} for one in ids]
    directory.write_metadata({"targets": targets, "ended_at": ended, "outcome": "completed"})
    with directory.writer(layout.SAMPLES) as writer:
        for tick in range(ticks):
            for number, one in enumerate(ids):
                row = dict.fromkeys(layout.SAMPLES.columns)
                row |= {"time_s": 1.7e9 + tick, "elapsed_s": tick + 0.001, "target": one}
                row |= {"pid": number + 1, "process": f"w{number}", "fds": tick * number}
                writer.append(row)
    return directory.path


def test_the_rows_of_a_recorded_run_are_the_same(tmp_path):
    path = write_run(tmp_path, workers=3)
    done(path)
    for table in OF_TARGETS:
        found = find_partitions(path, table).read()
        pd.testing.assert_frame_equal(found, in_order(read_table(path, table)))


@pytest.mark.parametrize("block_bytes", [2_000, 5_000, 1 << 20])
def test_each_target_has_its_own_rows_however_the_file_is_cut(tmp_path, block_bytes):
    path = several(tmp_path)
    done(path, block_bytes=block_bytes)
    whole = read_table(path, layout.SAMPLES)
    held = find_partitions(path, layout.SAMPLES)
    assert list(held.parts) == sorted(IDS)
    for target in IDS:
        wanted = whole[whole["target"] == target].reset_index(drop=True)
        found = held.read(target)
        assert found["target"].unique().tolist() == [target]
        pd.testing.assert_frame_equal(
            found.astype({"target": str, "process": str}),
            wanted.astype({"target": str, "process": str}),
        )


def test_other_readers_of_hive_partitions_find_the_targets(tmp_path):
    path = several(tmp_path, ids=["api/7", "b c"])
    done(path)
    files = ds.dataset(
        folder_of(path, layout.SAMPLES),
        partitioning=ds.partitioning(flavor="hive"),
        format="parquet",
        exclude_invalid_files=True,
    )
    assert set(files.to_table()["target"].to_pylist()) == {"api/7", "b c"}


def test_names_of_folders_are_names(tmp_path):
    names = [folder_name(one) for one in IDS]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name.encode()) <= 255
        (tmp_path / name).mkdir()
    assert folder_name("api/7") == "target=api%2F7"


FIELD = st.one_of(st.none(), st.integers(0, 10**15), st.floats(0, 1e15, allow_subnormal=False))
ROW = st.tuples(
    st.sampled_from(["a", "b", "c/d"]),
    st.floats(0, 5, allow_subnormal=False),
    FIELD,
    FIELD,
    st.sampled_from(["", "p", "q,r", "1", "nan"]),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=40), block_bytes=st.integers(700, 4000))
def test_what_is_written_is_what_is_read(tmp_path, rows, block_bytes):
    path = tmp_path / "run"
    shutil.rmtree(path, ignore_errors=True)
    directory = RunDirectory.create(path)
    directory.write_metadata({"ended_at": "2026-01-01T00:01:00Z"})
    at = dict.fromkeys("abc", 0.0)
    with directory.writer(layout.SAMPLES) as writer:
        for target, later, fds, rss, process in rows:
            at[target[0]] += later
            row = dict.fromkeys(layout.SAMPLES.columns)
            row |= {"time_s": 1.7e9, "elapsed_s": at[target[0]], "target": target, "pid": 1}
            row |= {"process": process, "fds": fds, "rss_bytes": rss}
            writer.append(row)
    done(path, block_bytes=block_bytes)
    lines = pd.read_csv(path / "samples.csv", dtype=str, keep_default_na=False)
    held = find_partitions(path, layout.SAMPLES)
    for target, found in ((one, held.read(one)) for one in held.parts):
        wanted = lines[lines["target"] == target]
        assert found["process"].astype(str).tolist() == wanted["process"].tolist()
        for name in ("elapsed_s", "fds", "rss_bytes"):
            numbers = pd.to_numeric(wanted[name]).to_numpy(dtype=float)
            np.testing.assert_allclose(found[name].to_numpy(), numbers, rtol=1e-15)


def test_a_torn_last_line_is_left_out(tmp_path):
    path = several(tmp_path)
    with (path / "samples.csv").open("a") as file:
        file.write("1700000040,40.0,a")
    (samples,) = done(path)
    assert samples.partitions.rows == 40 * len(IDS)


def test_rows_out_of_order_within_a_target_are_put_in_order_or_refused_as_the_reader_does(tmp_path):
    path = write_run(tmp_path)
    head, *rows = (path / "composition.csv").read_text().splitlines(keepends=True)
    (path / "composition.csv").write_text(head + "".join(reversed(rows)))
    done(path)
    found = find_partitions(path, layout.COMPOSITION).read()
    assert found["elapsed_s"].is_monotonic_increasing
    head, *rows = (path / "samples.csv").read_text().splitlines(keepends=True)
    (path / "samples.csv").write_text(head + "".join([rows[0], rows[9], rows[2]]))
    with pytest.raises(UnusableRunError, match=r"samples.csv, line 4: elapsed_s of .* backwards"):
        done(path)


def test_a_line_that_is_wrong_is_named_wherever_the_file_is_cut(tmp_path):
    path = several(tmp_path)
    lines = (path / "samples.csv").read_text().splitlines(keepends=True)
    lines[200] = lines[200].replace(",", ",x", 1)
    (path / "samples.csv").write_text("".join(lines))
    with pytest.raises(UnusableRunError, match=r"samples\.csv, line 201: elapsed_s is 'x"):
        done(path, block_bytes=3000)
    assert sorted(one.name for one in path.iterdir()) == ["run.json", "samples.csv"]


def test_a_run_without_an_end_is_refused_unless_asked_for_and_keeps_its_csv(tmp_path):
    path = several(tmp_path, ended=None)
    with pytest.raises(CompactError, match=r"no ended_at.*--anyway"):
        done(path)
    with pytest.raises(CompactError, match="leave out --replace"):
        done(path, anyway=True, replace=True)
    done(path, anyway=True)
    assert find_partitions(path, layout.SAMPLES).rows == 40 * len(IDS)


def test_a_csv_file_that_was_written_to_since_is_the_truth(tmp_path):
    path = several(tmp_path)
    done(path)
    last = (path / "samples.csv").read_text().splitlines(keepends=True)[-1]
    with (path / "samples.csv").open("a") as file:
        file.write(last)
    assert find_partitions(path, layout.SAMPLES) is None
    (again,) = done(path)
    assert again.is_new
    assert find_partitions(path, layout.SAMPLES).rows == 40 * len(IDS) + 1


def test_the_csv_files_go_only_when_asked_for(tmp_path):
    path = write_run(tmp_path)
    done(path)
    assert all((path / table.file).exists() for table in OF_TARGETS)
    assert not any(one.is_new for one in done(path, replace=True))
    assert not any((path / table.file).exists() for table in OF_TARGETS)
    assert (path / "requests.csv").exists()
    assert len(done(path)) == len(OF_TARGETS)


def test_what_is_not_read_back_the_same_never_takes_its_name(tmp_path, monkeypatch):
    path = several(tmp_path)
    write = compacting._write_target

    def spoiled(file, spill, target):
        spill.texts("process")  # as it is
        if target == IDS[2]:
            spill.words["process"] = {
                f"not {one}": at for one, at in spill.words["process"].items()
            }
        write(file, spill, target)
        spill.words["process"] = {
            one.removeprefix("not "): at for one, at in spill.words["process"].items()
        }

    monkeypatch.setattr(compacting, "_write_target", spoiled)
    with pytest.raises(CompactError, match="is not what was written"):
        done(path, replace=True)
    assert sorted(one.name for one in path.iterdir()) == ["run.json", "samples.csv"]


def test_a_full_disk_is_said_and_leaves_the_run_as_it_was(tmp_path, monkeypatch):
    path = several(tmp_path)
    monkeypatch.setattr(compacting.Spill, "add", lambda *_: os.write(os.open("/dev/full", 1), b"x"))
    with pytest.raises(DiskFullError, match="free some space"):
        done(path, replace=True)
    assert sorted(one.name for one in path.iterdir()) == ["run.json", "samples.csv"]


def test_when_processes_were_last_seen_is_kept_without_the_rows(tmp_path):
    path = several(tmp_path, ids=["a", "b"])
    row = dict.fromkeys(layout.SAMPLES.columns)
    for target, pid in (("b", 0), ("c", 0)):
        row |= {"time_s": 1.8e9, "elapsed_s": 99.0, "target": target, "pid": pid}
        with RunDirectory(path).writer(layout.SAMPLES) as writer:
            writer.append(row)
    done(path)
    parts = find_partitions(path, layout.SAMPLES).parts
    assert {one: part.until_s for one, part in parts.items()} == {
        "a": 39.001,
        "b": 39.001,
        "c": None,
    }


def test_files_are_as_open_as_the_run(tmp_path):
    path = several(tmp_path)
    done(path)
    modes = {
        stat.S_IMODE(one.stat().st_mode)
        for one in folder_of(path, layout.SAMPLES).rglob("*")
        if one.is_file()
    }
    assert modes == {stat.S_IMODE((path / "run.json").stat().st_mode)} == {0o600}


KILLED = """
import sys, os, signal
from pathlib import Path
from tidemark.fleet import compacting
compacting._verify = lambda *_: (print("here", flush=True), signal.pause())
list(compacting.compact(Path(sys.argv[1]), replace=True))
"""


def test_whoever_is_killed_leaves_the_run_as_it_was_and_the_next_one_clears_up(tmp_path):
    path = several(tmp_path)
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"here\n"
        with pytest.raises(CompactError, match="is being compacted already"):
            done(path)
        process.send_signal(signal.SIGKILL)
    assert find_partitions(path, layout.SAMPLES) is None
    assert len(read_table(path, layout.SAMPLES)) == 40 * len(IDS)
    done(path)
    held = sorted(one.name for one in path.iterdir())
    assert held == ["run.json", "samples.csv", "samples.parquet"]


@pytest.mark.parametrize("damage", ["rows", "folder", "json", "file", "none", "column"])
def test_what_is_damaged_is_one_line(tmp_path, damage):
    path = several(tmp_path, ids=["a"])
    done(path, replace=True)
    folder = folder_of(path, layout.SAMPLES)
    contents, file = folder / CONTENTS, folder / "target=a" / "part-0.parquet"
    text = contents.read_text()
    if damage == "rows":
        contents.write_text(text.replace('"rows": 40', '"rows": 41'))
    elif damage == "folder":
        contents.write_text(text.replace("target=a", "../../etc"))
    elif damage == "json":
        contents.write_text("{")
    elif damage == "file":
        file.write_bytes(b"PAR1 not really PAR1")
    elif damage == "none":
        file.unlink()
    else:
        pd.DataFrame({"time_s": np.arange(40.0)}).to_parquet(file)
    with pytest.raises(UnusableRunError) as caught:
        find_partitions(path, layout.SAMPLES).read()
    assert "\n" not in str(caught.value)
    assert "compact the run again" in str(caught.value)
