"""Finding the process, now or a little later."""

import pytest

from tidemark.agent.errors import AbsentError, AgentError
from tidemark.agent.finding import awaited


def finder(*answers):
    left = list(answers)

    def find():
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return find


@pytest.fixture(autouse=True)
def _hurried(monkeypatch):
    monkeypatch.setattr("tidemark.agent.finding._PAUSE_S", 0.001)


def test_what_comes_is_waited_for():
    assert awaited(finder(AbsentError("a"), AbsentError("b"), 7), 60.0) == 7


def test_what_does_not_come_is_said_to_be_absent():
    with pytest.raises(AbsentError, match="once"):
        awaited(finder(AbsentError("once")), 0.0)


def test_what_waiting_does_not_help_is_told_at_once():
    with pytest.raises(AgentError, match="two match"):
        awaited(finder(AgentError("two match"), 7), 60.0)
