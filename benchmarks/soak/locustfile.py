"""The load of `benchmarks.soak`: that of locustfiles/ingest.py, with tables that age faster.

A row of requests.csv every hundredth of a second, and a point of Locust's charts every twentieth:
in three quarters of an hour as many as in three days at a second and at Locust's five.
"""

from collections.abc import Callable
from typing import Any

import gevent
import locust.stats
from locust import task

import tidemark.plugin  # noqa: F401 - registers the options and the run
from benchmarks.soak import TICK_S
from tidemark.run.session import Session, State
from tidemark.users import SoakUser

locust.stats.HISTORY_STATS_INTERVAL_SEC = 0.05  # type: ignore[assignment] # Locust says int

_begin_load: Callable[..., None] = Session.begin_load


def _ticking(session: Session, users: int, *given: Any, **named: Any) -> None:
    _begin_load(session, users, *given, **named)
    gevent.spawn(_tick, session, users)


def _tick(session: Session, users: int) -> None:
    while session.state is State.LOADED:
        gevent.sleep(TICK_S - session.journal.clock.now().elapsed_s % TICK_S)
        session.tick(users)


setattr(Session, "begin_load", _ticking)  # noqa: B010 - of this process alone


class SoakBenchUser(SoakUser):
    """Posts batches of messages to the ingest endpoint."""

    @task
    def ingest(self) -> None:
        """One batch: a JSON array of strings."""
        self.send("/ingest")
