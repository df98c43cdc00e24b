"""What a fault does to the figures is not judged; what a broker refuses ends the judged part."""

import numpy as np

from tests.analysis.made import happened, make_run, steady, ticks
from tidemark.analysis.verdict.judge import judge
from tidemark.record.events import FaultEnded, FaultStarted, RefusedByBroker


def test_what_a_fault_leaves_for_a_while_is_no_leak():
    at = ticks(180.0)
    held = np.where((at >= 60) & (at < 74), 40 + 10 * (at - 60), 20.0)
    disturbed = (happened(60.0, FaultStarted(kind="outage")), happened(70.0, FaultEnded()))
    run = make_run(at, held, requests=steady(at), events=disturbed)
    assert judge(run).resources["fds"].verdict == "clean"


def test_a_leak_is_found_around_a_fault():
    at = ticks(180.0)
    held = 20 + steady(at) * 0.5 + np.where((at >= 60) & (at < 74), 300.0, 0.0)
    disturbed = (happened(60.0, FaultStarted(kind="outage")), happened(70.0, FaultEnded()))
    found = judge(make_run(at, held, requests=steady(at), events=disturbed)).resources["fds"]
    assert found.verdict == "leak"
    assert abs(found.per_request - 0.5) < 0.05


def test_a_leak_that_the_brokers_stopped_is_still_one():
    at = ticks(180.0)
    held = 20 + np.minimum(steady(at), 600.0)
    refused = (happened(60.0, RefusedByBroker("Rejected connection")),)
    assert judge(make_run(at, held, requests=steady(at))).resources["fds"].verdict == "clean"
    run = make_run(at, held, requests=steady(at), events=refused)
    assert judge(run).resources["fds"].verdict == "leak"
