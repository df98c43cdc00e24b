"""Recorded runs whose brokers were killed, or away: the leak is called, and nothing else is."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.analysis.made import happened
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.judge import judge
from tidemark.record.events import BrokerDown

RECORDED = Path(__file__).parents[1] / "data" / "disturbed"
KILLED_S = 18.0
"""Both brokers were killed some 15 s into the load, which begins some 3 s into the run."""


@pytest.fixture(params=[False, True], ids=["without an event", "with an event"])
def told(request):
    event = BrokerDown(action="died", reason="killed by SIGKILL")
    return (happened(KILLED_S, event),) if request.param else ()


def judged(name, events=()):
    run = load_run(RECORDED / name)
    return judge(replace(run, events=tuple(sorted((*run.events, *events), key=elapsed))))


def elapsed(recorded):
    return recorded.elapsed_s


def test_a_leak_does_not_end_with_its_brokers(told):
    found = judged("killed-per-request-leaked", told)
    assert found.verdict == "leak"
    assert found.resources["fds"].per_request == pytest.approx(8.0, abs=0.1)
    assert found.resources["fds"].judged_until_s < KILLED_S + 3
    # What was held when they died, not what was held at the end.
    assert "from 0 to 0" not in found.resources["connections"].reason


def test_what_waits_for_brokers_that_are_gone_is_no_leak(told):
    found = judged("killed-pooled", told)
    held = {name: found.resources[name].verdict for name in ("fds", "connections", "threads")}
    assert set(held.values()) == {"clean"}
    assert found.resources["rss_bytes"].verdict != "leak"  # 15 s of it are too little for more


def test_what_an_outage_leaves_behind_is_no_leak():
    assert judged("outage-per-request-closed").verdict == "clean"
