"""Rows of processes as figures of a target, tick by tick."""

import numpy as np
import pandas as pd

from tidemark.live.names import OTHERS, Names
from tidemark.live.threads import ThreadCounts
from tidemark.live.ticks import by_name, levels, of_each_target
from tidemark.record.metrics import HELD_STATES

NAN = np.nan


def samples(*rows):
    """Rows of (elapsed_s, pid, fds, fds_limit, threads, established, time_wait)."""
    names = ["elapsed_s", "pid", "fds", "fds_limit", "threads", "established", "time_wait"]
    frame = pd.DataFrame([list(map(float, row)) for row in rows], columns=names)
    for column in {"rss_bytes", *HELD_STATES} - set(names):
        frame[column] = 0.0
    return frame


def test_descriptors_are_those_of_the_process_that_is_nearest_to_its_limit():
    time, found = levels(
        samples(
            (0, 10, 500, 65536, 1, 0, 0),
            (0, 11, 400, 1024, 1, 0, 0),
            (1, 10, 60000, 65536, 1, 0, 0),
            (1, 11, 400, 1024, 1, 0, 0),
        )
    )
    assert time.tolist() == [0, 1]
    assert found["fds"].tolist() == [400, 60000]
    assert found["fds_limit"].tolist() == [1024, 65536]
    assert found["pid"].tolist() == [11, 10]


def test_without_a_limit_they_are_those_of_whoever_has_most():
    _, found = levels(samples((0, 10, 5, NAN, 1, 0, 0), (0, 11, 9, NAN, 1, 0, 0)))
    assert found["fds"].tolist() == [9]


def test_the_rest_is_summed_and_unknown_where_a_process_could_not_be_read():
    _, found = levels(
        samples(
            (0, 10, 1, 9, 2, 3, NAN),
            (0, 11, 1, 9, 4, 1, NAN),
            (0, 0, NAN, NAN, NAN, NAN, 7),
            (1, 10, 1, 9, 2, NAN, NAN),
            (1, 11, NAN, 9, NAN, 1, NAN),
        )
    )
    np.testing.assert_array_equal(found["threads"], [6, NAN])
    np.testing.assert_array_equal(found["established"], [4, NAN])
    np.testing.assert_array_equal(found["time_wait"], [7, NAN])
    assert found["processes"].tolist() == [2, 2]


def test_when_only_the_kernel_has_a_row_nothing_is_known_of_descriptors():
    _, found = levels(samples((0, 0, NAN, NAN, NAN, NAN, 7)))
    assert np.isnan(found["fds"]).all()
    assert found["processes"].tolist() == [0]


def test_a_name_that_is_missing_counts_what_it_is_told_to():
    rows = pd.DataFrame(
        {"elapsed_s": [0.0, 0.0, 1.0], "end": ["a", "b", "a"], "held": [1.0, 2.0, 3.0]}
    )
    _, found = by_name(rows, "end", "held", absent=0.0)
    assert {name: values.tolist() for name, values in found.items()} == {"a": [1, 3], "b": [2, 0]}


def test_the_rows_of_each_target_stand_apart():
    rows = pd.DataFrame({"elapsed_s": [0.0, 0.0, 1.0], "target": ["a", "b", "a"]})
    assert {name: len(of_it) for name, of_it in of_each_target(rows).items()} == {"a": 2, "b": 1}


def test_names_beyond_the_first_count_as_one():
    names = Names(2)
    first = names.folded({"a": np.array([1.0]), "b": np.array([2.0]), "c": np.array([4.0])})
    later = names.folded({"d": np.array([NAN]), "a": np.array([1.0]), "c": np.array([8.0])})
    assert {name: values.tolist() for name, values in first.items()} == {
        "a": [1],
        "b": [2],
        OTHERS: [4],
    }
    assert {name: values.tolist() for name, values in later.items()} == {OTHERS: [8], "a": [1]}


def looks(*rows):
    names = ["elapsed_s", "pid", "name", "count"]
    frame = pd.DataFrame(list(rows), columns=names).astype({"elapsed_s": float, "count": float})
    return frame.assign(kind="thread")


def told(series):
    time, columns = series
    return {
        name: dict(zip(time.tolist(), values.tolist(), strict=True))
        for name, values in columns.items()
    }


def test_threads_are_those_that_each_process_had_when_it_was_last_looked_at():
    counts = ThreadCounts()
    found = told(counts.add(looks((0, 1, "x", 2), (0, 2, "x", 3), (5, 1, "x", 4), (6, 2, "x", 5))))
    assert found == {"x": {0: 5, 5: 7, 6: 9}}


def test_a_process_that_a_round_has_not_met_has_ended():
    counts = ThreadCounts()
    counts.add(looks((0, 1, "x", 2), (0, 2, "y", 3)))
    found = told(counts.add(looks((5, 1, "x", 2), (10, 1, "x", 2))))
    assert found == {"x": {5: 2, 10: 2}, "y": {5: 3, 10: 0}}


def test_one_that_was_said_to_have_ended_has_no_threads_beside_its_heir():
    counts = ThreadCounts()
    found = told(counts.add(looks((0, 1, "x", 40), (5, 2, "x", 4), (6, 2, "x", 5)), {1: 3.0}))
    assert found == {"x": {0: 40, 5: 4, 6: 5}}
    found = told(counts.add(looks((8, 1, "x", 7)), {1: 3.0}))
    assert found == {"x": {8: 12}}, "its number was given to another one"


def test_descriptors_in_the_same_table_are_no_threads():
    rows = looks((0, 1, "x", 2)).assign(kind="fd")
    assert told(ThreadCounts().add(rows)) == {}
