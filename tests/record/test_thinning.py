"""`record.thinning`: what grows old is thinned, what is young is not touched, nothing is torn."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemark.record import thinning
from tidemark.record.appender import CsvAppender
from tidemark.record.errors import DiskFullError, OptionError
from tidemark.record.retention import retention
from tidemark.record.thinning import Thinner

COLUMNS = ("time_s", "elapsed_s", "target", "pid", "fds", "established")
PLAIN = ("time_s", "elapsed_s", "route", "requests")


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def record(path, ticks, steps="60s@1s,600s@10s", *, targets=("a",), columns=COLUMNS):
    """Write ticks of a second each, thinned meanwhile; returns all that was written."""
    written = []
    with CsvAppender(path, columns) as appender:
        thinner = Thinner(appender, retention(steps))
        for tick in range(ticks):
            rows = [
                {
                    "time_s": 1000.0 + tick,
                    "elapsed_s": float(tick),
                    "target": target,
                    "pid": pid,
                    "fds": tick * 3 + pid,
                    # as a sampler does that may not look at its connections at every tick
                    "established": tick if tick % 4 == 3 else None,
                }
                for target in targets
                for pid in (1, 2)
            ]
            if columns is PLAIN:
                rows = [
                    {"time_s": 1000.0 + tick, "elapsed_s": float(tick), "route": one, "requests": 1}
                    for one in ("POST /a", "POST /b")
                ]
            appender.append_all(rows)
            written += rows
            thinner.step(float(tick))
        thinner.close()
    return written


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Many steps a pass, as with files of many megabytes."""
    monkeypatch.setattr(thinning, "STEP_BYTES", 512)


def ages(path, until):
    return [until - float(row["elapsed_s"]) for row in rows_of(path)]


def test_what_is_young_is_whole_and_what_is_old_is_thin(tmp_path):
    path = tmp_path / "samples.csv"
    record(path, 3000)
    at = sorted({float(row["elapsed_s"]) for row in rows_of(path)})
    assert at[-60:] == [float(tick) for tick in range(2940, 3000)]
    old = [tick for tick in at if tick < 2800]
    assert [tick // 10 for tick in old] == list(range(280)), "one of each ten seconds"
    assert not list(tmp_path.glob(".*")), "nothing is left beside it"


def test_ticks_are_kept_whole_and_as_they_were(tmp_path):
    path = tmp_path / "samples.csv"
    written = record(path, 1000, targets=("a", "b"))
    known = {(str(row["elapsed_s"]), row["target"], str(row["pid"])): row for row in written}
    found = rows_of(path)
    for row in found:
        original = known[(row["elapsed_s"], row["target"], row["pid"])]
        assert row["fds"] == str(original["fds"])
    per_tick = {}
    for row in found:
        per_tick.setdefault(row["elapsed_s"], []).append((row["target"], row["pid"]))
    assert set(map(tuple, per_tick.values())) == {(("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"))}


def test_of_ten_ticks_the_one_that_tells_most_is_kept(tmp_path):
    path = tmp_path / "samples.csv"
    record(path, 2000)
    old = [row for row in rows_of(path) if float(row["elapsed_s"]) < 1800]
    assert len(old) == 2 * 180
    assert all(row["established"] for row in old)


def test_rows_that_belong_to_no_target_are_kept_together(tmp_path):
    path = tmp_path / "routes.csv"
    record(path, 1000, columns=PLAIN)
    old = [row for row in rows_of(path) if float(row["elapsed_s"]) < 900]
    assert [row["route"] for row in old] == ["POST /a", "POST /b"] * 90


def test_three_steps(tmp_path):
    path = tmp_path / "samples.csv"
    record(path, 8000, "60s@1s,1000s@10s,7d@100s")
    at = sorted({float(row["elapsed_s"]) for row in rows_of(path)})
    assert [tick // 100 for tick in at if tick < 6900] == list(range(69))
    assert len([tick for tick in at if 7100 <= tick < 7700]) == 60


def test_what_was_thinned_is_not_looked_through_again(tmp_path, monkeypatch):
    path = tmp_path / "samples.csv"
    looked = []
    place = thinning._Round._place
    monkeypatch.setattr(
        thinning._Round, "_place", lambda self, at: looked.append(at) or place(self, at)
    )
    record(path, 5000)
    assert 1 < looked.count(5.0) <= 3, "young, old, and never again in 400 rounds"


def test_a_writer_that_is_killed_leaves_one_or_the_other(tmp_path):
    path = tmp_path / "samples.csv"
    record(path, 100)
    with CsvAppender(path, COLUMNS) as appender:
        thinner = Thinner(appender, retention("60s@1s,600s@10s"))
        before = path.read_bytes()
        thinner.step(1000.0)
        assert (tmp_path / ".samples.csv.thinned").exists(), "it is under way"
        assert path.read_bytes() == before
        again = Thinner(appender, retention("60s@1s,600s@10s"))
        assert not (tmp_path / ".samples.csv.thinned").exists()
        while not again.step(1000.0):
            pass
        again.close()
        thinner._round.written.close()
        thinner._round.close()
    assert len(rows_of(path)) == 2 * 10


def test_a_full_disk_leaves_the_table_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "samples.csv"

    def full(*_):
        raise DiskFullError("no room")

    monkeypatch.setattr(thinning, "write_all", full)
    written = record(path, 300)
    assert len(rows_of(path)) == len(written)
    assert not list(tmp_path.glob(".*"))


@given(
    gaps=st.lists(st.floats(0.05, 30.0), min_size=1, max_size=200),
    targets=st.lists(st.sampled_from("ab"), min_size=200, max_size=200),
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_ticks(tmp_path_factory, gaps, targets):
    path = tmp_path_factory.mktemp("run") / "samples.csv"
    written, now = [], 0.0
    with CsvAppender(path, COLUMNS) as appender:
        thinner = Thinner(appender, retention("60s@1s,600s@10s,1h@30s"))
        for gap, target in zip(gaps, targets, strict=False):
            now += gap
            row = {"time_s": now, "elapsed_s": now, "target": target, "pid": 1, "fds": 7}
            appender.append(row)
            written.append((target, round(now, 6)))
            thinner.step(now)
        for _ in range(10_000):
            if thinner.step(now + 10.0):
                break
        thinner.close()
    found = [(row["target"], float(row["elapsed_s"])) for row in rows_of(path)]
    assert set(found) <= set(written)
    assert len(found) == len(set(found)), "none twice"
    for target in "ab":
        its = [at for of, at in found if of == target]
        assert its == sorted(its)
        young = [at for of, at in written if of == target and at >= now - 50.0]
        assert its[len(its) - len(young) :] == young
        all_old = [at for of, at in written if of == target]
        assert {at // 30 for at in all_old} == {at // 30 for at in its}, "no stretch is left out"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("6h@1s", "two steps"),
        ("6h,7d", "an age and a spacing"),
        ("6h@10s,7d@1s", "from young and dense"),
        ("7d@1s,6h@10s", "from young and dense"),
        ("10s@1s,7d@10s", "first 60 s"),
        ("6h@1s,7d@x", "must be a time"),
    ],
)
def test_what_is_no_retention_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        retention(text)


def test_what_is_recorded_must_not_be_thinned_at_once():
    retention("6h@1s,7d@10s").check(1.0)
    retention("6h@1s,7d@10s").check(5.0)
    with pytest.raises(OptionError, match="--interval 1"):
        retention("6h@1s,7d@10s").check(0.25)


def test_it_is_said_as_it_was_given():
    assert str(retention(" 6h@1s, 7d@10s")) == "6h@1s,7d@10s"
