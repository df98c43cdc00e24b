"""What becomes of an answer: in the statistics, in the record, and in the ledger."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from locust.env import Environment

from tidemark.routes import Route, read_routes
from tidemark.routes.mix import Mix
from tidemark.run.ledger import ACCEPTED, REFUSED, UNDECIDED
from tidemark.run.load import Sending
from tidemark.run.options import RunOptions
from tidemark.run.requests_record import MESSAGES
from tidemark.sending.exchange import Answer
from tidemark.users import SoakUser


class Ledger:
    """Remembers what became of a batch."""

    def __init__(self) -> None:
        self.options = RunOptions.parse({})
        self.states: list[int] = []

    def settle(self, sending: Sending, state: int) -> None:
        """As the load does."""
        self.states.append(state)


def settled(route: Route, status: int, content: bytes, age_s: float = 0.0) -> Any:
    """What a user makes of an answer to a request that was due `age_s` seconds ago."""
    user = SoakUser.__new__(SoakUser)
    user._load = ledger = Ledger()  # type: ignore[assignment]
    user.environment, told = Environment(), []
    user.environment.events.request.add_listener(lambda **meta: told.append(meta))
    error = ConnectionResetError() if status == 0 else None
    answer = Answer(status, content, error, "POST", "/", "http://h/", None)  # type: ignore[arg-type]
    sending = Sending(time.monotonic() - age_s, Mix((), 1, "run").turn(0, None, route), 0, b"")
    user._settle(answer, sending)
    (meta,) = told
    failed = str(meta["exception"]) if meta["exception"] else None
    messages = meta["context"].get(MESSAGES)
    assert meta["response_time"] >= age_s * 1000
    return SimpleNamespace(state=ledger.states, failed=failed, messages=messages)


def route(**table: Any) -> Route:
    (one,) = read_routes([{"path": "/", **table}], Path())
    return one


@pytest.mark.parametrize(
    ("table", "content", "state", "messages"),
    [
        ({"body": "{batch}"}, b"10", ACCEPTED, 10),
        ({"body": "{batch}"}, b'{"accepted": 10}', ACCEPTED, 10),
        ({"body": "{batch}"}, b'{"accepted": 3}', UNDECIDED, 3),
        ({"body": "{batch}"}, b"3", UNDECIDED, 3),
        ({"body": "{batch}"}, b"ok", ACCEPTED, None),
        ({"body": "{batch}"}, b"", ACCEPTED, None),
        ({"body": "{batch}", "accepted": "n[0]"}, b'{"n": [10]}', ACCEPTED, 10),
        ({"body": "{batch}", "accepted": "n[0]"}, b'{"accepted": 10}', UNDECIDED, None),
        ({"body": "x"}, b"3", ACCEPTED, None),
        ({"body": "x", "accepted": "$"}, b"3", UNDECIDED, 3),
    ],
)
def test_what_was_accepted(
    table: dict[str, Any], content: bytes, state: int, messages: int | None
) -> None:
    found = settled(route(**table), 200, content)
    assert (found.state, found.failed, found.messages) == ([state], None, messages)


@pytest.mark.parametrize(
    ("status", "age_s", "state", "failed"),
    [
        (404, 0.0, REFUSED, "HTTP 404"),
        (503, 0.0, UNDECIDED, "HTTP 503"),
        (200, 6.0, UNDECIDED, "no answer within 5 s"),
        (0, 0.0, UNDECIDED, "no answer: ConnectionResetError"),
        (200, 0.0, UNDECIDED, "the answer has no ok"),
    ],
)
def test_what_has_failed(status: int, age_s: float, state: int, failed: str) -> None:
    found = settled(route(body="{batch}", success={"json": "ok"}), status, b"{}", age_s)
    assert (found.state, found.failed, found.messages) == ([state], failed, None)
