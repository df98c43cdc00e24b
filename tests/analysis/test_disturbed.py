"""What a fault does to the figures is not judged; what a broker refuses ends the judged part."""

import numpy as np

from tests.analysis.made import event, make_run, steady, ticks
from tidemark.analysis.verdict.judge import judge


def test_what_a_fault_leaves_for_a_while_is_no_leak():
    at = ticks(180.0)
    held = np.where((at >= 60) & (at < 74), 40 + 10 * (at - 60), 20.0)
    happened = (event(60.0, "fault_started", kind="outage"), event(70.0, "fault_ended"))
    run = make_run(at, held, requests=steady(at), events=happened)
    assert judge(run).resources["fds"].verdict == "clean"


def test_a_leak_is_found_around_a_fault():
    at = ticks(180.0)
    held = 20 + steady(at) * 0.5 + np.where((at >= 60) & (at < 74), 300.0, 0.0)
    happened = (event(60.0, "fault_started", kind="outage"), event(70.0, "fault_ended"))
    found = judge(make_run(at, held, requests=steady(at), events=happened)).resources["fds"]
    assert found.verdict == "leak"
    assert abs(found.per_request - 0.5) < 0.05


def test_a_leak_that_the_brokers_stopped_is_still_one():
    at = ticks(180.0)
    held = 20 + np.minimum(steady(at), 600.0)
    refused = (event(60.0, "refused_by_broker", line="Rejected connection"),)
    assert judge(make_run(at, held, requests=steady(at))).resources["fds"].verdict == "clean"
    run = make_run(at, held, requests=steady(at), events=refused)
    assert judge(run).resources["fds"].verdict == "leak"
