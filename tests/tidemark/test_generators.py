"""Several generators: what they report adds up, and what a lost one had is not forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.distributed.channel import RESEND_S
from tidemark.distributed.reports import Changes, Reports
from tidemark.record.clock import Instant
from tidemark.run.generators import Generators
from tidemark.run.ledger import ACCEPTED, OPEN, REFUSED, Ledger
from tidemark.run.options import RunOptions
from tidemark.run.orders import Orders
from tidemark.run.requests_record import MESSAGES, ROUTE, RequestRecord

RUN = "0a1b2c3d"
ALSO = {"users": 1, "cpu_percent": 12.5, "at_s": 1.0, "is_last": False}


class Books:
    """The books of a run."""

    def __init__(self) -> None:
        self.record = RequestRecord()
        self.ledger = Ledger(10)
        self.saturated: list[tuple[Any, Any, Any]] = []

    def generator_saturated(
        self, *, lateness_s: float | None, cpu_percent: float | None, worker: str | None
    ) -> None:
        """As the session does."""
        self.saturated.append((lateness_s, cpu_percent, worker))


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def orders(**options: Any) -> Orders:
    return Orders.of_run(RunOptions.parse({"rate": 20, **options}), RUN)


def two(**options: Any) -> tuple[Generators, Books]:
    books = Books()
    return Generators(["worker-1", "worker-2"], orders(**options), books), books


def report(reports: Reports) -> dict[str, Any]:
    """What a report that is sent now says."""
    sent: list[dict[str, Any]] = []
    reports._send = sent.append
    reports.send(**ALSO)
    return sent[0]


def answered(record: RequestRecord, ms: float, route: str = "POST /a", **more: Any) -> None:
    record.count_sent()
    record.on_leaving(ms / 10)
    record.on_request(response_time=ms, context={ROUTE: route, MESSAGES: 10}, **more)


answer = st.tuples(
    st.floats(0.1, 5000), st.sampled_from(["POST /a", "GET /b"]), st.booleans(), st.integers(0, 1)
)


@given(st.lists(st.lists(answer, max_size=20), max_size=5))
def test_reports_put_together_are_what_one_record_would_be(
    ticks: list[list[tuple[float, str, bool, int]]],
) -> None:
    alone = RequestRecord()
    generators, books = two()
    workers = [Reports(RUN, lambda _: None) for _ in range(2)]
    for tick in ticks:
        for ms, route, fails, whose in tick:
            error = ValueError("HTTP 500") if fails else None
            for record in (alone, workers[whose].record):
                answered(record, ms, route, exception=error)
        for index, worker in enumerate(workers):
            generators.take(index, report(worker))
        now = Instant(1.0, 1.0)
        assert books.record.row(now, 2) == alone.row(now, 2)
        found = {row["route"]: row for row in books.record.route_rows(now)}
        assert found == {row["route"]: row for row in alone.route_rows(now)}
    assert books.record.sent == alone.sent
    assert books.record.latency_ms() == alone.latency_ms()
    if not alone.answered:
        assert books.record.main_reason == alone.main_reason
    rows = generators.rows()
    assert sum(row["requests"] for row in rows) == alone.requests
    assert sum(row["failures"] for row in rows) == alone.failures


def test_silence_is_that_of_all_of_them() -> None:
    clock = Clock()
    books = Books()
    books.record = RequestRecord(clock)
    generators = Generators(["worker-1", "worker-2"], orders(), books)
    first, second = (Reports(RUN, lambda _: None) for _ in range(2))
    first.record.count_sent()
    generators.take(0, report(first))
    clock.now_s = 3.0
    assert books.record.silent_s() == 3.0
    answered(second.record, 1.0)
    generators.take(1, report(second))
    assert books.record.silent_s() == 0.0


def test_the_ledger_has_what_both_have_settled() -> None:
    generators, books = two()
    first, second = (Reports(RUN, lambda _: None) for _ in range(2))
    for batch, state, of in ((0, ACCEPTED, first), (1, REFUSED, second), (2, OPEN, first)):
        of.ledger.sent(batch)
        if state != OPEN:
            of.ledger.settle(batch, state)
    generators.take(1, report(second))
    generators.take(0, report(first))
    assert list(books.ledger.states()) == [ACCEPTED, REFUSED, OPEN]
    first.ledger.settle(2, ACCEPTED)
    generators.take(0, report(first))
    assert books.ledger.accepted == 20


def test_who_cannot_keep_up_is_named() -> None:
    generators, books = two()
    worker = Reports(RUN, lambda _: None)
    worker.generator_saturated(lateness_s=0.3)
    worker.generator_saturated(cpu_percent=97.0)
    generators.take(1, report(worker))
    generators.take(1, report(worker))
    assert books.saturated == [(0.3, None, "worker-2"), (None, 97.0, "worker-2")]


def test_what_a_lost_one_has_not_reported_is_missing_and_stays_open() -> None:
    generators, books = two()
    first, second = (Reports(RUN, lambda _: None) for _ in range(2))
    for worker in (first, second):
        worker.ledger.sent(0)
        worker.ledger.settle(0, ACCEPTED)
    generators.walk(8.0)
    generators.take(0, report(first) | {"at_s": 8.0})
    generators.take(1, report(second) | {"at_s": 5.0})
    missing = generators.lose(1, 9.0)
    assert missing is not None
    assert 20 < missing < 60  # 4 s at 10/s
    assert books.ledger.undecided == 10 * missing
    assert generators.rows()[1]["users"] == 0
    assert generators.lose(0, 9.0) is not None


def test_requests_that_carry_nothing_of_ours_are_not_in_the_ledger() -> None:
    generators, books = two(route=("GET /a",))
    generators.walk(8.0)
    assert generators.lose(1, 9.0)
    assert books.ledger.is_empty


def test_in_the_closed_workload_nobody_knows_how_many_are_missing() -> None:
    generators, books = two(workload="closed")
    worker = Reports(RUN, lambda _: None)
    worker.ledger.sent(7)
    worker.ledger.settle(7, ACCEPTED)
    generators.take(1, report(worker))
    assert generators.lose(1, 9.0) is None
    open_ones = [n for n, state in enumerate(books.ledger.states()) if state == OPEN]
    assert open_ones == [9, 11, 13, 15, 17, 19]  # half a second of its share, and one


def test_a_report_is_repeated_until_it_is_heard_of() -> None:
    clock = Clock()
    sent: list[dict[str, Any]] = []
    reports = Reports(RUN, sent.append, clock)
    reports.send(**ALSO)
    reports.send(**ALSO)
    reports.repeat()
    assert [one["number"] for one in sent] == [1, 2]
    clock.now_s = RESEND_S + 1
    reports.heard(RUN, 1)
    reports.heard("another", 2)
    reports.repeat()
    reports.repeat()
    assert [one["number"] for one in sent] == [1, 2, 2]
    reports.heard(RUN, 2)
    assert reports.are_heard


def test_a_worker_is_unheard_of_since_the_last_report_that_was_heard_was_sent() -> None:
    clock = Clock()
    reports = Reports(RUN, lambda _: None, clock)
    clock.now_s = 1.0
    reports.send(**ALSO)
    clock.now_s = 5.0
    assert reports.unheard_of_s() == 5.0
    reports.heard(RUN, 1)
    assert (reports.unheard_of_s(), reports.deserted_s()) == (4.0, 0.0)


def test_changes_are_told_once_and_in_their_last_state() -> None:
    changes = Changes()
    changes.sent(3)
    changes.sent(4)
    changes.settle(3, ACCEPTED)
    assert changes.taken() == [3, ACCEPTED, 4, OPEN]
    assert changes.taken() == []


@pytest.mark.parametrize("workload", ["open", "closed"])
def test_orders_survive_the_wire(workload: str) -> None:
    given = orders(
        workload=workload,
        seed=9,
        route=("POST /a {uuid}", "GET /b"),
        header=("X-Key: v",),
        request_timeout=1.5,
    )
    again = Orders.from_plain(given.to_plain())
    for name in ("workload", "seed", "rate", "routes", "request_timeout", "batch_size"):
        assert getattr(again.options, name) == getattr(given.options, name), name
    assert again.headers == given.headers
    assert (again.run_id, again.generators, again.begins_s) == (RUN, 1, None)
