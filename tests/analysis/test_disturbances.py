"""What is no ground for a judgement: brokers down, nothing answered, stopped, not sampled."""

from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.made import happened, make_run, steady, ticks
from tidemark.analysis.verdict.disturbances import find_disturbances
from tidemark.analysis.verdict.judge import judge
from tidemark.record.events import (
    BrokerDown,
    BrokerUp,
    FaultEnded,
    FaultStarted,
    ProcessContinued,
    ProcessStopped,
    Stalled,
)


@pytest.fixture
def at():
    return ticks(60.0, 0.5)


def failing(run, from_s, to_s=np.inf):
    """The run, with every request between two moments failed."""
    requests = run.requests.copy()
    came = np.diff(requests["requests"], prepend=0.0)
    inside = requests["elapsed_s"].between(from_s, to_s)
    requests["failures"] = np.cumsum(np.where(inside, came, 0.0))
    return replace(run, requests=requests)


def fds(run):
    return judge(run).resources["fds"]


def test_a_broker_that_died_ends_what_is_judged(at):
    held = np.where(at < 30, 20 + 10 * at, 345.0)
    died = (happened(30.0, BrokerDown(broker="a:1", action="died")),)
    quiet = make_run(at, held, requests=np.minimum(steady(at), 300.0))
    assert find_disturbances(quiet, None) == ()
    found = fds(replace(quiet, events=died))
    assert (found.verdict, found.judged_until_s) == ("leak", 30.0)
    assert found.per_request == pytest.approx(1.0, abs=0.05)


def test_one_that_came_up_again_is_left_out_until_then(at):
    down = happened(30.0, BrokerDown(broker="a:1", action="died"))
    ups = [happened(33.0, BrokerUp(broker="b:1")), happened(36.0, BrokerUp(broker="a:1"))]
    run = make_run(at, 20.0 + 0 * at, requests=steady(at), events=(down, *ups))
    assert find_disturbances(run, None) == ((30.0, 41.0),)


def test_a_stretch_in_which_nothing_was_answered_is_no_level(at):
    held = np.where(at < 30, 20 + 10 * at, 320.0)
    run = make_run(at, held, requests=steady(at))
    assert fds(run).verdict != "leak"
    ((begin_s, end_s),) = find_disturbances(failing(run, 30.0), None)
    assert (begin_s, end_s) == (29.5, np.inf)
    assert fds(failing(run, 30.0)).verdict == "leak"


def test_what_is_held_while_nothing_is_answered_is_no_leak(at):
    held = 20 + 10 * np.clip(at - 30, 0, None)
    run = make_run(at, held, requests=steady(at))
    assert fds(run).verdict == "leak"
    assert fds(failing(run, 30.0)).verdict == "clean"


@pytest.mark.parametrize("failed_s", [0.5, 0.2])
def test_a_few_failures_are_no_silence(at, failed_s):
    run = failing(make_run(at, 20.0 + 0 * at, requests=steady(at)), 30.0, 30.0 + failed_s)
    assert find_disturbances(run, None) == ()


def test_requests_that_wait_without_failing_are_a_silence_too(at):
    requests = np.where((at > 30) & (at < 36), 300.0, steady(at))
    run = make_run(at, 20.0 + 0 * at, requests=requests)
    assert find_disturbances(run, None) == ()
    stalled = (happened(35.0, Stalled(silent_s=5.0)),)
    assert find_disturbances(replace(run, events=stalled), None) == ((30.0, 41.0),)


def test_the_silence_of_a_death_is_not_left_out(at):
    run = failing(make_run(at, 20.0 + 0 * at, requests=steady(at)), 30.0)
    assert find_disturbances(run, 40.0) == ()


def test_a_stopped_process_is_left_out_until_it_runs_again(at):
    stop = [happened(20.0, ProcessStopped(pid=11)), happened(22.0, ProcessStopped(pid=12))]
    go = [happened(23.0, ProcessContinued(pid=11)), happened(25.0, ProcessContinued(pid=12))]
    run = make_run(at, 20.0 + 0 * at, requests=steady(at), events=(*stop, *go))
    assert find_disturbances(run, None) == ((20.0, 30.0),)


@pytest.mark.parametrize(("missing_s", "found"), [(1.0, ()), (3.0, ((20.0, 28.0),))])
def test_a_hole_between_ticks_is_left_out(at, missing_s, found):
    there = (at <= 20) | (at >= 20 + missing_s)
    run = make_run(at[there], 20.0 + 0 * at[there], requests=steady(at[there]))
    assert find_disturbances(run, None) == found


def test_a_sampler_that_takes_its_time_leaves_no_holes():
    at = np.r_[ticks(20.0, 0.5), 20 + ticks(60.0, 4.0)]
    assert find_disturbances(make_run(at, 20.0 + 0 * at, requests=steady(at)), None) == ()


@pytest.mark.parametrize("at_s", [15.0, 20.0, 25.0, 30.0, 35.0])
def test_another_level_after_a_disturbance_is_no_leak(at, at_s, rng):
    """Requests that piled up were answered at once: threads were made that stay."""
    held = 20 + 16.0 * (at > at_s) + rng.integers(0, 2, len(at))
    told = (happened(at_s, ProcessStopped(pid=10)), happened(at_s + 3, ProcessContinued(pid=10)))
    assert fds(make_run(at, held, requests=steady(at), events=told)).verdict == "clean"


def test_a_leak_goes_on_after_another_level(at):
    held = 20 + steady(at) * 0.2 + 100.0 * (at > 20)
    told = (happened(20.0, FaultStarted(fault="outage")), happened(26.0, FaultEnded()))
    found = fds(make_run(at, held, requests=steady(at), events=told))
    assert found.verdict == "leak"
    assert found.per_request == pytest.approx(0.2, abs=0.02)
    assert found.forecast is not None


def test_too_little_undisturbed_is_said(at):
    told = (happened(3.0, BrokerDown(action="died")),)
    verdict = judge(make_run(at, 20 + steady(at), requests=steady(at), events=told))
    assert verdict.verdict == "inconclusive"
    assert "the rest is disturbed" in verdict.reason


def test_a_broker_that_was_gone_before_the_load_leaves_nothing(at):
    requests = np.maximum(np.floor(10 * (at - 20)), 0.0)
    told = (happened(10.0, BrokerDown(action="died")),)
    run = make_run(at, 20 + requests, requests=requests, events=told)
    assert judge(run).verdict == "inconclusive"


def test_the_load_is_steady_whatever_a_disturbance_did_to_it(at):
    requests = np.where(at < 30, steady(at), np.maximum(300.0, 10 * at - 60))
    held = 20 + requests * 0.5
    told = (happened(30.0, FaultStarted(fault="outage")), happened(36.0, FaultEnded()))
    found = judge(make_run(at, held, requests=requests, events=told))
    assert not any("the load varied" in warning for warning in found.warnings)
    assert found.resources["fds"].verdict == "leak"
