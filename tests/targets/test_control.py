"""`targets.control`: what a running cluster obeys, and what it does not."""

from __future__ import annotations

import json

import pytest

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
