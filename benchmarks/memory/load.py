"""The load of one run: Poisson arrivals of random bodies, counted as the product counts them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Set

from benchmarks.memory.bodies import bodies
from benchmarks.memory.exchange import Answer
from tidemark.run.course import arrival_times
from tidemark.run.requests_record import MESSAGES, RequestRecord

REQUEST_TIMEOUT_S = 10.0
_SHORT_BYTES = 200
"""An answer with the number of messages is not longer."""


class Load:
    """Sends requests at a rate, each when it is due, whether the former were answered or not.

    Args:
        post: Sends one body.
        path: What stands for the requests in messages.
        rate: Requests per second on average.
        seed: Of their times and bodies.

    Attributes:
        record: What was sent and answered.
        lateness_s: The most that a request left too late, seconds.
    """

    def __init__(
        self, post: Callable[[bytes], Awaitable[Answer]], path: str, rate: float, seed: int
    ) -> None:
        self._post = post
        self._path = path
        self._times = arrival_times(rate, seed)
        self._bodies = bodies(seed)
        self._under_way: set[asyncio.Task[None]] = set()
        self.record = RequestRecord()
        self.lateness_s = 0.0

    @property
    def under_way(self) -> Set[asyncio.Task[None]]:
        """The requests that were sent and not answered yet."""
        return self._under_way

    async def run(self, duration_s: float) -> None:
        """Send for so long, then wait for the last answers."""
        try:
            await self._send(time.monotonic(), duration_s)
            if self._under_way:
                await asyncio.wait(self._under_way)
        finally:
            for task in self._under_way:
                task.cancel()

    async def _send(self, began_s: float, duration_s: float) -> None:
        for after_s in self._times:
            due_s = began_s + min(after_s, duration_s)
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            if after_s >= duration_s:
                return
            self.lateness_s = max(self.lateness_s, time.monotonic() - due_s)
            task = asyncio.create_task(self._exchange(due_s))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _exchange(self, due_s: float) -> None:
        body, count = next(self._bodies)
        self.record.count_sent()
        failure, messages = None, None
        try:
            async with asyncio.timeout_at(due_s + REQUEST_TIMEOUT_S):
                answer = await self._post(body)
            messages = told_messages(answer.body)
            failure = failure_of(answer.status, messages, count)
        except TimeoutError:
            failure = f"no answer within {REQUEST_TIMEOUT_S:g} s"
        except OSError as error:
            failure = f"no answer: {type(error).__name__}"
        self.record.on_request(
            "POST",
            self._path,
            (time.monotonic() - due_s) * 1000,
            RuntimeError(failure) if failure else None,
            {MESSAGES: messages},
        )


def told_messages(body: bytes) -> int | None:
    """How many messages the service says it took; None when it says something else."""
    if len(body) > _SHORT_BYTES:
        return None
    try:
        told = json.loads(body)["messages"]
    except (ValueError, LookupError, TypeError):
        return None
    return told if isinstance(told, int) else None


def failure_of(status: int, messages: int | None, sent: int) -> str | None:
    """In few words what is wrong with an answer; None if nothing is."""
    if not 200 <= status < 300:
        return f"HTTP {status}"
    if messages not in {None, sent}:
        return "not all messages were taken"
    return None
