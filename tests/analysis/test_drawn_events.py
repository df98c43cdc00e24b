import dataclasses

import pytest

from tests.analysis.rundirs import write_run
from tidemark.analysis.figures.entries import common_faults
from tidemark.analysis.figures.events import fault_marks, fault_spans, marks, spans, told
from tidemark.analysis.run import load_run
from tidemark.record.events import (
    BrokerDown,
    BrokerUp,
    FaultEnded,
    FaultFailed,
    FaultStarted,
    Gap,
    LimitsRead,
    ProcessContinued,
    ProcessStopped,
    Recorded,
    RunStarted,
    TargetExited,
    TargetRestarted,
    Unknown,
)


def happened(at, event):
    return Recorded(at, at, event)


def test_repeated_events_are_all_marked_and_named_once():
    found = marks([happened(at, TargetRestarted()) for at in (5.0, 9.0, 12.0)])
    assert [mark.elapsed_s for mark in found] == [5.0, 9.0, 12.0]
    assert [mark.text for mark in found] == ["restart (first of 3)", "", ""]


def test_the_course_of_a_run_is_not_marked():
    assert marks([happened(0.0, RunStarted()), happened(0.1, LimitsRead())]) == []


def test_a_broker_that_never_came_back_is_down_to_the_end(tmp_path):
    run = load_run(write_run(tmp_path))
    events = (
        happened(10.0, BrokerDown("b:1")),
        happened(12.0, BrokerDown("b:2")),
    )
    events = (*events, happened(15.0, BrokerUp("b:2")))
    found = spans(dataclasses.replace(run, events=events))
    assert [(span.start_s, span.end_s) for span in found] == [(10.0, run.duration_s), (12.0, 15.0)]


def test_a_gap_ends_where_it_was_noticed(tmp_path):
    run = load_run(write_run(tmp_path, gap=(20.0, 24.0)))
    (span,) = spans(run)
    assert (span.start_s, span.end_s) == pytest.approx((20.0, 24.0), abs=0.25)


def test_what_belongs_to_an_event_is_one_line():
    event = Unknown("odd", {"outcome": "completed", "seconds": 0.30000000004, "pids": [1, 2]})
    assert told(event) == "outcome completed, seconds 0.3, pids 1 2"
    assert told(Gap(missed_ticks=3)) == "missed_ticks 3"


def outage(start, end, fault="outage@10+6"):
    kind = fault.partition("@")[0]
    about = (fault, kind)
    found = [
        happened(start, FaultStarted(*about)),
        happened(start + 0.1, BrokerDown("b:1", "kill")),
        happened(start + 0.1, BrokerDown("b:2", "kill")),
    ]
    if end is not None:
        found += [happened(end - 0.1, BrokerUp(name)) for name in ("b:1", "b:2")]
        found += [happened(end, FaultEnded(*about))]
    return tuple(found)


def kill(at):
    about = ("target-kill@5", "target-kill")
    return (happened(at, FaultStarted(*about)), happened(at + 0.01, FaultEnded(*about)))


def run_with(tmp_path, *events):
    return dataclasses.replace(load_run(write_run(tmp_path)), events=events)


def test_a_fault_is_shaded_once_and_the_brokers_it_took_down_are_not(tmp_path):
    run = run_with(tmp_path, *outage(11.2, 17.3))
    assert [(s.start_s, s.end_s, s.text) for s in spans(run)] == [
        (11.2, 17.3, "outage 11 s to 17 s")
    ]


def test_a_broker_that_goes_by_itself_is_shaded_beside_a_fault(tmp_path):
    own = (happened(3.0, BrokerDown("b:1")), happened(5.0, BrokerUp("b:1")))
    run = run_with(tmp_path, *own, *outage(11.2, 17.3))
    assert [s.text for s in spans(run)] == ["broker b:1 down", "outage 11 s to 17 s"]


def test_a_fault_that_the_run_cut_short_is_shaded_to_its_end(tmp_path):
    run = run_with(tmp_path, *outage(11.2, None))
    (span,) = spans(run)
    assert (span.start_s, span.end_s) == (11.2, run.duration_s)
    assert span.text == "outage 11 s to the end"


def test_a_fault_that_did_nothing_is_not_shaded_but_marked(tmp_path):
    about = ("outage@10+6", "outage")
    failed = happened(10.1, FaultFailed("outage@10+6", "not ours"))
    run = run_with(tmp_path, happened(10.0, FaultStarted(*about)), failed)
    assert (spans(run), fault_spans(run), fault_marks(run)) == ([], [], [])
    assert [mark.text for mark in marks(run.events)] == ["fault failed"]


def test_a_fault_that_is_over_at_once_is_a_moment(tmp_path):
    run = run_with(tmp_path, *kill(5.3))
    assert spans(run) == []
    ((_, mark),) = fault_marks(run)
    assert (mark.elapsed_s, mark.text, mark.loud) == (5.3, "target-kill at 5 s", False)


def test_faults_of_several_runs_are_shaded_where_they_have_them_in_common(tmp_path):
    one = run_with(tmp_path / "a", *kill(5.0), *outage(11.0, 17.0))
    two = run_with(tmp_path / "b", *kill(5.4), *outage(11.8, 17.9))
    (mark,), (span,) = common_faults([one, two])
    assert (span.start_s, span.end_s, span.text) == (11.8, 17.0, "outage 12 s to 17 s")
    assert (mark.elapsed_s, mark.text) == (5.2, "target-kill at 5 s")


def test_a_run_without_the_fault_does_not_hide_it(tmp_path):
    one = run_with(tmp_path / "a", *outage(11.0, 17.0))
    _, (span,) = common_faults([one, run_with(tmp_path / "b")])
    assert (span.start_s, span.end_s) == (11.0, 17.0)


def test_faults_with_no_time_in_common_are_shaded_where_each_was(tmp_path):
    one = run_with(tmp_path / "a", *outage(5.0, 8.0))
    two = run_with(tmp_path / "b", *outage(20.0, 23.0))
    _, found = common_faults([one, two])
    assert [(s.start_s, s.end_s) for s in found] == [(5.0, 8.0), (20.0, 23.0)]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (TargetExited(signal="SIGKILL"), "target killed by SIGKILL at 41 s"),
        (TargetExited(exit_code=1), "target exited with code 1 at 41 s"),
        (TargetExited(), "target exited at 41 s"),
        (BrokerDown("b:1", "died", "killed"), "broker b:1 died at 41 s"),
    ],
)
def test_what_ended_says_how(event, text):
    (mark,) = marks([happened(41.0, event)])
    assert (mark.text, mark.loud) == (text, True)


def test_a_broker_that_a_fault_took_down_is_no_death():
    assert marks([happened(41.0, BrokerDown("b:1", "kill"))]) == []


def test_a_broker_that_died_is_shaded_and_named_once(tmp_path):
    run = run_with(tmp_path, happened(10.0, BrokerDown("b:1", "died")))
    assert [(s.start_s, s.text) for s in spans(run)] == [(10.0, "")]


def test_a_stopped_process_is_shaded_until_it_goes_on(tmp_path):
    run = run_with(
        tmp_path,
        happened(10.0, ProcessStopped(pid=101)),
        happened(11.0, ProcessStopped(pid=102)),
        happened(13.0, ProcessContinued(pid=102)),
        happened(14.0, ProcessContinued(pid=101)),
        happened(24.0, ProcessContinued(pid=101, stopped_s=4.0)),
        happened(30.0, ProcessStopped(pid=101)),
    )
    found = [(s.start_s, s.end_s, s.text) for s in spans(run)]
    times = [(10.0, 14.0), (20.0, 24.0), (30.0, run.duration_s)]
    assert found == [(*time, "stopped") for time in times]


def lacking(run, start, end):
    samples = run.samples[~run.samples["elapsed_s"].between(start, end)]
    return dataclasses.replace(run, samples=samples, events=())


def test_samples_that_are_missing_are_shaded_though_no_event_says_so(tmp_path):
    run = load_run(write_run(tmp_path))
    (span,) = spans(lacking(run, 10.0, 14.0))
    assert (span.start_s, span.end_s) == pytest.approx((10.0, 14.0), abs=0.25)
    (rest,) = spans(lacking(run, 20.0, 99.0))
    assert (rest.start_s, rest.text) == (pytest.approx(20.0, abs=0.25), "not sampled")
    assert rest.end_s == run.duration_s


def test_what_is_gone_cannot_be_sampled(tmp_path):
    run = lacking(load_run(write_run(tmp_path)), 20.0, 99.0)
    events = (happened(20.1, TargetExited(signal="SIGKILL")),)
    assert spans(dataclasses.replace(run, events=events)) == []
