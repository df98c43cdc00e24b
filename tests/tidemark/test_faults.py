"""Faults: how they are written, and that each happens and is over at its time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.events import Event
from tidemark.run.children import Child
from tidemark.run.errors import ChildError
from tidemark.run.fault_injection import FaultInjector
from tidemark.run.faults import KINDS, Fault, check_apart, parse_fault


@given(
    st.sampled_from(sorted(kind for kind, done in KINDS.items() if done)),
    st.integers(0, 10**5),
    st.integers(1, 10**5),
)
def test_a_fault_is_read_as_it_is_written(kind: str, start: int, duration: int) -> None:
    fault = Fault(kind, start, duration)
    assert parse_fault(str(fault)) == fault


def test_a_duration_may_be_left_out() -> None:
    assert parse_fault("outage@20") == Fault("outage", 20.0, 10.0)
    assert parse_fault("target-kill@3.5") == Fault("target-kill", 3.5, 0.0)


@pytest.mark.parametrize(
    "text",
    ["", "outage", "outage@", "storm@3", "outage@-1", "outage@1+0", "outage@1..2", "outage@3+",
     "target-kill@3+4"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|no number|over at once"):
        parse_fault(text)


@given(st.text())
def test_nothing_but_value_error_escapes(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_fault(text).kind in KINDS


def test_faults_are_put_in_order_and_must_not_overlap() -> None:
    early, late = parse_fault("outage@5+5"), parse_fault("broker-kill@10+5")
    assert check_apart((late, early)) == (early, late)
    with pytest.raises(ValueError, match="begins before"):
        check_apart((parse_fault("outage@5+6"), late))


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def tell(self, event: Event) -> None:
        details = event.details()
        self.events.append((event.name, details.get("broker") or details.get("reason")))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]


class Broker:
    """A broker that obeys, or does not."""

    def __init__(self, error: str = "") -> None:
        self.commands: list[Mapping[str, Any]] = []
        self._error = error

    def ask(self, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        assert timeout_s > 0
        self.commands.append(command)
        if self._error:
            raise ChildError(self._error)
        return {"done": command["do"]}


def injector(run: Recorder, broker: Broker | None, *faults: str) -> FaultInjector:
    return FaultInjector(
        run.tell,
        [parse_fault(fault) for fault in faults],
        cast("Child | None", broker),
        ["a:1", "b:2"],
        None,
    )


def test_an_outage_takes_all_brokers_down_and_brings_them_back() -> None:
    run, broker = Recorder(), Broker()
    injector(run, broker, "outage@0+0.01").follow(0.0, lambda: False)
    assert broker.commands == [
        {"do": "kill", "brokers": [1, 2]},
        {"do": "restart", "brokers": [1, 2]},
    ]
    assert run.names == ["fault_started", *["broker_down"] * 2, *["broker_up"] * 2, "fault_ended"]
    assert {broker for name, broker in run.events if name == "broker_up"} == {"a:1", "b:2"}


def test_a_frozen_broker_is_thawed() -> None:
    broker = Broker()
    injector(Recorder(), broker, "broker-freeze@0+0.01").follow(0.0, lambda: False)
    assert [command["do"] for command in broker.commands] == ["freeze", "thaw"]


def test_a_run_that_ends_in_a_fault_brings_the_brokers_back_at_once() -> None:
    run, broker = Recorder(), Broker()
    looks = iter([False])  # over from the second look on
    faulty = injector(run, broker, "broker-kill@0+3600")
    faulty.follow(0.0, lambda: next(looks, True))
    faulty.heal()  # what the end of the run does: nothing is left to do
    assert [command["do"] for command in broker.commands] == ["kill", "restart"]


def test_a_fault_that_cannot_be_made_is_told() -> None:
    run = Recorder()
    injector(run, Broker("no such broker"), "outage@0+0.01").follow(0.0, lambda: False)
    assert run.events[-1] == ("fault_failed", "no such broker")


def test_what_somebody_else_runs_is_left_alone() -> None:
    run = Recorder()
    injector(run, None, "outage@0+0.01", "target-kill@0.02").follow(0.0, lambda: False)
    assert run.names.count("fault_failed") == 2


def test_a_child_is_asked_and_answers(tmp_path: Path) -> None:
    code = (
        "import json, sys\n"
        "print('{}', flush=True)\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    answer = {'error': 'no', 'id': asked['id']} if asked['do'] == 'x' else asked\n"
        "    print(json.dumps(answer), flush=True)\n"
    )
    child = Child("thing", [sys.executable, "-c", code], tmp_path / "log", listens=True)
    try:
        child.wait_ready(20.0)
        assert child.ask({"do": "a"}, 10.0) == {"do": "a"}
        with pytest.raises(ChildError, match="no"):
            child.ask({"do": "x"}, 10.0)
        assert child.ask({"do": "b"}, 10.0) == {"do": "b"}
    finally:
        child.stop()
    with pytest.raises(ChildError, match="cannot be asked"):
        child.ask({"do": "a"}, 1.0)


def test_an_answer_that_comes_late_is_not_taken_for_the_next_ones(tmp_path: Path) -> None:
    code = (
        "import json, sys\n"
        "print('{}', flush=True)\n"
        "held = []\n"
        "for line in sys.stdin:\n"
        "    held.append(line)\n"
        "    if json.loads(line)['do'] != 'late':\n"
        "        print(''.join(held), end='', flush=True)\n"
    )
    child = Child("thing", [sys.executable, "-c", code], tmp_path / "log", listens=True)
    try:
        child.wait_ready(20.0)
        with pytest.raises(ChildError, match="did not answer"):
            child.ask({"do": "late"}, 0.05)
        assert child.ask({"do": "next"}, 20.0) == {"do": "next"}
    finally:
        child.stop()


class SlowBroker(Broker):
    """Does what it is told, but does not answer the first questions in time."""

    def __init__(self, silent: int) -> None:
        super().__init__()
        self._silent = silent

    def ask(self, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        answer = super().ask(command, timeout_s)
        if len(self.commands) <= self._silent:
            raise ChildError("did not answer")
        return answer


@pytest.mark.parametrize("silent", [1, 2])
def test_a_broker_that_was_killed_late_is_healed(silent: int) -> None:
    run, broker = Recorder(), SlowBroker(silent)
    faulty = injector(run, broker, "outage@0+0.01")
    faulty.follow(0.0, lambda: False)
    faulty.heal()  # what the end of the run does
    restarts = [command for command in broker.commands if command["do"] == "restart"]
    assert len(restarts) == silent
    assert run.names == ["fault_started", "fault_failed", *["broker_up"] * 2]
