"""What the load generator has seen: cumulative counts, percentiles of the tick and the run."""

import math
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.clock import Instant
from tidemark.record.layout import GENERATORS, REQUESTS, ROUTES
from tidemark.record.stream import RowStream
from tidemark.run.journal import Journal
from tidemark.run.options import RunOptions
from tidemark.run.plan import Plan
from tidemark.run.requests_record import (
    MESSAGES,
    MOST_ROUTES,
    OTHER_ROUTES,
    ROUTE,
    LatencyHistogram,
    RequestRecord,
    RequestTables,
    percentile,
)

NOW = Instant(1000.0, 1.0)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_row_has_the_columns_of_the_run_directory(clock: Clock) -> None:
    record = RequestRecord(clock)
    record.on_request("POST", "/ingest")
    assert tuple(record.row(NOW, users=1)) == REQUESTS.columns
    assert tuple(record.route_rows(NOW)[0]) == ROUTES.columns


def test_counts_are_cumulative_and_percentiles_are_the_ticks(clock: Clock) -> None:
    record = RequestRecord(clock)
    record.on_request(response_time=10.0, context={MESSAGES: 3})
    record.on_request(response_time=20.0, context={MESSAGES: 3})
    first = record.row(NOW, users=1)
    record.on_request(response_time=500.0, exception=TimeoutError())
    second = record.row(NOW, users=1)
    assert (first["requests"], first["failures"], first["messages_accepted"]) == (2, 0, 6)
    assert (first["p50_ms"], first["p99_ms"]) == (10.0, 20.0)
    assert (second["requests"], second["failures"], second["messages_accepted"]) == (3, 1, 6)
    assert second["p50_ms"] == 500.0


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["/a", "/b, c", ""]), st.booleans()), max_size=5),
        max_size=5,
    )
)
def test_routes_sum_to_the_requests_of_each_tick(ticks: list[list[tuple[str, bool]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        record = RequestRecord(Clock())
        plan = Plan.of(RunOptions.parse({"results": folder, "run_name": "run"}), None)
        journal = Journal(plan, plan.make_directory())
        tables = RequestTables(journal, record)
        for number, answers in enumerate(ticks):
            for name, failed in answers:
                record.on_request("POST", name, exception=TimeoutError() if failed else None)
            tables.write(Instant(1000.0 + number, float(number)), users=1)
        tables.close()
        requests, routes = (
            RowStream(journal.directory.path, table).new_rows() for table in (REQUESTS, ROUTES)
        )
    assert len(requests) == len(ticks)
    for row in requests:
        of_tick = [route for route in routes if route["elapsed_s"] == row["elapsed_s"]]
        assert len({route["route"] for route in of_tick}) == len(of_tick)
        for count in ("requests", "failures"):
            assert sum(int(route[count]) for route in of_tick) == int(row[count])


def test_tables_are_thinned_as_they_age(tmp_path) -> None:
    plan = Plan.of(RunOptions.parse({"results": tmp_path, "retain": "60s@1s,600s@10s"}), None)
    journal = Journal(plan, plan.make_directory())
    record = RequestRecord(Clock())
    tables = RequestTables(journal, record, plan.options.retain)
    for tick in range(300):
        record.on_request("POST", "/a", response_time=1.0)
        generators = [{"generator": "worker-1", "requests": tick}]
        tables.write(Instant(1000.0 + tick, float(tick)), 1, generators)
    tables.close()
    for table in (REQUESTS, ROUTES, GENERATORS):
        rows = RowStream(journal.directory.path, table).new_rows()
        at = [float(row["elapsed_s"]) for row in rows]
        assert at[-60:] == [float(tick) for tick in range(240, 300)], table.file
        assert at[:20] == [10.0 * tick for tick in range(20)], table.file
        assert rows[3]["requests"] in {"31", "30"}
    assert journal.directory.read_metadata().raw["sampling"]["retain"] == "60s@1s,600s@10s"


def test_a_route_is_the_request_type_and_name_of_locust(clock: Clock) -> None:
    record = RequestRecord(clock)
    record.on_request(request_type="POST", name="/ingest", response_time=1.0)
    record.on_request(request_type="GET", name="/stats", exception=TimeoutError())
    rows = [(row["route"], row["requests"], row["failures"]) for row in record.route_rows(NOW)]
    assert rows == [("POST /ingest", 1, 0), ("GET /stats", 1, 1)]


def test_routes_with_an_id_in_them_are_bounded(clock: Clock) -> None:
    record = RequestRecord(clock)
    for number in range(2 * MOST_ROUTES):
        record.on_request("GET", f"/item/{number}")
    rows = record.route_rows(NOW)
    assert len(rows) == MOST_ROUTES + 1
    assert (rows[-1]["route"], rows[-1]["requests"]) == (OTHER_ROUTES, MOST_ROUTES)


def test_what_is_not_known_is_empty(clock: Clock) -> None:
    record = RequestRecord(clock)
    row = record.row(NOW, users=1)
    assert row["p50_ms"] is None
    assert row["messages_accepted"] is None
    assert record.latency_ms() is None
    record.on_request(response_time=1.0, context={MESSAGES: None})
    assert record.row(NOW, users=1)["messages_accepted"] is None


def test_silence_begins_with_the_first_request_and_ends_with_a_success(clock: Clock) -> None:
    record = RequestRecord(clock)
    clock.now_s += 60
    assert record.silent_s() == 0
    record.count_sent()
    clock.now_s += 4
    record.on_request(response_time=4000.0, exception=TimeoutError())
    assert record.silent_s() == 4
    record.on_request(response_time=1.0)
    assert record.silent_s() == 0


def test_nobody_waits_between_two_requests(clock: Clock) -> None:
    """Users of somebody else's locustfile think as long as they like."""
    record = RequestRecord(clock)
    record.count_sent()
    record.on_request(response_time=1.0)
    clock.now_s += 60
    assert record.silent_s() == 0
    record.count_sent()
    clock.now_s += 4
    assert record.silent_s() == 4
    record.count_sent()
    record.on_request(response_time=1.0)
    clock.now_s += 3
    assert record.silent_s() == 3  # the other one still waits


def test_failures_that_nobody_saw_leave_are_silence_too(clock: Clock) -> None:
    record = RequestRecord(clock)
    record.on_request(exception=TimeoutError())
    clock.now_s += 4
    assert record.silent_s() == 4
    record.on_request()
    assert record.silent_s() == 0


def test_a_route_is_called_what_its_request_says(clock: Clock) -> None:
    record = RequestRecord(clock)
    record.on_request("POST", "/v1/orders", context={ROUTE: "orders"})
    record.on_request("POST", "/v1/orders", context={"of": "somebody else's"})
    assert [row["route"] for row in record.route_rows(NOW)] == ["orders", "POST /v1/orders"]


def test_latency_of_the_run_spans_its_ticks(clock: Clock) -> None:
    record = RequestRecord(clock)
    for response_time in range(1, 101):
        record.on_request(response_time=float(response_time))
        record.row(NOW, users=1)
    assert record.latency_ms() == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def test_lateness_is_of_the_requests_that_left_in_the_tick(clock: Clock) -> None:
    record = RequestRecord(clock)
    for late_ms in range(100, 0, -1):
        record.on_leaving(float(late_ms))
    first = record.row(NOW, users=1)
    record.on_leaving(0.5)
    second = record.row(NOW, users=1)
    assert [row["late_p50_ms"] for row in (first, second)] == [50.0, 0.5]
    assert [row["late_p99_ms"] for row in (first, second)] == [99.0, 0.5]
    assert [row["late_max_ms"] for row in (first, second)] == [100.0, 0.5]
    assert record.lateness_ms() == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def test_where_nobody_says_what_was_due_lateness_is_empty(clock: Clock) -> None:
    record = RequestRecord(clock)
    record.on_request(response_time=1.0)
    assert record.row(NOW, users=1)["late_max_ms"] is None
    assert record.lateness_ms() is None


@given(st.lists(st.floats(0.0, 1e6).map(lambda ms: round(ms, 4)), min_size=1), st.floats(0.01, 1.0))
def test_the_histogram_is_true_to_half_a_percent(values: list[float], fraction: float) -> None:
    histogram = LatencyHistogram()
    histogram.add(sorted(values))
    exact = sorted(values)[max(0, math.ceil(fraction * len(values)) - 1)]
    assert histogram.percentile(fraction) == pytest.approx(exact, rel=0.0051)


@given(st.lists(st.lists(st.floats(0.0, 1e4))))
def test_every_time_is_counted_once(ticks: list[list[float]]) -> None:
    histogram = LatencyHistogram()
    for tick in ticks:
        histogram.add(sorted(tick))
    assert histogram.count == sum(map(len, ticks))


def test_percentile_of_nothing_is_none() -> None:
    assert percentile([], 0.5) is None
    with pytest.raises(ValueError, match="no response times"):
        LatencyHistogram().percentile(0.5)
