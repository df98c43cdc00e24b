"""What is marked of the events of a run."""

import json

import pytest

from tidemark.live.happened import Happened
from tidemark.live.tail import FileTail


@pytest.fixture
def marks(tmp_path):
    """What is marked of events: (elapsed_s, name, fields)."""

    def marked(*events):
        path = tmp_path / "events.jsonl"
        lines = [
            json.dumps({"time_s": 1e9 + at, "elapsed_s": at, "event": name, **fields})
            for at, name, fields in events
        ]
        path.write_text("".join(f"{line}\n" for line in lines))
        happened = Happened(FileTail(path))
        happened.look(1)
        return [(one["elapsed_s"], one["text"]) for one in happened.to_json()["marks"]]

    return marked


def exited(at, pid=7, target="a"):
    return at, "target_exited", {"pid": pid, "target": target}


def restarted(at, former=7, target="a"):
    return at, "target_restarted", {"pid": former + 1, "former_pid": former, "target": target}


def test_a_restart_is_one_mark(marks):
    assert marks(exited(40.0), restarted(40.5)) == [(40.5, "restart")]
    assert marks(restarted(40.0), exited(40.0)) == [(40.0, "restart")]


def test_an_end_is_marked_where_nobody_or_another_or_somebody_late_took_the_place(marks):
    assert marks(exited(40.0)) == [(40.0, "target exited")]
    assert marks(exited(40.0), restarted(40.5, former=9)) == [
        (40.0, "target exited"),
        (40.5, "restart"),
    ]
    assert marks(exited(40.0), restarted(100.0)) == [(40.0, "target exited"), (100.0, "restart")]


def test_an_end_that_is_told_twice_is_marked_once(marks):
    assert marks(exited(40.0), exited(45.0)) == [(40.0, "target exited")]


def test_what_must_not_be_overlooked_is_named_first(tmp_path):
    path = tmp_path / "events.jsonl"
    names = ("generator_saturated", "emfile", "target_restarted")
    lines = [json.dumps({"time_s": 1e9, "elapsed_s": 1.0, "event": one}) for one in names]
    path.write_text("".join(f"{line}\n" for line in lines))
    happened = Happened(FileTail(path))
    happened.look(1)
    loud = {one["text"]: one["loud"] for one in happened.to_json()["marks"]}
    assert loud == {"load generator saturated": False, "EMFILE": True, "restart": True}


def test_several_targets_are_named(marks):
    begun = (0.0, "limits_read", {"pid": 3, "target": "b"})
    found = marks(begun, exited(40.0), restarted(41.0, target="a"), exited(50.0, 3, "b"))
    assert found == [(41.0, "a restart"), (50.0, "b exited")]
