import dataclasses

from analysis.events import marks, spans, told
from analysis.run import Event, load_run
from tests.analysis.rundirs import write_run


def happened(name, at, **fields):
    return Event(at, at, name, fields)


def test_repeated_events_are_all_marked_and_named_once():
    found = marks([happened("target_restarted", at) for at in (5.0, 9.0, 12.0)])
    assert [mark.elapsed_s for mark in found] == [5.0, 9.0, 12.0]
    assert [mark.text for mark in found] == ["restart (first of 3)", "", ""]


def test_the_course_of_a_run_is_not_marked():
    assert marks([happened("run_started", 0.0), happened("limits_read", 0.1)]) == []


def test_a_broker_that_never_came_back_is_down_to_the_end(tmp_path):
    run = load_run(write_run(tmp_path))
    events = (
        happened("broker_down", 10.0, broker="b:1"),
        happened("broker_down", 12.0, broker="b:2"),
    )
    events = (*events, happened("broker_up", 15.0, broker="b:2"))
    found = spans(dataclasses.replace(run, events=events))
    assert [(span.start_s, span.end_s) for span in found] == [(10.0, run.duration_s), (12.0, 15.0)]


def test_a_gap_ends_where_it_was_noticed(tmp_path):
    run = load_run(write_run(tmp_path, gap=(20.0, 24.0)))
    (span,) = spans(run)
    assert (span.start_s, span.end_s) == (20.0, 24.0)


def test_what_belongs_to_an_event_is_one_line():
    event = happened("run_ended", 1.0, outcome="completed", seconds=0.30000000004, pids=[1, 2])
    assert told(event) == "outcome completed, seconds 0.3, pids 1 2"
