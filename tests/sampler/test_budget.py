import math
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.endpoints import parse_endpoint
from tidemark.record.errors import EndpointError
from tidemark.record.options import endpoints
from tidemark.sampler.brokers import BrokerRefresh, Brokers, resolve_host
from tidemark.sampler.budget import WINDOW_S, Budget, Cadence
from tidemark.sampler.ticks import Ticker


def simulate(share, base_s, dump_s, *, cold_s=0.0, duration_s=600, interval_s=1.0):
    """Ticks on a clock of our own: (time, whether the connections were read, CPU)."""
    budget = Budget(share)
    cadence = Cadence(budget, 0.8)
    log = []
    for number in range(int(duration_s / interval_s)):
        now_s = number * interval_s
        due = cadence.due(now_s)
        cost_s = (dump_s + (cold_s if not log else 0.0)) if due else 0.0
        if due:
            cadence.done(now_s, cost_s, cold_s if not log else 0.0)
        budget.settle(base_s + cost_s, interval_s)
        log.append((now_s, due, base_s + cost_s))
    return log


def worst_minute(log):
    times = [when for when, _, _ in log]
    return max(
        sum(cost for when, _, cost in log if start <= when < start + WINDOW_S)
        for start in times
        if start + WINDOW_S <= times[-1] + 1
    )


@pytest.mark.parametrize("dump_s", [0.0003, 0.004, 0.03, 0.1, 0.26, 0.5])
def test_no_minute_costs_more_than_the_budget(dump_s):
    log = simulate(0.01, 0.0015, dump_s)
    assert worst_minute(log) <= 0.01 * WINDOW_S * 1.001
    assert sum(due for _, due, _ in log) >= 600 / max(1.0, dump_s / 0.003) / 4


def test_what_is_cheap_comes_every_tick():
    assert all(due for _, due, _ in simulate(0.01, 0.001, 0.001))


def test_a_dear_first_sample_is_paid_within_a_window():
    log = simulate(0.01, 0.0015, 0.26, cold_s=0.9)
    when = [now_s for now_s, due, _ in log if due]
    assert when[0] == 0.0
    assert WINDOW_S < when[1] < WINDOW_S + 5
    assert worst_minute(log[1:]) <= 0.6


def test_what_is_dearer_than_a_window_allows_still_comes_and_keeps_the_average():
    log = simulate(0.01, 0.001, 2.0, duration_s=6000)
    assert 10 <= sum(due for _, due, _ in log) <= 6000 * 0.01 / 2.0
    assert sum(cost for _, _, cost in log) <= 0.0105 * 6000


def test_without_a_limit_everything_comes_every_tick():
    assert all(due for _, due, _ in simulate(math.inf, 0.1, 0.5))


def test_what_was_never_run_is_taken_to_cost_as_much_as_its_like():
    budget = Budget(0.01)
    known = Cadence(budget, 0.7)
    like, alone = Cadence(budget, 0.1, like=known), Cadence(budget, 0.1)
    known.done(0.0, 0.3)
    assert not like.due(0.0)
    assert alone.due(0.0)
    assert like.due(WINDOW_S + 3)
    like.done(WINDOW_S + 3, 0.1)
    assert like.due(2 * WINDOW_S + 3, 0.3) is like.due(2 * WINDOW_S + 3) is False
    assert like.due(4 * WINDOW_S)


@pytest.mark.parametrize("others_s", [0.05, 0.2, 0.35])
def test_no_minute_costs_more_when_a_second_dear_part_is_run_for_the_first_time(others_s):
    budget = Budget(0.01)
    counted = Cadence(budget, 0.7)
    others = Cadence(budget, 0.1, like=counted)
    log = []
    for number in range(900):
        now_s, cost_s = float(number), 0.0015
        for cadence, part_s in ((counted, 0.3), (others, others_s)):
            if cadence.due(now_s):
                cadence.done(now_s, part_s)
                cost_s += part_s
        budget.settle(cost_s, 1.0)
        log.append((now_s, True, cost_s))
    assert worst_minute(log) <= 0.01 * WINDOW_S
    assert sum(cost_s for *_, cost_s in log) >= 0.005 * 900, "it is used"


@pytest.mark.parametrize(("used_s", "left_s"), [(0.1, 0.44), (0.2, 0.34), (3.0, 0.27)])
def test_the_beginning_counts_and_leaves_half_of_the_first_window(used_s, left_s):
    budget = Budget(0.01)
    budget.began(0.0, used_s)
    budget.settle(0.0, 1.0)
    assert budget.affords(1.0, left_s - 0.001)
    assert not budget.affords(1.0, left_s + 0.001)
    assert budget.affords(WINDOW_S + 3, 0.5)
    assert budget.free_share == pytest.approx(0.009), "it is not part of what a tick costs"


def test_the_beginning_leaves_half_of_what_dear_ticks_leave():
    budget = Budget(0.01)
    budget.began(0.0, 0.2)
    budget.settle(0.02, 1.0)  # more than the budget: a tenth is kept for what is dear
    budget.spend(1.0, 0.02)
    assert budget.affords(2.0, 0.006)
    assert not budget.affords(2.0, 0.008)


@given(
    st.floats(0.02, 5.0),
    st.lists(st.floats(0.0, 30.0), min_size=1, max_size=50),
)
def test_ticks_stay_on_the_grid_and_missed_ones_are_counted(interval_s, lags):
    ticker = Ticker(interval_s, first_s=100.0)
    now_s, missed = 100.0, 0
    for number, lag in enumerate(lags, start=1):
        ticker.advance()
        now_s = max(now_s, ticker.due_s) + lag
        missed += ticker.skip(now_s)
        assert ticker.due_s == pytest.approx(100.0 + (number + missed) * interval_s)
        assert ticker.due_s > now_s - interval_s * 1.000001
        assert ticker.skip(now_s) == 0


def test_a_tick_that_only_takes_long_is_not_a_gap():
    ticker = Ticker(1.0, 0.0)
    late = []
    for now_s in (1.0, 2.9, 6.2):  # the second is late, but can still be taken
        ticker.advance()
        late.append(ticker.skip(now_s))
    assert late == [0, 0, 3]


def test_endpoints_are_split():
    assert parse_endpoint("kafka-1.example:9092") == ("kafka-1.example", 9092)
    assert parse_endpoint("[::1]:9092") == ("::1", 9092)
    assert endpoints(" a:1, b:2,a:1,") == ("a:1", "b:2")


@pytest.mark.parametrize("text", ["a", ":1", "a:", "a:0", "a:65536", "a:x", "::1:9092", "a:\u0661"])
def test_malformed_endpoints_are_refused(text):
    with pytest.raises(EndpointError, match="host:port"):
        parse_endpoint(text)


def test_mapped_and_plain_addresses_are_one():
    assert resolve_host("::ffff:127.0.0.1") == resolve_host("127.0.0.1")


def test_a_name_that_comes_to_mean_more_adds_addresses(monkeypatch, closed):
    answers = {"10.0.0.1"}
    asked = threading.Semaphore(0)

    def getaddrinfo(host, port, **_):
        asked.release()
        if not answers:
            raise socket.gaierror("temporary failure")
        return [(socket.AF_INET, 1, 6, "", (one, 0)) for one in answers]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    brokers = Brokers.resolve(["kafka:9092", "10.9.9.9:9092"])
    assert brokers.named == ("kafka:9092",)
    version = brokers.version
    answers.clear()
    refresh = closed(BrokerRefresh(brokers, every_s=0.01))
    while asked.acquire(blocking=False):
        pass
    asked.acquire(timeout=10)
    asked.acquire(timeout=10)
    refresh.apply()
    assert brokers.version == version, "a name that fails keeps what it meant"
    answers.add("10.0.0.2")
    for _ in range(3):
        asked.acquire(timeout=10)
    refresh.apply()
    refresh.close()
    assert brokers.version > version
    mine = [str(address) for (address, _), name in brokers.addresses.items() if name[0] == "k"]
    assert sorted(mine) == ["10.0.0.1", "10.0.0.2"]
