"""A run that is followed while it is written is the run that is there at its end."""

import json

import numpy as np
import pandas as pd
import pytest

from tidemark.live.follower import MOST_TARGETS, Follower
from tidemark.record.errors import UnusableRunError

# What happens on the way may not change what is shown.


def caught_up(run):
    while run.look():
        pass
    return run


def shown(run):
    """Everything that is drawn of a run."""
    targets = {name: one.changed_since(-1) for name, one in run.targets.items()}
    return targets, run.requests.changed_since(-1), run.happened.to_json()


def test_step_by_step_is_the_same_as_all_at_once(writer):
    writer.begin()
    followed = Follower(writer.path)
    for until_s in (0.5, 3.0, 3.3, 10.0, 20.0):
        writer.write_until(until_s)
        caught_up(followed)
        assert not followed.has_ended
        assert followed.elapsed_s <= until_s
    writer.end()
    caught_up(followed)
    assert followed.has_ended
    assert shown(followed) == shown(caught_up(Follower(writer.source)))


def test_levels_are_those_of_the_table(writer):
    run = caught_up(Follower(writer.source))
    samples = pd.read_csv(writer.source / "samples.csv")
    processes = samples[samples["pid"] > 0].groupby("elapsed_s")
    levels = run.targets["target"].levels
    assert len(levels) == len(processes)
    np.testing.assert_array_equal(levels.last("fds"), processes["fds"].max())
    np.testing.assert_array_equal(levels.last("threads"), processes["threads"].sum())
    assert levels.latest("fds_limit") == 1024
    requests = pd.read_csv(writer.source / "requests.csv")
    assert run.requests.latest("requests") == requests["requests"].iloc[-1]


def test_a_run_begun_anew_in_the_same_place_is_followed_from_its_start(writer):
    writer.begin()
    writer.write_until(20)
    followed = caught_up(Follower(writer.path))
    key = followed.key
    for file in writer.path.iterdir():
        file.unlink()
    writer._written.clear()
    writer.begin()
    writer.write_until(3)
    caught_up(followed)
    caught_up(followed)
    assert followed.key != key
    assert followed.elapsed_s <= 3
    assert shown(followed) == shown(caught_up(Follower(writer.path)))


def test_more_targets_than_can_be_drawn_are_counted(tmp_path, writer):
    writer.end() if writer.path.mkdir() else None
    rows = ["time_s,elapsed_s,target,pid,process,fds"]
    rows += [f"{t},{t},t{n:02},5,x,1" for t in range(3) for n in range(MOST_TARGETS + 3)]
    (writer.path / "run.json").write_text(json.dumps({"format": 2}))
    (writer.path / "samples.csv").write_text("\n".join(rows) + "\n")
    run = caught_up(Follower(writer.path))
    assert len(run.targets) == MOST_TARGETS
    assert len(run.untold_targets) == 3


def test_what_cannot_be_read_is_said_and_looked_for_again(writer):
    writer.begin()
    writer.write_until(3)
    file = writer.path / "samples.csv"
    content = file.read_text()
    file.unlink()
    file.mkdir()
    run = Follower(writer.path)
    assert not run.look()
    assert "samples.csv" in run.trouble
    file.rmdir()
    file.write_text(content)
    caught_up(run)
    assert not run.trouble
    assert run.targets["target"].levels.latest("fds")


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UnusableRunError, match=r"holds no run\.json"):
        Follower(tmp_path)


def test_a_writer_that_has_gone_is_missed(writer):
    writer.begin()
    writer.write_until(3)
    run = caught_up(Follower(writer.path))
    assert run.silent_s > 1000, "the run is of long ago"
    writer.end()
    assert caught_up(run).silent_s == 0
