import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.analysis.rundirs import write_run
from tidemark.analysis.figures import style
from tidemark.analysis.figures.run_figure import draw_run
from tidemark.analysis.reports import verdict_json
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import assess
from tidemark.analysis.verdict.judge import judge
from tidemark.record.clock import Instant
from tidemark.record.errors import UnusableRunError
from tidemark.record.event_lines import encode
from tidemark.record.events import RunStarted, SamplerLost, TargetExited

TEXTS = ("run.json", "samples.csv", "requests.csv", "composition.csv", "endpoints.csv")


@pytest.fixture
def run_path(tmp_path):
    return write_run(tmp_path, requests=120)


def change(path, **changes):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


def refusal(path):
    with pytest.raises(UnusableRunError) as caught:
        load_run(path)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_run_is_read(run_path):
    run = load_run(run_path)
    assert run.name == run.strategy == "shared"
    assert run.outcome == "completed"
    assert run.started_at is not None
    assert run.duration_s > 10
    assert len(run.samples) > 0
    assert len(run.requests) > 0
    assert isinstance(run.events[0].event, RunStarted)
    assert [event.elapsed_s for event in run.events] == sorted(
        event.elapsed_s for event in run.events
    )


def test_an_exit_that_two_told_of_stands_once_by_whoever_knows_how(run_path):
    told = [TargetExited(7), TargetExited(8), TargetExited(7, signal="SIGKILL"), TargetExited(9)]
    with (run_path / "events.jsonl").open("ab") as file:
        for event in told:
            file.write(encode(Instant(1_700_000_000.0, 1e4), event) + b"\n")
    exits = [one.event for one in load_run(run_path).events_of(TargetExited)]
    assert exits == [told[1], told[2], told[3]]


def test_only_two_files_must_be_there(run_path):
    for path in run_path.iterdir():
        if path.name not in {"run.json", "samples.csv"}:
            path.unlink()
    run = load_run(run_path)
    assert len(run.requests) == len(run.composition) == len(run.endpoints) == 0
    assert run.events == ()
    assert judge(run).resources["fds"].per_request is None


def test_a_run_whose_writer_was_killed_is_aborted(run_path):
    content = json.loads((run_path / "run.json").read_text())
    del content["ended_at"], content["outcome"]
    (run_path / "run.json").write_text(json.dumps(content))
    run = load_run(run_path)
    assert run.outcome == "aborted"
    assert any("aborted" in warning for warning in judge(run).warnings)


def test_the_directory_names_a_run_that_has_no_strategy(run_path):
    change(run_path / "run.json", strategy=None)
    assert load_run(run_path).strategy == "shared"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 3}, "format 3 is not known"),
        ({"format": True}, "format True is not known"),
        ({"format": None}, "format None is not known"),
        ({"outcome": "fine"}, "the outcome 'fine' is not known"),
        ({"brokers": "127.0.0.1:9092"}, "brokers is not a list"),
        ({"strategy": 7}, "strategy is not a text"),
        ({"target": []}, "target is not an object"),
        ({"started_at": "yesterday"}, "started_at is not a time"),
        ({"started_at": 12}, "started_at is not a time"),
        ({"strategy": "x" * 100_000}, "strategy is not a text of at most 255 characters"),
        ({"targets": [{"id": "a"}, {"id": "a"}]}, "targets is not a list of objects with an id"),
        ({"load": {"rate": 10**400}}, "is not a JSON object"),
    ],
)
def test_a_malformed_run_json_is_refused(run_path, changes, said):
    change(run_path / "run.json", **changes)
    assert said in refusal(run_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": NaN}', "\x00", "[" * 5000])
def test_what_is_no_json_is_refused(run_path, text):
    (run_path / "run.json").write_text(text)
    assert "run.json" in refusal(run_path)


def test_what_is_no_run_directory_is_refused(tmp_path, run_path):
    assert "holds no run.json" in refusal(tmp_path)
    assert "is not a directory" in refusal(tmp_path / "nowhere")
    assert "is not a directory" in refusal(run_path / "run.json")
    (run_path / "samples.csv").unlink()
    assert "samples.csv" in refusal(run_path)


FILES = ("run.json", "samples.csv", "requests.csv", "routes.csv", "events.jsonl")


@pytest.mark.parametrize("name", FILES)
def test_nothing_waits_for_what_is_no_file(run_path, name):
    path = run_path / name
    for make, said in (
        (os.mkfifo, "is not a regular file"),
        (Path.mkdir, "cannot be read"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a regular file"),
        (lambda path: path.symlink_to("nowhere"), "cannot be read"),
    ):
        path.unlink(missing_ok=True)
        make(path)
        assert f"{name}: {said}" in refusal(run_path)
        if path.is_dir():
            path.rmdir()


def test_a_file_larger_than_any_of_a_run_is_refused(run_path):
    os.truncate(run_path / "samples.csv", 1 << 40)
    os.truncate(run_path / "run.json", 1 << 21)
    assert "run.json: is larger" in refusal(run_path)


def test_a_name_too_long_for_a_folder_is_no_run(tmp_path):
    assert "is not a directory" in refusal(tmp_path / ("a" * 300))


def test_a_strategy_as_long_as_it_may_be_is_drawn(run_path):
    change(run_path / "run.json", strategy="x\x1b" * 127, ended_because="y" * 100_000)
    assessment = assess(load_run(run_path))
    assert style.png(draw_run(assessment)).startswith(b"\x89PNG")
    assert assessment.run.metadata.strategy == "x\ufffd" * 127
    assert len(assessment.run.metadata.raw["ended_because"]) == 2000


def edit(path, edit):
    table = pd.read_csv(path)
    edit(table).to_csv(path, index=False)


def test_requests_of_another_time_are_refused(run_path):
    edit(run_path / "requests.csv", lambda rows: rows.assign(elapsed_s=rows["elapsed_s"] + 1e6))
    assert "which have nothing in common" in refusal(run_path)
    with (run_path / "events.jsonl").open("a") as file:
        file.write('{"time_s": 1, "elapsed_s": 2, "event": "sampler_lost"}\n')
    assert load_run(run_path).first(SamplerLost), "it did not live to see the load"


def without_failures(path, share):
    """requests.csv with an empty field for the failures of the last rows."""
    table = pd.read_csv(path / "requests.csv")
    table["failures"] = table["failures"].astype("Int64")
    table.loc[len(table) - int(share * len(table)) :, "failures"] = pd.NA
    table.to_csv(path / "requests.csv", index=False)
    return len(table)


def test_where_nobody_counted_failures_the_requests_count_all_the_same(run_path):
    rows = without_failures(run_path, 1.0)
    run = load_run(run_path)
    assert len(run.counts) == rows
    assert not run.counts["failures"].any()
    assert assess(run).leading.kind.value != "not a test"


def test_a_row_that_lacks_its_failures_is_left_out(run_path):
    rows = without_failures(run_path, 0.5)
    assert len(load_run(run_path).counts) == rows - rows // 2


def test_more_failures_than_requests_are_refused(run_path):
    edit(run_path / "requests.csv", lambda rows: rows.assign(failures=rows["requests"] + 1))
    assert "requests.csv, line 2: more requests failed than were sent" in refusal(run_path)


def test_processes_that_cannot_be_are_refused(run_path):
    edit(run_path / "samples.csv", lambda rows: rows.assign(pid=rows["pid"] + 0.5))
    assert "samples.csv, line 2: pid is not a whole number" in refusal(run_path)
    edit(run_path / "samples.csv", lambda rows: rows.iloc[[0] * 1001].assign(pid=range(1001)))
    assert "samples.csv: holds 1001 processes" in refusal(run_path)


def test_a_run_that_watched_nothing_says_so(run_path):
    (run_path / "samples.csv").unlink()
    change(run_path / "run.json", watched=False)
    assert "no process was watched (--no-target), so there is no verdict" in refusal(run_path)


def test_a_run_without_a_sample_is_refused(run_path):
    path = run_path / "samples.csv"
    path.write_text(path.read_text().split("\n")[0] + "\n")
    assert "holds no sample" in refusal(run_path)


def test_a_run_with_nothing_but_the_kernel_cannot_be_judged(run_path):
    path = run_path / "samples.csv"
    header, *rows = path.read_text().splitlines()
    pid = header.split(",").index("pid")
    kernel = [row for row in rows if row.split(",")[pid] == "0"]
    path.write_text("\n".join([header, *kernel, ""]))
    with pytest.raises(UnusableRunError, match="holds no sample of a process"):
        judge(load_run(run_path))


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"event": "x"}', '{"time_s": 1, "elapsed_s": -1, "event": "x"}',
     '{"time_s": true, "elapsed_s": 1, "event": "x"}',
     '{"time_s": 1, "elapsed_s": 1e999, "event": "x"}', ""],
)  # fmt: skip
def test_a_malformed_event_is_named(run_path, line):
    path = run_path / "events.jsonl"
    path.write_text(path.read_text() + line + "\n")
    count = len(path.read_text().splitlines())
    assert f"events.jsonl, line {count}: is not an event" in refusal(run_path)


def test_a_torn_last_event_is_dropped(run_path):
    before = load_run(run_path).events
    with (run_path / "events.jsonl").open("a") as file:
        file.write('{"time_s": 1790000')
    assert load_run(run_path).events == before


def test_totals_that_fall_are_refused(run_path):
    path = run_path / "requests.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *rows, rows[0].replace(rows[0], rows[-1]), rows[0], ""]))
    assert "runs backwards" in refusal(run_path)


def test_the_rows_of_targets_that_stand_one_after_the_other_are_put_in_order(run_path):
    path, once = run_path / "samples.csv", load_run(run_path)
    header, *rows = path.read_text().splitlines()
    at = header.split(",").index("target")
    moved = [",".join([*row.split(",")[:at], "b", *row.split(",")[at + 1 :]]) for row in rows]
    path.write_text("\n".join([header, *rows, *moved, ""]))
    found = load_run(run_path)
    assert found.samples["elapsed_s"].is_monotonic_increasing
    assert found.duration_s == once.duration_s
    for target in ("target", "b"):
        own = found.samples[found.samples["target"] == target].reset_index(drop=True)
        columns = ["elapsed_s", "pid", "fds", "rss_bytes"]
        pd.testing.assert_frame_equal(own[columns], once.samples[columns])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_nothing_but_one_line_of_refusal_ever_escapes(tmp_path_factory, data):
    """Lines of any file are dropped, doubled, swapped, torn or changed."""
    root = tmp_path_factory.mktemp("runs")
    strategy = data.draw(st.sampled_from(["shared", "per-request-leaked"]))
    path = write_run(root, strategy=strategy, requests=40)
    for name in data.draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=2)):
        _damage(path / name, data)
    try:
        assessment = assess(load_run(path))
    except UnusableRunError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
    else:
        json.loads(verdict_json.render(assessment))


FIGURES = st.sampled_from(["", "0", "-1", "nan", "1e15", "1e300", "x", '"', "NULL", "7.5", "{}"])


def _damage(path, data):
    lines = path.read_text().split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    kind = data.draw(st.sampled_from(["drop", "double", "tear", "field", "empty", "rest"]))
    if kind == "drop":
        del lines[at]
    elif kind == "double":
        lines.insert(at, lines[at])
    elif kind == "tear":
        lines[at] = lines[at][: len(lines[at]) // 2]
    elif kind == "field":
        fields = lines[at].split(",")
        fields[data.draw(st.integers(0, len(fields) - 1))] = data.draw(FIGURES)
        lines[at] = ",".join(fields)
    elif kind == "rest":
        lines = lines[: at + 1]
    path.write_text("" if kind == "empty" else "\n".join(lines))


COLUMNS = ("fds", "threads", "rss_bytes", "established", "fds_limit", "elapsed_s", "requests")
EXTREMES = st.sampled_from([0.0, 1.0, 3.0, 1e6, 1e15, np.nan])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_figures_are_judged(tmp_path_factory, data):
    """Whole stretches of a column become something else, or unknown."""
    run = load_run(write_run(tmp_path_factory.mktemp("runs"), requests=30))
    for column in data.draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=3)):
        table = run.requests if column == "requests" else run.samples
        first = data.draw(st.integers(0, len(table) - 1))
        value = data.draw(EXTREMES)
        if column not in {"elapsed_s", "requests"}:
            table.loc[first:, column] = value
        elif np.isfinite(value):
            table.loc[first:, column] = np.maximum(table.loc[first:, column], value)
    json.loads(verdict_json.render(assess(run)))
