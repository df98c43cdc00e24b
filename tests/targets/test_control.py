"""`targets.control`: what a running cluster obeys, and what it does not."""

from __future__ import annotations

import io
import json

import pytest

from tidemark.targets.brokers import control
from tidemark.targets.brokers.control import ACTIONS, parse_command
from tidemark.targets.errors import TargetError


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_and_whom_it_is_for(action):
    line = json.dumps({"do": action, "brokers": [1, 3]})
    assert parse_command(line, broker_count=3) == (action, [1, 3])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "kill 1",
        "[]",
        "null",
        '{"do": "kill"}',
        '{"brokers": [1]}',
        '{"do": "check", "brokers": [1]}',
        '{"do": "kill", "brokers": 1}',
        '{"do": "kill", "brokers": [0]}',
        '{"do": "kill", "brokers": [1, 3]}',
        '{"do": "kill", "brokers": ["1"]}',
    ],
)
def test_what_is_no_command(line):
    with pytest.raises(TargetError, match=r"is no command: say \{\"do\": \"kill\|restart"):
        parse_command(line, broker_count=2)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ('{"do": "kill", "brokers": [1]}', {"done": "kill", "brokers": [1]}),
        ('{"do": "kill", "brokers": [1], "id": 7}', {"done": "kill", "brokers": [1], "id": 7}),
        ('{"do": "nap", "id": 8}', {"id": 8}),
        ("nonsense", {}),
    ],
)
def test_an_answer_carries_the_id_of_its_command(monkeypatch, capsys, line, answer):
    class Cluster:
        def kill(self, brokers):
            pass

    class Lasting:
        def wait(self):
            pass

    monkeypatch.setattr(control.sys, "stdin", io.StringIO(line + "\n"))
    monkeypatch.setattr(control.threading, "Event", Lasting)
    control._obey_all(Cluster(), 1)
    said = json.loads(capsys.readouterr().out)
    assert ("error" in said) == ("done" not in answer)
    said.pop("error", None)
    assert said == answer
