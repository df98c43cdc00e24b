"""Rows and events of another host become those of a run: its times, its name for the target."""

import pytest

from tidemark.agent.clocks import ClockEstimate, Exchange
from tidemark.agent.copying import RowCopier, RunTime, copied_event
from tidemark.record.clock import Instant, RunClock
from tidemark.record.event_lines import encode
from tidemark.record.events import ClockSet, Gap, LimitsRead, TargetExited
from tidemark.record.layout import SAMPLES

BEGAN_S, AHEAD_S, RUN_S = 5000.0, 1000.0, 4010.0
"""A recording that began 10 s before the run, on a clock that shows 1000 s more."""


def name(target):
    return f"web-{target}" if target else "web"


@pytest.fixture
def run_time():
    estimate = ClockEstimate()
    estimate.learn(Exchange(1.0, 1.002, 1.001 + AHEAD_S, 2.5))
    return RunTime(RunClock(RUN_S), estimate, BEGAN_S)


def line(elapsed, fds):
    row = {"time_s": "1", "elapsed_s": str(elapsed), "target": "t", "pid": "7", "fds": str(fds)}
    return ",".join(row.get(column, "") for column in SAMPLES.columns)


def copied(copier, *lines):
    rows = copier.rows(("\n".join(lines) + "\n").encode())
    return [(row["target"], float(row["elapsed_s"]), row["fds"]) for row in rows]


def test_rows_are_put_on_the_runs_time_and_what_was_before_is_left_out(run_time):
    copier = RowCopier(SAMPLES, run_time, name)
    lines = [",".join(SAMPLES.columns), line(9.0, 1), line(12.5, 2), "torn,3"]
    assert copied(copier, *lines) == [("web-t", pytest.approx(2.5), "2")]


def test_time_is_the_runs_unix_time(run_time):
    (row,) = RowCopier(SAMPLES, run_time, name).rows((line(12.5, 2) + "\n").encode())
    here = run_time.instant(12.5)
    assert float(row["time_s"]) == pytest.approx(here.time_s, abs=0.1)


class Moving:
    """A run's time that is estimated anew, and lower, with every look."""

    def __init__(self):
        self.by_s = 0.0

    def instant(self, elapsed_s):
        self.by_s += 0.4
        return Instant(0.0, elapsed_s - self.by_s)


def test_a_tick_has_one_time_and_none_is_before_the_last():
    copier = RowCopier(SAMPLES, Moving(), name)
    first = copied(copier, line(3.0, 1), line(3.0, 2))
    assert len({elapsed for _, elapsed, _ in first}) == 1
    later = copied(copier, line(3.1, 3), line(5.0, 4))
    assert [elapsed for _, elapsed, _ in later] == [first[0][1], pytest.approx(3.8)]


def test_whoever_goes_on_copies_nothing_that_is_before_what_was_copied():
    first = RowCopier(SAMPLES, Moving(), name)
    copied(first, line(3.0, 1))
    lower = Moving()
    lower.by_s = 1.0  # somebody else's estimate of the clocks
    second = RowCopier(SAMPLES, lower, name, first.reached)
    later = copied(second, line(3.5, 2), line(6.0, 3))
    assert [elapsed for _, elapsed, _ in later] == [pytest.approx(2.6), pytest.approx(4.2)]


@pytest.mark.parametrize(
    ("event", "elapsed_s", "wanted"),
    [
        (LimitsRead(pid=7, target="t"), 1.0, (0.0, LimitsRead(pid=7, target="web-t"))),
        (LimitsRead(pid=7, target="t"), 15.0, (5.0, LimitsRead(pid=7, target="web-t"))),
        (TargetExited(7, target="t"), 1.0, None),
        (TargetExited(7, target=None), 11.0, (1.0, TargetExited(7, target="web"))),
        (Gap(3, 1.0), 11.0, (1.0, Gap(3, 1.0))),
        (ClockSet(60.0), 11.0, None),
    ],
)
def test_events(run_time, event, elapsed_s, wanted):
    found = copied_event(encode(Instant(1.0, elapsed_s), event), run_time, name)
    if wanted is None:
        assert found is None
        return
    instant, told = found
    assert (pytest.approx(instant.elapsed_s), told) == wanted


def test_what_is_no_event_is_left_out(run_time):
    assert copied_event(b"{torn", run_time, name) is None
    assert copied_event(b'{"time_s":1,"elapsed_s":20,"event":"unheard_of"}', run_time, name) is None
