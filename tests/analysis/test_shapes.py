"""What the verdict says of each shape that a resource can take, on both sides of the line."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.analysis.made import MIB, happened, make_run, steady, ticks
from tidemark.analysis.verdict.judge import judge
from tidemark.record.events import Emfile


def judged(at, series, resource="fds", **options):
    options.setdefault("requests", steady(at))
    return judge(make_run(at, series, resource=resource, **options)).resources[resource]


def share(at):
    return at / at[-1]


def leak(at, rng, total):
    return np.cumsum(rng.poisson(total / len(at), len(at))).astype(float)


def test_a_steady_leak(rng):
    at = ticks()
    found = judged(at, 30 + 0.01 * steady(at))
    assert found.verdict == "leak"
    assert found.per_request == pytest.approx(0.01, rel=0.05)
    assert found.per_request_interval.contains(0.01)
    assert found.per_hour == pytest.approx(0.01 * 36000, rel=0.05)
    assert "descriptors a request" in found.reason


def test_flat_whole_numbers_are_clean_and_say_what_is_excluded():
    at = ticks(30.0, 0.25)
    found = judged(at, np.full(len(at), 21.0))
    assert found.verdict == "clean"
    assert "level at 21" in found.reason
    assert "is excluded" in found.reason
    assert found.per_request_interval.high < 0.02


@pytest.mark.parametrize("memory", [0, 5, 30])
def test_noise_is_clean(ar1, memory):
    at = ticks(1800.0)
    assert judged(at, np.round(60 + ar1(len(at), memory, 4.0))).verdict == "clean"


def test_noise_above_a_leak_hides_nothing(ar1, rng):
    at = ticks(1800.0)
    series = np.round(60 + ar1(len(at), 5, 4.0) + leak(at, rng, 60))
    assert judged(at, series).verdict == "leak"


def test_a_warm_up_that_ends_is_clean(ar1):
    at = ticks(1800.0)
    warm = 80 * (1 - np.exp(-share(at) / 0.03))
    found = judged(at, np.round(20 + warm + ar1(len(at), 3, 1.0)))
    assert found.verdict == "clean"
    assert found.warmup_end_s > 60


def test_a_leak_below_a_warm_up_is_a_leak(ar1, rng):
    at = ticks(1800.0)
    warm = 80 * (1 - np.exp(-share(at) / 0.03))
    series = np.round(20 + warm + leak(at, rng, 90) + ar1(len(at), 3, 1.0))
    assert judged(at, series).verdict == "leak"


def test_a_pool_that_is_full_is_clean():
    at = ticks()
    found = judged(at, np.round(20 + 64 * np.minimum(share(at) / 0.4, 1.0)))
    assert found.verdict == "clean"


def test_a_fill_that_has_not_shown_its_end_is_inconclusive_and_says_how_long_to_run():
    at = ticks()
    found = judged(at, np.round(20 + 300 * (1 - np.exp(-share(at) / 0.5))))
    assert found.verdict == "inconclusive"
    assert "more slowly" in found.reason
    assert "run for 19 min" in found.reason


def test_a_sawtooth_is_clean_and_one_on_a_rising_floor_is_a_leak(rng):
    at = ticks(1800.0)
    teeth = np.floor(30 * ((share(at) * 20) % 1.0))
    assert judged(at, 40 + teeth).verdict == "clean"
    assert judged(at, 40 + teeth + leak(at, rng, 80)).verdict == "leak"


def test_connections_that_follow_a_ramp_are_clean(ar1):
    at = ticks(1800.0)
    users = np.round(5 + 45 * share(at))
    requests = np.floor(np.cumsum(users))
    series = np.round(3 * users + ar1(len(at), 3, 1.0))
    found = judged(at, series, "connections", requests=requests, users=users)
    assert found.verdict == "clean"


def test_a_leak_under_a_ramp_that_ends_is_a_leak(ar1, rng):
    at = ticks(1800.0)
    users = np.round(5 + 45 * np.minimum(share(at) / 0.3, 1.0))
    requests = np.floor(np.cumsum(users))
    series = np.round(3 * users + ar1(len(at), 3, 1.0) + leak(at, rng, 90))
    found = judged(at, series, "connections", requests=requests, users=users)
    assert found.verdict == "leak"


def test_one_step_is_clean(ar1):
    at = ticks(1800.0)
    series = np.round(40 + 25 * (share(at) > 0.4) + ar1(len(at), 2, 0.7))
    assert judged(at, series).verdict == "clean"


def test_a_leak_that_stopped_is_clean_now(rng):
    at = ticks(1800.0)
    lost = leak(at, rng, 100)
    series = 40 + np.minimum(lost, lost[len(at) // 2])
    found = judged(at, series)
    assert found.verdict == "clean"
    assert found.warmup_end_s > 800


def test_bursts_are_clean(rng):
    at = ticks(1800.0)
    busy = np.zeros(len(at))
    for moment in rng.uniform(0, 1, 12):
        busy += 40 * (np.abs(share(at) - moment) < 0.01)
    assert judged(at, np.round(30 + busy + rng.normal(0, 1, len(at)))).verdict == "clean"


def test_gaps_do_not_matter(rng):
    at = ticks(1800.0)
    there = (share(at) < 0.3) | (share(at) > 0.45)
    level = np.where(there, 30 + leak(at, rng, 60), np.nan)
    found = judged(at, level)
    assert found.verdict == "leak"


def test_one_of_two_processes_leaks(ar1, rng):
    at = ticks(1800.0)
    quiet = np.round(40 + ar1(len(at), 3, 1.0))
    found = judged(at, [quiet, np.round(40 + leak(at, rng, 60))])
    assert found.verdict == "leak"
    assert found.scope == "process 11"


def test_recycled_workers_that_leak_are_found_though_their_sum_is_a_sawtooth(rng):
    at = ticks(1800.0)
    life = np.minimum((share(at) * 6).astype(int), 5)
    lost = leak(at, rng, 600)
    lives = [np.where(life == k, 20 + lost - lost[life == k][0], np.nan) for k in range(6)]
    found = judged(at, lives)
    assert found.verdict == "leak"
    assert found.per_request == pytest.approx(600 / 18000, rel=0.25)


def test_recycled_workers_that_warm_up_each_time_are_clean():
    at = ticks(1800.0)
    life = np.minimum((share(at) * 6).astype(int), 5)
    age = share(at) * 6 - life
    level = np.round(20 + 30 * (1 - np.exp(-age / 0.04)))
    lives = [np.where(life == k, level, np.nan) for k in range(6)]
    assert judged(at, lives).verdict == "clean"


def test_a_plateau_at_the_limit_is_a_leak_that_has_run_out_of_room():
    at = ticks(120.0, 0.5)
    series = np.minimum(16 + 8 * steady(at, 3.0), 512.0)
    died = float(at[np.argmax(series >= 512)])
    run = make_run(
        at,
        series,
        requests=steady(at, 3.0),
        fds_limit=512.0,
        events=[happened(died, Emfile("Too many open files", 62))],
    )
    verdict = judge(run)
    found = verdict.resources["fds"]
    assert found.verdict == "leak"
    assert verdict.exhausted.resource == "fds"
    assert verdict.exhausted.requests == 62
    assert verdict.first_to_exhaust == "fds"
    assert found.requests_to_limit == 0
    predicted = (found.limit - found.baseline) / found.per_request
    assert predicted == pytest.approx(verdict.exhausted.requests, rel=0.05)
    assert "after 62 requests" in found.reason


def test_a_plateau_at_the_limit_needs_no_event():
    at = ticks(300.0)
    series = np.minimum(16 + 0.5 * steady(at), 1024.0)
    verdict = judge(make_run(at, series, requests=steady(at), fds_limit=1024.0))
    assert verdict.exhausted is not None
    assert verdict.exhausted.elapsed_s == pytest.approx(202, abs=3)


def test_a_pool_just_below_the_limit_is_not_exhausted():
    at = ticks(300.0)
    verdict = judge(make_run(at, np.full(len(at), 1000.0), requests=steady(at), fds_limit=1024.0))
    assert verdict.exhausted is None
    assert verdict.verdict == "clean"


def test_a_life_too_short_to_fit_is_still_a_leak_when_it_died():
    at = ticks(12.0)
    series = np.minimum(16 + 80 * at, 256.0)
    run = make_run(
        at,
        series,
        requests=steady(at),
        fds_limit=256.0,
        events=[happened(3.0, Emfile("Too many open files"))],
    )
    found = judge(run).resources["fds"]
    assert found.verdict == "leak"
    assert found.per_request == pytest.approx(8.0, rel=0.05)


def test_too_few_samples_are_inconclusive_and_say_so():
    at = ticks(5.0)
    found = judged(at, np.full(len(at), 20.0))
    assert found.verdict == "inconclusive"
    assert "too few" in found.reason


def test_memory_that_levels_off_is_clean_and_memory_that_does_not_is_a_leak(rng):
    at = ticks(1800.0)
    page = 4096
    noise = page * rng.integers(0, 100, len(at))
    warm = 20 * MIB * (1 - np.exp(-share(at) / 0.05))
    grown = 80 * MIB * share(at)
    assert judged(at, 60 * MIB + warm + noise, "rss_bytes").verdict == "clean"
    found = judged(at, 60 * MIB + warm + noise + grown, "rss_bytes")
    assert found.verdict == "leak"
    assert "KiB" in found.reason


def test_a_little_memory_is_not_worth_a_leak(rng):
    at = ticks(1800.0)
    noise = 4096 * rng.integers(0, 100, len(at))
    series = 60 * MIB + noise + 1.0 * MIB * share(at)
    assert judged(at, series, "rss_bytes").verdict != "leak"


def test_without_requests_growth_is_per_hour():
    at = ticks(1800.0)
    verdict = judge(make_run(at, 30 + np.floor(at / 20)))
    found = verdict.resources["fds"]
    assert found.verdict == "leak"
    assert found.per_request is None
    assert found.per_request_interval is None
    assert found.requests_to_limit is None
    assert found.per_hour == pytest.approx(180, rel=0.05)
    assert "an hour" in found.reason
    assert any("per hour" in warning for warning in verdict.warnings)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    spans=st.lists(
        st.tuples(st.integers(0, 59), st.integers(1, 60), st.integers(1, 7), st.integers(-2, 3)),
        min_size=1,
        max_size=7,
    ),
    per_tick=st.sampled_from([0.0, 0.1, 5.0]),
    users=st.sampled_from([None, "ramp", "stairs"]),
)
def test_processes_that_come_and_go_and_are_read_seldom_are_judged(spans, per_tick, users):
    """Whatever the lives are: begun late, ended early, read at every n-th tick, growing or not."""
    at = ticks(60.0)
    lives = []
    for begin, length, every, growth in spans:
        alive = (at >= begin) & (at < begin + length) & (at % every == begin % every)
        lives.append(np.where(alive, np.maximum(50 + growth * (at - begin), 0.0), np.nan))
    load = {None: None, "ramp": at, "stairs": np.floor(at / 20)}[users]
    run = make_run(at, lives, requests=np.floor(per_tick * at), users=load, fds_limit=128.0)
    verdict = judge(run)
    assert verdict.resources["fds"].reason


def test_a_resource_that_is_read_seldom_still_has_lasting_processes():
    at = ticks(300.0)
    seldom = np.where(at % 7 == 0, 30 + np.floor(at / 5), np.nan)
    found = judged(at, [seldom, np.where(at % 7 == 0, 12.0, np.nan)], "connections")
    assert found.verdict == "leak"
    assert found.per_request == pytest.approx(0.02, rel=0.1)
