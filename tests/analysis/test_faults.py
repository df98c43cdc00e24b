"""What faults did: failures, recovery, and what they left behind, on series made by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from tests.analysis.made import happened, make_run, ticks
from tidemark.analysis.verdict.faults import LEVEL_S, fault_effects, left_text
from tidemark.analysis.verdict.model import Exhaustion, Interval, ResourceVerdict, Verdict
from tidemark.record.events import (
    BrokerDown,
    FaultEnded,
    FaultFailed,
    FaultStarted,
    TargetExited,
    TargetRestarted,
)

OUTAGE = "outage@20+10"
RATE = 10.0


def verdict(**changes):
    return dataclasses.replace(Verdict("made", "clean", "made", {}), **changes)


def fault(start=20.0, end=30.0, text=OUTAGE):
    kind = text.partition("@")[0]
    found = [happened(start, FaultStarted(text, kind))]
    if "kill" not in text and "freeze" not in text:
        found.append(happened(start, BrokerDown("b:1", "kill")))
    return found + ([happened(end, FaultEnded(text, kind))] if end else [])


def whole(steps):
    """Counts from steps; requests come as a whole."""
    return np.floor(np.cumsum(steps) + 1e-6)


def load(at, *, failing=((20.0, 32.0),), silent=(), rate=RATE, timeout_s=5.0, **how):
    """A run at a steady rate in which all requests fail, or none come, between some moments."""
    step = np.diff(at, prepend=at[0]) * rate
    for start, end in silent:
        step[(at > start) & (at <= end)] = 0.0
    bad = np.zeros(len(at), dtype=bool)
    for start, end in failing:
        bad |= (at > start) & (at <= end)
    run = make_run(at, how.pop("fds", np.full(len(at), 30.0)), requests=whole(step), **how)
    run.requests["failures"] = whole(np.where(bad, step, 0.0))
    about = dataclasses.replace(run.metadata, load={"request_timeout_s": timeout_s})
    return dataclasses.replace(run, metadata=about)


def only(run, judged=None):
    (found,) = fault_effects(run, judged or verdict())
    return found


def test_a_run_without_faults_has_none():
    assert fault_effects(load(ticks(60.0)), verdict()) == ()


def test_failures_are_counted_to_the_recovery_and_recovery_from_the_end():
    found = only(load(ticks(60.0), events=fault()))
    assert (found.fault, found.kind, found.state) == (OUTAGE, "outage", "recovered")
    assert (found.started_elapsed_s, found.ended_elapsed_s) == (20.0, 30.0)
    assert found.failures == 120
    # The last failing tick ends at 32 s; the first of ten answers of the next comes 0.1 s later.
    assert found.recovery_s == pytest.approx(2.1)


def test_a_part_of_a_tick_is_interpolated_and_a_part_of_a_request_is_one():
    found = only(load(ticks(60.0), failing=((20.0, 32.0),), events=fault(start=20.46)))
    assert found.failures == 116  # 120 less 4.6 is 115.4, and a part counts


def test_nothing_failed_and_nothing_paused_is_no_recovery_time():
    found = only(load(ticks(60.0), failing=(), events=fault()))
    assert (found.failures, found.recovery_s) == (0, 0.0)


def test_requests_that_only_waited_are_recovered_with_the_first_answer():
    found = only(load(ticks(80.0), failing=(), silent=((20.0, 36.0),), events=fault()))
    assert found.failures == 0
    assert found.recovery_s == pytest.approx(6.1)


def test_ticks_without_requests_are_no_failures_and_no_recovery():
    at = ticks(120.0)
    run = load(at, failing=((20.0, 32.0),), silent=((32.0, 40.0),), events=fault())
    assert only(run).recovery_s == pytest.approx(10.1)


def test_a_sparse_load_is_not_late_when_it_is_no_later_than_before():
    run = load(ticks(300.0), failing=(), rate=0.1, events=fault(104.0, 111.0, "outage@100+7"))
    assert only(run).recovery_s == 0.0


def test_an_answer_between_failures_is_no_recovery():
    run = load(ticks(80.0), failing=((20.0, 31.0), (33.0, 36.0)), events=fault())
    assert only(run).recovery_s == pytest.approx(6.1)
    assert only(run).failures == 140


def test_a_failure_long_after_the_recovery_is_not_the_fault_s():
    run = load(ticks(90.0), failing=((20.0, 31.0), (60.0, 62.0)), events=fault())
    found = only(run)
    assert (found.recovery_s, found.failures) == (pytest.approx(1.1), 110)


def test_a_request_that_may_take_longer_is_waited_for_longer():
    failing = ((20.0, 31.0), (41.0, 43.0))
    soon = only(load(ticks(90.0), failing=failing, timeout_s=5.0, events=fault()))
    late = only(load(ticks(90.0), failing=failing, timeout_s=20.0, events=fault()))
    assert (soon.recovery_s, late.recovery_s) == (pytest.approx(1.1), pytest.approx(13.1))


def test_what_fails_to_the_end_has_not_recovered():
    found = only(load(ticks(60.0), failing=((20.0, 90.0),), events=fault()))
    assert (found.state, found.recovery_s, found.recovery_text) == (
        "not recovered",
        None,
        "not seen",
    )
    assert (found.fds_left, found.connections_left) == (None, None)
    assert found.failures == 390


def test_answers_at_the_very_end_are_too_few_to_tell():
    found = only(load(ticks(34.0), failing=((20.0, 32.0),), events=fault()))
    assert found.recovery_s is None


def test_a_run_that_ends_within_a_fault():
    found = only(load(ticks(26.0), failing=((20.0, 90.0),), events=fault(end=None)))
    assert (found.state, found.recovery_text) == ("cut short", "cut short")
    assert (found.ended_elapsed_s, found.recovery_s, found.fds_left) == (None, None, None)
    assert found.failures == 50


def test_brokers_that_are_brought_back_because_the_run_ended_leave_it_cut_short():
    found = only(load(ticks(26.0), failing=((20.0, 90.0),), events=fault(end=25.2)))
    assert (found.state, found.ended_elapsed_s) == ("cut short", None)


def test_a_fault_whose_time_never_came_is_listed_without_figures():
    run = load(ticks(60.0), events=fault(), raw={"faults": [OUTAGE, "target-kill@90"]})
    first, never = fault_effects(run, verdict())
    assert first.state == "recovered"
    assert (never.fault, never.kind, never.state) == ("target-kill@90", "target-kill", "not begun")
    assert (never.started_elapsed_s, never.failures, never.workers_restarted) == (None, None, None)


@pytest.mark.parametrize("planned", [None, "outage", {"a": 1}, [3, None]])
def test_what_run_json_says_of_faults_is_not_trusted(planned):
    assert fault_effects(load(ticks(60.0), raw={"faults": planned}), verdict()) == ()


def test_a_fault_that_could_not_be_injected_has_a_reason_and_no_figures():
    events = [
        happened(20.0, FaultStarted(OUTAGE, "outage")),
        happened(20.1, FaultFailed(OUTAGE, "not ours")),
    ]
    found = only(load(ticks(60.0), events=events))
    assert (found.state, found.failed_because, found.failures) == ("failed", "not ours", None)


def test_a_fault_that_could_not_be_ended_still_counts_its_failures():
    events = [*fault(end=None), happened(31.0, FaultFailed(OUTAGE, "gone"))]
    found = only(load(ticks(60.0), failing=((20.0, 90.0),), events=events))
    assert (found.state, found.ended_elapsed_s, found.failures) == ("failed", None, 390)


def test_the_next_fault_ends_what_is_looked_at():
    events = [*fault(20.0, 24.0, "outage@20+4"), *fault(40.0, 44.0, "outage@40+4")]
    run = load(ticks(80.0), failing=((20.0, 41.0), (41.0, 46.0)), events=events)
    one, two = fault_effects(run, verdict())
    assert (one.recovery_s, one.failures) == (None, 200)
    assert (two.recovery_s, two.failures) == (pytest.approx(2.1), 60)


def test_the_same_fault_twice_is_two_faults():
    events = [*fault(20.0, 20.1, "target-kill@20"), *fault(20.2, 20.3, "target-kill@20")]
    run = load(ticks(60.0), events=events, raw={"faults": ["target-kill@20"] * 2})
    assert [found.started_elapsed_s for found in fault_effects(run, verdict())] == [20.0, 20.2]


def dead(at_s, requests):
    return verdict(verdict="leak", exhausted=Exhaustion("fds", at_s, requests))


def test_a_target_that_dies_in_a_fault_does_not_recover_and_later_failures_are_not_its():
    run = load(ticks(60.0), failing=((20.0, 90.0),), events=fault(), outcome="exhausted")
    found = only(run, dead(26.0, 200.0))
    assert (found.recovery_s, found.failures, found.fds_left) == (None, 60, None)


def test_a_fault_of_a_dead_target_says_nothing():
    run = load(ticks(60.0), failing=((15.0, 90.0),), events=fault(), outcome="exhausted")
    found = only(run, dead(15.0, 150.0))
    assert (found.failures, found.recovery_text) == (None, "\N{EN DASH}")


def test_one_worker_of_several_that_died_does_not_end_the_service():
    run = load(ticks(60.0), events=fault())
    assert only(run, dead(15.0, 150.0)).recovery_s == pytest.approx(2.1)


def test_a_target_that_exited_and_came_back_goes_on():
    gone = happened(24.0, TargetExited(10))
    back = happened(25.0, TargetRestarted(11))
    assert only(load(ticks(60.0), events=[*fault(), gone])).recovery_s is None
    assert only(load(ticks(60.0), events=[*fault(), gone, back])).recovery_s is not None


def step(at, before, during, after):
    """A level before, during and after a fault that begins at 20 s and is overcome at 33 s."""
    return np.where(at < 20.0, before, np.where(at <= 33.0, during, after)).astype(float)


def test_a_burst_that_goes_back_leaves_nothing_behind():
    at = ticks(90.0)
    found = only(load(at, fds=step(at, 30, 400, 30), events=fault()))
    assert (found.fds_left, found.connections_left) == (0.0, 0.0)


def test_what_stays_is_left_behind_summed_over_the_processes():
    at = ticks(90.0)
    both = [step(at, 30, 400, 42), step(at, 20, 20, 25)]
    assert only(load(at, fds=both, events=fault())).fds_left == 17.0
    held = load(at, fds=step(at, 4, 0, 6), resource="connections", events=fault())
    assert only(held).connections_left == 2.0


def test_what_goes_slowly_is_waited_for():
    at = ticks(90.0)
    slowly = np.where(at <= 20, 30.0, np.clip(400.0 - 40.0 * (at - 32.0), 30.0, 400.0))
    assert only(load(at, fds=slowly, events=fault())).fds_left == 0.0


def leaking(per_request, decision="leak"):
    found = ResourceVerdict(
        "fds", decision, "made", per_request=per_request, per_request_interval=Interval(7, 9)
    )
    return verdict(verdict=decision, resources={"fds": found})


def test_growth_by_requests_is_taken_off_where_the_service_leaks():
    at = ticks(90.0)
    fds = 20.0 + 8.0 * RATE * at + step(at, 0, 300, 12)
    assert only(load(at, fds=fds, events=fault()), leaking(8.0)).fds_left == pytest.approx(12.0)


def test_growth_that_is_no_leak_is_not_taken_off():
    at = ticks(90.0)
    found = only(load(at, fds=step(at, 30, 60, 42), events=fault()), leaking(0.2, "clean"))
    assert found.fds_left == 12.0


def test_without_samples_before_or_after_nothing_is_said_of_what_is_left():
    run = load(ticks(90.0), events=fault())
    early, late = run.samples["elapsed_s"] < 30.0, run.samples["elapsed_s"] >= 20.0 - LEVEL_S + 4
    for kept in (early, late):
        found = only(dataclasses.replace(run, samples=run.samples[kept]))
        assert (found.fds_left, found.connections_left) == (None, None)
        assert found.recovery_s == pytest.approx(2.1)


def test_unread_descriptors_are_unknown_not_zero():
    run = load(ticks(90.0), events=fault())
    run.samples["fds"] = np.nan
    found = only(run)
    assert (found.fds_left, found.connections_left) == (None, 0.0)


def test_connections_of_no_process_are_not_left_behind():
    run = load(ticks(90.0), events=fault())
    kernel = run.samples.copy()
    kernel["pid"] = 0
    kernel["time_wait"] = np.where(kernel["elapsed_s"] > 30.0, 900.0, 0.0)
    both = pd.concat([run.samples, kernel]).sort_values("elapsed_s", ignore_index=True)
    assert only(dataclasses.replace(run, samples=both)).connections_left == 0.0


def test_a_killed_worker_that_is_replaced_is_counted():
    at = ticks(60.0)
    parts = [np.full(len(at), 9.0), step(at, 30, np.nan, np.nan), step(at, np.nan, 30, 30)]
    text = "target-kill@20"
    found = only(load(at, fds=parts, failing=(), events=fault(19.5, 19.51, text)))
    assert found.workers_restarted == 1
    gone = only(load(at, fds=parts[:2], failing=(), events=fault(19.5, 19.51, text)))
    assert gone.workers_restarted == 0


def test_workers_are_not_spoken_of_where_none_was_killed():
    assert only(load(ticks(60.0), events=fault())).workers_restarted is None


def test_without_requests_only_the_times_are_known():
    run = make_run(ticks(60.0), np.full(60, 30.0), events=fault())
    found = only(run)
    assert (found.started_elapsed_s, found.ended_elapsed_s) == (20.0, 30.0)
    assert (found.failures, found.recovery_s, found.fds_left) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"),
        (48.0, "+48"),
        (-3.2, "-3"),
        (-0.3, "0"),
        (0.4, "0"),
        (1234.0, "+1,234"),
    ],
)
def test_what_is_left_has_a_sign(value, text):
    assert left_text(value) == text
