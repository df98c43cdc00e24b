"""Nothing is said of what was not seen; and what is said stands on what leads."""

from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.made import MIB, limits, make_run, steady, ticks
from tidemark.analysis.verdict.assessment import weigh
from tidemark.analysis.verdict.judge import judge
from tidemark.record.metrics import TCP_STATES

LONGEST_REASON = 160


@pytest.fixture
def at():
    return ticks(120.0, 0.5)


def with_column(run, name, value):
    return replace(run, samples=run.samples.assign(**{name: value}))


def with_brokers(run, *brokers):
    return replace(run, metadata=replace(run.metadata, brokers=brokers))


def unseen(at):
    run = make_run(at, 20.0 + 0 * at, requests=steady(at))
    return with_brokers(with_column(run, "established", 0.0), "a:1", "b:2", "c:3")


def test_brokers_that_were_never_seen_are_not_called_clean(at):
    run = unseen(at)
    found = judge(run).resources["connections"]
    assert found.verdict == "inconclusive"
    assert "none was ever seen towards a:1, b:2 and 1 more" in found.reason
    assert weigh(run, judge(run)).exit_code == 0  # there is no limit to run into


def test_connections_of_nobody_have_been_seen(at):
    run = unseen(at)
    samples = run.samples.copy()
    samples.loc[samples.index[5], "time_wait"] = 1.0
    assert judge(replace(run, samples=samples)).resources["connections"].verdict == "clean"


def test_of_connections_that_were_not_read_it_is_said(at):
    run = unseen(at)
    for name in TCP_STATES:
        run = with_column(run, name, np.nan)
    found = judge(run).resources["connections"]
    assert found.verdict == "inconclusive"
    assert "no sample has a figure: this was not read" in found.reason


@pytest.mark.parametrize("name", ["fds", "threads", "rss_bytes"])
def test_nothing_at_all_is_not_a_level(at, name):
    run = with_column(make_run(at, 20.0 + 0 * at, requests=steady(at)), name, 0.0)
    found = judge(run).resources[name]
    assert found.verdict == "inconclusive"
    assert "no living process" in found.reason


@pytest.mark.parametrize("growth", [0.0, 1.0])
def test_three_seconds_under_load_tell_nothing(growth):
    at = ticks(3.0, 0.05)
    run = make_run(at, 20 + growth * steady(at), requests=steady(at))
    verdict = judge(run)
    assert verdict.verdict == "inconclusive"
    assert "of load are too short to tell" in verdict.reason
    assert {one.verdict for one in verdict.resources.values()} == {"inconclusive"}


@pytest.mark.parametrize(("growth", "said"), [(0.0, "clean"), (1.0, "leak")])
def test_eight_seconds_under_load_do(growth, said):
    at = ticks(8.0, 0.25)
    run = make_run(at, 20 + growth * steady(at), requests=steady(at))
    assert judge(run).resources["fds"].verdict == said


def test_the_baseline_of_a_second_life_is_that_of_the_first(at):
    first = np.where(at < 40, 30 + 0.1 * steady(at), np.nan)
    second = np.where(at > 41, 70 + 0.1 * (steady(at) - 400), np.nan)
    requests = np.maximum(steady(at) - 20, 0.0)
    found = judge(make_run(at, [first, second], requests=requests)).resources["fds"]
    assert found.pid == 11
    assert found.baseline == pytest.approx(32.0, abs=1.0)
    assert found.last == pytest.approx(148.0, abs=3.0)


def test_a_worker_that_came_later_beside_others_has_its_own_baseline(at):
    first = 30.0 + 0 * at
    second = np.where(at > 20, 50 + 0.1 * steady(at), np.nan)
    found = judge(make_run(at, [first, second], requests=steady(at))).resources["fds"]
    assert found.baseline == pytest.approx(70.0, abs=1.0)


def leaking_memory(at, total):
    run = make_run(
        at,
        60 * MIB + MIB * at,
        resource="rss_bytes",
        requests=steady(at),
        events=[limits(rss_bytes_limit=int(total))],
    )
    return with_column(run, "established", 2.0 + 2 * steady(at))


def test_a_limit_that_is_days_away_does_not_lead(at):
    verdict = judge(leaking_memory(at, 2.0**44))
    assert verdict.resources["rss_bytes"].verdict == "leak"
    assert verdict.first_to_exhaust is None
    assert verdict.reason.startswith("broker connections:")
    assert verdict.resources["rss_bytes"].reason.endswith("is far away")


def test_one_that_can_be_foreseen_does(at):
    verdict = judge(leaking_memory(at, 2.0**31))
    assert verdict.first_to_exhaust == "rss_bytes"
    assert verdict.reason.startswith("resident memory: grows by")
    assert verdict.reason.endswith("; likewise broker connections")


def test_sentences_are_short_and_count_in_whole_numbers(at):
    run = make_run(at, 873.5 + 8 * steady(at), requests=steady(at), fds_limit=20_000.0)
    found = judge(run).resources["fds"].reason
    assert "from 874 to" in found
    assert len(found) <= LONGEST_REASON
    level = judge(make_run(at, 873.5 + 0 * at, requests=steady(at))).resources["fds"].reason
    assert "level at 874 since" in level


def test_memory_that_grows_for_some_seconds_is_not_called_a_leak():
    found = {}
    for duration_s in (14.0, 60.0):
        at = ticks(duration_s, 0.25)
        growing = 100 * MIB + 2 * MIB * at
        run = make_run(at, growing, resource="rss_bytes", requests=steady(at))
        found[duration_s] = judge(run).resources["rss_bytes"]
    assert found[14.0].verdict == "inconclusive"
    assert "within the first growth of any process" in found[14.0].reason
    assert found[60.0].verdict == "leak"


def test_the_growth_of_one_process_is_told_where_the_others_hide_it(at):
    growing, swinging = 100 + np.floor(0.2 * at), 4000 + 2000 * np.sin(at / 7)
    run = make_run(at, [growing, swinging], requests=steady(at))
    fds = judge(run).resources["fds"]
    assert fds.verdict == "leak"
    assert fds.per_request == pytest.approx(0.02, rel=0.05)
    assert fds.per_request_interval.low > 0


def test_a_jvm_that_hardly_collected_is_told_so_even_where_nothing_could_be_measured(at):
    run = make_run(
        at,
        60 * MIB + MIB * at,
        resource="rss_bytes",
        requests=steady(at),
        runtime="jvm",
        extra={"heap_bytes": np.full(len(at), np.nan), "collections": 0 * at},
    )
    found = judge(run).resources["rss_bytes"]
    assert found.verdict == "inconclusive"
    assert found.per_request is None
    assert "the heap was collected not once under load, too seldom to tell" in found.reason
    assert "run for 3 min 59 s, or with a smaller heap" in found.reason
    assert len(found.reason) <= LONGEST_REASON
