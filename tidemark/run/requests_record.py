"""What the load generator has seen so far, as rows of requests.csv and routes.csv."""

import math
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tidemark.record.appender import CsvAppender
from tidemark.record.clock import Instant
from tidemark.record.layout import GENERATORS, REQUESTS, ROUTES, Table
from tidemark.record.retention import Retention
from tidemark.record.thinning import Thinner
from tidemark.run.counted import Counted
from tidemark.run.journal import Journal

MOST_ROUTES = 100
MOST_REASONS = 100
ROUTE, MESSAGES = "tidemark.route", "tidemark.messages"
"""Keys of a request's context: what it is called, and how many messages were accepted."""
OTHER_ROUTES = "other"
"""What stands for all routes beyond the first hundred: names with an id in them never end."""


class RequestRecord:
    """Counts answers as they come and gives the rows of each tick.

    Counts are cumulative; percentiles in a row are those of the answers since the row before.
    A request that was not answered in time counts as a failure when its time is up.

    Args:
        monotonic: the clock that silence is measured with, seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._tick_ms: list[float] = []
        self._late_ms: list[float] = []
        self._latencies = LatencyHistogram()
        self._latenesses = LatencyHistogram()
        self.last_late_p99_ms: float | None = None  # of the last row
        self._routes: Counter[str] = Counter()
        self._failed_routes: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self.sent = 0
        self.requests = 0
        self.failures = 0
        self.messages_accepted: int | None = None
        self._heard_s: float | None = None  # since when somebody waits for a success

    def go_on(self, counted: Counted) -> None:
        """Count on from what was counted of a run before it was cut off."""
        self.sent = self.requests = counted.requests
        self.failures = counted.failures
        self.messages_accepted = counted.messages_accepted
        for route, (requests, failures) in counted.routes.items():
            self._routes[route], self._failed_routes[route] = requests, failures

    def count_sent(self) -> None:
        """A request is on its way."""
        self.sent += 1
        self._wait()

    def on_leaving(self, late_ms: float) -> None:
        """A request leaves, so many milliseconds after it was due."""
        self._late_ms.append(late_ms)

    def on_request(
        self,
        request_type: str = "",
        name: str = "",
        response_time: float | None = None,
        exception: BaseException | None = None,
        context: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Listener for Locust's `request` event; `response_time` is in milliseconds."""
        told = context or {}
        route = self._route(told.get(ROUTE) or f"{request_type} {name}".strip())
        self.requests += 1
        self._routes[route] += 1
        self._tick_ms.append(response_time or 0.0)
        if exception is not None:
            self.failures += 1
            self._failed_routes[route] += 1
            self._wait()
            self._count_reason(f"{exception} on {route}" if route else str(exception))
            return
        is_waiting = self.sent > self.requests
        self._heard_s = self._monotonic() if is_waiting else None
        messages = told.get(MESSAGES)
        if messages is not None:
            self.messages_accepted = (self.messages_accepted or 0) + messages

    def to_plain(self) -> dict[str, Any]:
        """All that was counted, for the record of who merges it, see `merge`."""
        failed = self._failed_routes
        return {
            "sent": self.sent,
            "requests": self.requests,
            "failures": self.failures,
            "messages_accepted": self.messages_accepted,
            "routes": [[name, count, failed[name]] for name, count in self._routes.items()],
            "reasons": list(self._reasons.items()),
            "ms": self._tick_ms,
            "late_ms": self._late_ms,
        }

    def merge(self, part: Mapping[str, Any]) -> None:
        """Add what another record has counted, as its `to_plain` gives it."""
        for reason, count in part["reasons"]:
            self._count_reason(reason, count)
        self.sent += part["sent"]
        self.requests += part["requests"]
        self.failures += part["failures"]
        if part["messages_accepted"] is not None:
            self.messages_accepted = (self.messages_accepted or 0) + part["messages_accepted"]
        for name, requests, failures in part["routes"]:
            route = self._route(name)
            self._routes[route] += requests
            self._failed_routes[route] += failures
        self._tick_ms.extend(part["ms"])
        self._late_ms.extend(part["late_ms"])
        if part["requests"] > part["failures"]:
            self._heard_s = self._monotonic() if self.sent > self.requests else None
        elif part["sent"] or part["failures"]:
            self._wait()

    def _wait(self) -> None:
        if self._heard_s is None:
            self._heard_s = self._monotonic()

    def _route(self, name: str) -> str:
        is_known = name in self._routes or len(self._routes) < MOST_ROUTES
        return name if is_known else OTHER_ROUTES

    def _count_reason(self, reason: str, count: int = 1) -> None:
        """Remember why nothing succeeds, for as long as nothing does."""
        if not self.answered and (reason in self._reasons or len(self._reasons) < MOST_REASONS):
            self._reasons[reason] += count

    @property
    def answered(self) -> int:
        """Requests that succeeded."""
        return self.requests - self.failures

    @property
    def main_reason(self) -> str | None:
        """Why most requests failed until the first success; None if none has."""
        return max(self._reasons, key=self._reasons.__getitem__, default=None)

    def silent_s(self) -> float:
        """Seconds since the last success, or since the first request after it that waits."""
        return 0.0 if self._heard_s is None else self._monotonic() - self._heard_s

    def row(self, instant: Instant, users: int) -> dict[str, Any]:
        """The row of requests.csv at `instant`; begins a new tick."""
        tick, self._tick_ms = sorted(self._tick_ms), []
        late, self._late_ms = sorted(self._late_ms), []
        self._latencies.add(tick)
        self._latenesses.add(late)
        self.last_late_p99_ms = percentile(late, 0.99)
        return {
            **asdict(instant),
            "users": users,
            "requests": self.requests,
            "failures": self.failures,
            "messages_accepted": self.messages_accepted,
            "p50_ms": percentile(tick, 0.50),
            "p95_ms": percentile(tick, 0.95),
            "p99_ms": percentile(tick, 0.99),
            "late_p50_ms": percentile(late, 0.50),
            "late_p99_ms": self.last_late_p99_ms,
            "late_max_ms": percentile(late, 1.0),
        }

    def route_rows(self, instant: Instant) -> list[dict[str, Any]]:
        """The rows of routes.csv at `instant`, whose sums are the counts of `row`."""
        return [
            {
                **asdict(instant),
                "route": route,
                "requests": requests,
                "failures": self._failed_routes[route],
            }
            for route, requests in self._routes.items()
        ]

    def told(self) -> str:
        """What came of the requests so far, in a few words."""
        answered = self.requests - self.failures
        return f"{self.sent:,} requests sent, {answered:,} answered, {self.failures:,} failed"

    def latency_ms(self) -> dict[str, float] | None:
        """p50, p95, p99 and maximum of all rows so far, in milliseconds; None without answers."""
        return self._latencies.summary()

    def lateness_ms(self) -> dict[str, float] | None:
        """The same of how late requests left after they were due; None where none was due."""
        return self._latenesses.summary()


class RequestTables:
    """requests.csv and routes.csv of a run under way; a tick that finds no room is lost.

    Args:
        journal: of the run.
        record: what they tell of.
        retain: how densely they are kept as they age; None: as they are written.

    Raises:
        RunDirectoryError: one of them cannot be opened.
    """

    def __init__(
        self, journal: Journal, record: RequestRecord, retain: Retention | None = None
    ) -> None:
        self._journal = journal
        self._record = record
        self._retain = retain
        self._thinners: list[Thinner] = []
        self._requests = self._opened(REQUESTS)
        self._routes = self._opened(ROUTES)
        self._generators: CsvAppender | None = None

    def _opened(self, table: Table) -> CsvAppender:
        writer = self._journal.directory.writer(table)
        if self._retain:
            self._thinners.append(Thinner(writer, self._retain))
        return writer

    def write(
        self, instant: Instant, users: int, generators: Iterable[Mapping[str, Any]] = ()
    ) -> None:
        """Write one tick.

        Args:
            instant: when it is.
            users: how many there are.
            generators: rows of generators.csv, if there are several of them.
        """
        routes = self._record.route_rows(instant)
        row = self._record.row(instant, users)
        with self._journal.going_on():
            self._requests.append(row)
            self._routes.append_all(routes)
            self._write_generators(instant, generators)
            self._journal.found_room()
            for thinner in self._thinners:
                thinner.step(instant.elapsed_s)

    def _write_generators(self, instant: Instant, rows: Iterable[Mapping[str, Any]]) -> None:
        told = [{**asdict(instant), **row} for row in rows]
        if told and self._generators is None:
            self._generators = self._opened(GENERATORS)
        if self._generators:
            self._generators.append_all(told)

    def close(self) -> None:
        """Close the files."""
        for thinner in self._thinners:
            thinner.close()
        self._requests.close()
        self._routes.close()
        if self._generators:
            self._generators.close()


def percentile(ordered: Sequence[float], fraction: float) -> float | None:
    """Nearest-rank percentile of values in ascending order, to three decimals; None of nothing."""
    return round(ordered[max(0, math.ceil(fraction * len(ordered)) - 1)], 3) if ordered else None


class LatencyHistogram:
    """Times in milliseconds, kept to three significant digits.

    Memory stays bounded (900 buckets a decade) however long the run, and every percentile is true
    to 0.5 %, which is the idea of HdrHistogram.
    """

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()

    def add(self, ordered_ms: Sequence[float]) -> None:
        """Count times in ascending order: bucket by bucket, for a load generator is in a hurry."""
        at = 0
        while at < len(ordered_ms):
            bucket = float(f"{ordered_ms[at]:.3g}")
            end = max(at + 1, bisect_right(ordered_ms, bucket + _half_a_bucket(bucket), at))
            self._counts[bucket] += end - at
            at = end

    @property
    def count(self) -> int:
        """How many were counted."""
        return self._counts.total()

    def summary(self) -> dict[str, float] | None:
        """Percentiles and maximum in milliseconds, or None when nothing was counted."""
        if not self._counts:
            return None
        fractions = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
        return {name: self.percentile(fraction) for name, fraction in fractions.items()}

    def percentile(self, fraction: float) -> float:
        """Nearest-rank percentile in milliseconds; raises ValueError when nothing was counted."""
        rank = math.ceil(fraction * self.count)
        seen = 0
        for value in sorted(self._counts):
            seen += self._counts[value]
            if seen >= rank:
                return value
        raise ValueError("no response times were counted")


def _half_a_bucket(bucket: float) -> float:
    """Half a step of the third significant digit."""
    return 0.5 * 10 ** (math.floor(math.log10(bucket)) - 2) if bucket > 0 else 0.0
