"""A run that was cut off and gone on with is judged as two lives of its target."""

import json

import pandas as pd
import pytest

from tests.analysis.rundirs import write_run
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import assess

CUT_S = 45.0
NEW_PID = 100_000


def resumed(path, hole_s):
    """Let the second half of a run come later, of another process that begins anew."""
    for name in ("samples.csv", "composition.csv", "requests.csv", "endpoints.csv"):
        table = pd.read_csv(path / name)
        later = table["elapsed_s"] > CUT_S
        table.loc[later, ["time_s", "elapsed_s"]] += hole_s
        if name == "samples.csv":
            for column in ("fds", "threads", "rss_bytes", "established"):
                first = table.loc[table["pid"] > 0].groupby("pid")[column].transform("first")
                at_cut = table[~later & (table["pid"] > 0)].groupby("pid")[column].last()
                grown = table["pid"].map(at_cut) - first
                table.loc[later, column] = (table[column] - grown).where(first.notna())
            table.loc[later & (table["pid"] > 0), "pid"] += NEW_PID
        table.to_csv(path / name, index=False)
    pids = [pid for pid in pd.read_csv(path / "samples.csv")["pid"].unique() if pid]
    at = CUT_S + hole_s
    events = [
        {"event": "run_resumed", "gap_s": hole_s, "load_s": CUT_S},
        {"event": "target_restarted", "pid": int(max(pids)), "former_pid": int(min(pids))},
        {"event": "gap", "missed_ticks": int(hole_s / 0.2), "interval_s": 0.2},
    ]
    with (path / "events.jsonl").open("a") as file:
        for event in events:
            file.write(json.dumps({"time_s": 1.79e9 + at, "elapsed_s": at, **event}) + "\n")
    return load_run(path)


@pytest.mark.parametrize("hole_s", [3.0, 8 * 3600.0])
@pytest.mark.parametrize(
    ("strategy", "result", "code"), [("shared", "clean", 0), ("per-request-leaked", "leak", 1)]
)
def test_the_hole_is_nothing_that_is_judged(tmp_path, hole_s, strategy, result, code):
    path = write_run(tmp_path, strategy=strategy, requests=720, fds_limit=100_000)
    assessment = assess(resumed(path, hole_s))
    assert (assessment.result, assessment.exit_code) == (result, code)
    if code:
        fds = assessment.verdict.resources["fds"]
        assert fds.per_request == pytest.approx(7.8, rel=0.15)
        assert fds.per_hour == pytest.approx(7.8 * 8.0 * 3600.0, rel=0.2)


def test_what_was_cut_off_again_is_no_whole_run(tmp_path):
    run = resumed(write_run(tmp_path, requests=720, outcome=None), 8 * 3600.0)
    assert assess(run).exit_code == 3
    assert len(run.interruptions) == 1
    (begin, end) = run.interruptions[0]
    assert (begin, end) == pytest.approx((CUT_S, CUT_S + 8 * 3600.0), abs=0.5)
