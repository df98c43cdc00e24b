"""Counts what Locust's HTTP clients send, whoever's user it is that sends it.

Locust tells of a request when it has been answered. Whether somebody waits for an answer, which
a service that has died never gives, is known only to who saw the request leave.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession


def count_requests(on_sent: Callable[[], None]) -> None:
    """Call `on_sent` for every request that a client of this process sends from now on."""
    for session in (HttpSession, FastHttpSession):
        session.request = _counted(inspect.unwrap(session.request), on_sent)  # type: ignore[method-assign]


def _counted(request: Callable[..., Any], on_sent: Callable[[], None]) -> Callable[..., Any]:
    @functools.wraps(request)
    def counted(*given: Any, **named: Any) -> Any:
        on_sent()
        return request(*given, **named)

    return counted
