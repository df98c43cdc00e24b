"""Locust's own tables: however long the run, they stay small, and show what they showed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

with pytest.MonkeyPatch.context() as patch:
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # our own sockets and threads stay what they are
    import gevent
    from locust.env import Environment
    from locust.runners import MasterRunner
    from locust.stats import RequestStats

    from tidemark import tables
    from tidemark.tables import KEPT_S, MOST_ERRORS, MOST_NAMES, MOST_POINTS, OTHER, thinned, trim


class Master(MasterRunner):
    """A master with one worker, and nothing else."""

    def __init__(self) -> None:
        self.clients = {"w1": SimpleNamespace()}  # type: ignore[assignment]

    def __del__(self) -> None:
        """It has started nothing."""


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def point(at_s: float, p95_ms: float = 10.0) -> dict[str, Any]:
    """A point of the charts, as Locust makes it."""
    time = (BEGAN + timedelta(seconds=int(at_s))).isoformat().replace("+00:00", "Z")
    return {
        "time": time,
        "response_time_percentile_0.5": [time, 5.0],
        "response_time_percentile_0.95": [time, p95_ms],
        "current_rps": [time, 20.0],
    }


def history_of(stats: RequestStats, lasts_s: int, every_s: float = 5.0) -> None:
    """A run of so many seconds, looked after as often as in a real one."""
    for number in range(int(lasts_s / every_s)):
        at_s = number * every_s
        stats.history.append(point(at_s, 900.0 if at_s == 3600 else 10.0))
        if number % 20 == 19:
            trim(stats)


def seconds(of: dict[str, Any]) -> float:
    """When a point is, seconds from the beginning."""
    return (datetime.fromisoformat(of["time"]) - BEGAN).total_seconds()


def test_the_charts_of_days_have_a_bounded_number_of_points() -> None:
    stats = RequestStats()
    history_of(stats, 2 * 86_400)
    times = [seconds(one) for one in stats.history]
    assert len(times) <= MOST_POINTS
    assert times == sorted(times)
    # The last hour is as it was taken, and nowhere is a gap of more than two stretches.
    assert times[-400:] == [times[-1] - 5 * back for back in range(399, -1, -1)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert times[0] < 256
    assert max(gaps) <= 2 * 256
    assert max(one["response_time_percentile_0.95"][1] for one in stats.history) == 900.0


def test_a_short_run_keeps_every_point() -> None:
    stats = RequestStats()
    history_of(stats, 2 * 3600)
    assert len(stats.history) == 2 * 720


def test_many_points_in_a_second_are_thinned_too() -> None:
    found = thinned([point(number / 20) for number in range(10_000)], 400)
    assert len(found) <= 300


def test_counts_of_seconds_long_past_are_forgotten() -> None:
    stats = RequestStats()
    stats.log_request("POST", "/ingest", 5, 1)
    entry = stats.get("/ingest", "POST")
    last = int(stats.last_request_timestamp or 0)
    for counts in (stats.total.num_reqs_per_sec, entry.num_reqs_per_sec, entry.num_fail_per_sec):
        counts.update({last - back: 7 for back in range(100_000)})
    stats.total.start_time = entry.start_time = last - 100_000.0
    before = entry.current_rps, entry.current_fail_per_sec
    trim(stats)
    assert len(stats.total.num_reqs_per_sec) == KEPT_S + 1
    assert len(entry.num_fail_per_sec) == KEPT_S + 1
    assert (entry.current_rps, entry.current_fail_per_sec) == before
    assert entry.current_rps == 7.0


def test_names_that_never_end_count_as_one() -> None:
    stats = RequestStats()
    for number in range(3 * MOST_NAMES):
        stats.log_request("GET", f"/orders/{number}", 5, 1)
        if number % 500 == 0:
            trim(stats)
    trim(stats)
    assert len(stats.entries) <= MOST_NAMES + 1
    assert sum(one.num_requests for one in stats.entries.values()) == 3 * MOST_NAMES
    assert stats.entries[OTHER, ""].num_requests >= 2 * MOST_NAMES
    assert stats.total.num_requests == 3 * MOST_NAMES


def test_error_texts_that_never_end_count_as_one() -> None:
    stats = RequestStats()
    for number in range(3 * MOST_ERRORS):
        stats.log_error("GET", "/", f"failed at {number}")
        if number % 500 == 0:
            trim(stats)
    trim(stats)
    assert len(stats.errors) <= MOST_ERRORS + 1
    assert sum(one.occurrences for one in stats.errors.values()) == 3 * MOST_ERRORS
    (other,) = [one for one in stats.errors.values() if one.error == OTHER]
    assert other.occurrences >= 2 * MOST_ERRORS
    assert other.first_seen is not None
    assert other.last_seen is not None
    assert other.first_seen <= other.last_seen


def test_a_process_of_locust_is_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "INTERVAL_S", 0.001)
    environment = Environment()
    environment.stats.history.extend(point(5.0 * number) for number in range(5000))
    looking = gevent.spawn(tables.keep_small, environment)
    try:
        with gevent.Timeout(10):
            while len(environment.stats.history) > MOST_POINTS:
                gevent.sleep(0.001)
    finally:
        looking.kill()


def test_logs_of_workers_that_have_left_are_forgotten() -> None:
    environment = Environment()
    environment.runner = Master()
    environment.worker_logs = {"w0": ["..."], "w1": ["..."]}
    tables.tidy(environment)
    assert environment.worker_logs == {"w1": ["..."]}
