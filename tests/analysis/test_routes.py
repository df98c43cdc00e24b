"""Which route leaks: what a verdict says of each of several."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.analysis.made import make_run, ticks
from tidemark.analysis.tables import empty_table
from tidemark.analysis.verdict.judge import judge
from tidemark.analysis.verdict.model import Interval, ResourceVerdict, RouteGrowth
from tidemark.analysis.verdict.route_counts import read_routes
from tidemark.analysis.verdict.route_words import route_cell, sentence
from tidemark.record import layout

NAMES = ("POST /query", "POST /search", "POST /ingest")
MEANS = (6.0, 3.0, 1.0)
MIB = 1024 * 1024


def asked(at, counts, names=NAMES):
    """routes.csv of a run: a row per tick and route that has been asked for by then."""
    parts = []
    for name, total in zip(names, counts.T, strict=True):
        rows = pd.DataFrame(dict.fromkeys(layout.ROUTES.columns, 0.0), index=range(len(at)))
        rows["elapsed_s"], rows["route"], rows["requests"] = at, name, total
        parts.append(rows[rows["requests"] > 0])
    found = pd.concat(parts).sort_values("elapsed_s", kind="stable", ignore_index=True)
    return found.astype({"route": "category"})


def driven(rng, shares, *, duration_s=400.0, means=MEANS, names=NAMES, unit=1.0, **options):
    """A run in which each request of a route leaves something behind with its chance."""
    at = ticks(duration_s)
    steps = rng.poisson(means, (len(at), len(means)))
    steps[0] = 0
    counts = np.cumsum(steps, axis=0).astype(float)
    left = np.cumsum(rng.binomial(steps, shares).sum(axis=1))
    level = options.pop("level", 30.0) + unit * left
    run = make_run(at, level, requests=counts.sum(axis=1), **options)
    return replace(run, routes=asked(at, counts, names))


def test_the_route_that_leaks_is_named_and_the_others_are_excluded(rng):
    found = judge(driven(rng, (0, 0, 0.5))).resources["fds"]
    verdicts = {name: one.verdict for name, one in found.routes.items()}
    assert verdicts == dict(zip(NAMES, ("excluded", "excluded", "leaks"), strict=True))
    leaking = found.routes["POST /ingest"]
    assert leaking.per_request == pytest.approx(0.5, rel=0.1)
    assert leaking.per_request_interval.contains(0.5)
    assert all(found.routes[name].per_request == 0 for name in NAMES[:2])
    assert all(found.routes[name].excluded_per_request < 0.1 for name in NAMES[:2])
    assert found.routes_reason is None
    assert "by route: POST /ingest 0." in found.reason
    assert "; others below 0.0" in found.reason


def test_two_routes_that_leak_are_both_named(rng):
    found = judge(driven(rng, (0, 0.4, 0.8))).resources["fds"]
    leaking = {name for name, one in found.routes.items() if one.verdict == "leaks"}
    assert leaking == {"POST /search", "POST /ingest"}
    figures = [found.routes[name].per_request for name in NAMES]
    assert figures == pytest.approx([0, 0.4, 0.8], rel=0.15)
    requests = [found.routes[name].requests for name in NAMES]
    whole = found.per_request * sum(requests)
    assert np.dot(figures, requests) == pytest.approx(whole, rel=0.1)


def test_no_route_is_named_where_none_leaks(rng):
    for _ in range(20):
        found = judge(driven(rng, (0, 0, 0), level=30 + rng.poisson(2.0, 400))).resources["fds"]
        assert {one.verdict for one in found.routes.values()} <= {"excluded", "cannot tell"}
        assert "by route" not in found.reason


def test_what_is_excluded_of_all_requests_bounds_each_route(rng):
    found = judge(driven(rng, (0, 0, 0))).resources["fds"]
    assert found.verdict == "clean"
    for name, share in zip(NAMES, (0.6, 0.3, 0.1), strict=True):
        one = found.routes[name]
        assert one.verdict == "excluded"
        assert one.excluded_per_request <= 1.1 * found.excluded_per_request / share


def test_routes_that_are_asked_for_in_turn_cannot_be_told(rng):
    run = driven(rng, (0.2, 0.2, 0.2))
    at = run.requests["elapsed_s"].to_numpy()
    third = np.floor(run.requests["requests"].to_numpy() / 3)
    found = judge(replace(run, routes=asked(at, np.column_stack([third] * 3)))).resources["fds"]
    assert found.verdict == "leak"
    assert {one.verdict for one in found.routes.values()} == {"cannot tell"}
    assert {one.per_request for one in found.routes.values()} == {None}
    assert "which route cannot be told: the mix of requests hardly varies" in found.reason


def test_too_short_a_run_says_for_how_long_to_run(rng):
    found = judge(driven(rng, (0, 0, 0.2), duration_s=60.0)).resources["fds"]
    assert found.verdict == "leak"
    unsure = [one for one in found.routes.values() if one.verdict == "cannot tell"]
    assert unsure
    assert "run for " in found.routes_reason
    assert found.routes_reason in found.reason


def test_a_handful_of_samples_is_no_ground(rng):
    found = judge(driven(rng, (0, 0, 0.5), duration_s=30.0)).resources["fds"]
    assert {one.verdict for one in found.routes.values()} == {"cannot tell"}
    assert "which route cannot be told: there is too little to tell routes apart" in found.reason


@pytest.mark.parametrize("at_random", [False, True])
def test_growth_with_time_is_not_put_down_to_a_route(rng, at_random):
    steps = rng.poisson(0.4, 400) if at_random else np.full(400, 0.4)
    found = judge(driven(rng, (0, 0, 0), level=30 + np.floor(np.cumsum(steps)))).resources["fds"]
    assert found.verdict == "leak"
    assert {one.verdict for one in found.routes.values()} == {"cannot tell"}
    assert "growth may come with time, with all routes alike or long after" in found.reason


@pytest.mark.parametrize("late", [1, 3])
def test_what_is_left_behind_long_after_its_request_is_not_put_down_to_others(rng, late):
    at = ticks(1800.0)
    steps = rng.poisson(MEANS, (1800, 3))
    steps[0] = 0
    counts = np.cumsum(steps, axis=0).astype(float)
    left = np.cumsum(rng.binomial(steps[:, 2], 0.5))
    level = 30.0 + np.concatenate([np.zeros(late), left[:-late]])
    run = make_run(at, level, requests=counts.sum(axis=1))
    found = judge(replace(run, routes=asked(at, counts))).resources["fds"]
    others = {found.routes[name].verdict for name in NAMES[:2]}
    assert "leaks" not in others
    one = found.routes["POST /ingest"]
    assert one.verdict == "leaks"
    assert one.per_request_interval.contains(0.5)


def test_workers_that_share_the_requests_are_one_service(rng):
    at = ticks(400.0)
    steps = rng.poisson(MEANS, (400, 3))
    steps[0] = 0
    counts = np.cumsum(steps, axis=0).astype(float)
    left = rng.binomial(steps[:, 2], 0.5)
    first = rng.binomial(left, 0.5)
    series = [30.0 + np.cumsum(part) for part in (first, left - first)]
    run = make_run(at, series, requests=counts.sum(axis=1))
    found = judge(replace(run, routes=asked(at, counts))).resources["fds"]
    assert found.routes["POST /ingest"].verdict == "leaks"
    assert found.routes["POST /ingest"].per_request == pytest.approx(0.5, rel=0.1)
    assert found.routes["POST /query"].verdict == "excluded"


def test_the_heap_of_a_jvm_is_looked_at_from_collection_to_collection(rng):
    """What is put in between two collections follows all requests, and says nothing of routes."""
    at = ticks(1200.0)
    steps = rng.poisson(MEANS, (1200, 3))
    steps[0] = 0
    counts = np.cumsum(steps, axis=0).astype(float)
    heap = 30.0 * MIB + 65536.0 * np.cumsum(rng.binomial(steps[:, 2], 0.5))
    times = np.floor(at / 8)
    extra = {"heap_bytes": heap[np.searchsorted(at, times * 8)], "collections": times}
    run = make_run(
        at, np.minimum(60.0 + at, 512.0) * MIB, requests=counts.sum(axis=1), resource="rss_bytes",
        runtime="jvm", extra=extra,
    )  # fmt: skip
    found = judge(replace(run, routes=asked(at, counts))).resources["rss_bytes"]
    assert found.verdict == "leak"
    assert found.routes["POST /ingest"].verdict == "leaks"
    assert found.routes["POST /ingest"].per_request == pytest.approx(32768, rel=0.15)
    assert found.routes["POST /ingest"].per_request_interval.contains(32768)
    assert {found.routes[name].verdict for name in NAMES[:2]} <= {"excluded", "cannot tell"}


@pytest.mark.parametrize(("burst", "duration_s"), [(15, 400.0), (30, 400.0), (60, 1500.0)])
def test_routes_account_for_the_growth_of_the_resource_where_there_was_a_burst(
    rng, burst, duration_s
):
    """Connections of a load generator that catches up are no growth with requests."""
    late = ticks(duration_s) > duration_s - 20
    found = judge(driven(rng, (0, 0, 0.5), level=30 + burst * late, duration_s=duration_s))
    found = found.resources["fds"]
    one = found.routes["POST /ingest"]
    whole = one.per_request * one.requests / sum(each.requests for each in found.routes.values())
    assert found.per_request_interval.contains(whole)
    assert one.per_request == pytest.approx(0.5, rel=0.2)
    assert one.per_request_interval.contains(0.5)
    if duration_s > 1000:  # 0.54 as fitted
        assert whole == pytest.approx(found.per_request)


def test_chance_below_zero_does_not_make_a_bound_any_lower(rng):
    for _ in range(6):
        for one in judge(driven(rng, (0, 0, 0.5))).resources["fds"].routes.values():
            half = one.per_request_interval.width / 2
            assert one.excluded_per_request >= max(0.98 * half, 3 / one.requests)


def test_of_many_routes_the_frequent_ones_are_told_apart(rng):
    names = tuple(f"GET /{n}" for n in range(40))
    shares = np.zeros(40)
    shares[[3, 30]] = 0.5
    means = (2.0,) * 12 + (0.2,) * 28
    run = driven(rng, shares, duration_s=900.0, names=names, means=means)
    found = judge(run).resources["fds"]
    leaking = {name for name, one in found.routes.items() if one.verdict == "leaks"}
    assert leaking == {"GET /3"}
    assert found.routes["GET /30"].verdict == "cannot tell"
    assert "no more than the 12 most frequent routes are told apart" in found.reason


def test_a_route_that_gives_back_is_not_hidden_by_the_one_that_takes(rng):
    """What is excluded of all requests bounds a route only where no other one takes away."""
    at = ticks(400.0)
    steps = rng.poisson(MEANS, (400, 3))
    steps[0] = 0
    counts = np.cumsum(steps, axis=0).astype(float)
    level = 1000 + counts @ [0.5, -1.0, 0.0] + rng.poisson(1.0, 400)
    run = make_run(at, level, requests=counts.sum(axis=1))
    found = judge(replace(run, routes=asked(at, counts))).resources["fds"]
    assert found.routes["POST /query"].per_request_interval.contains(0.5)
    assert found.routes["POST /query"].excluded_per_request > 0.45


def test_of_a_route_that_was_hardly_asked_for_nothing_is_told(rng):
    found = judge(driven(rng, (0, 0.5, 0.0), means=(6.0, 3.0, 0.02))).resources["fds"]
    assert found.routes["POST /search"].verdict == "leaks"
    assert found.routes["POST /ingest"].verdict == "cannot tell"
    assert found.routes["POST /ingest"].per_request is None
    assert "of POST /ingest it cannot be told: fewer than 20 requests say nothing" in found.reason


def test_all_growth_is_that_of_the_only_route(rng):
    found = judge(driven(rng, (0.2,), means=(6.0,), names=("POST /ingest",))).resources["fds"]
    (only,) = found.routes.values()
    assert (only.verdict, only.per_request) == ("leaks", found.per_request)
    assert found.routes_reason == "only one route was asked for"
    assert "by route" not in found.reason


def test_nothing_is_said_where_routes_were_not_recorded(rng):
    run = replace(driven(rng, (0, 0, 0.5)), routes=empty_table(layout.ROUTES))
    found = judge(run).resources["fds"]
    assert found.routes == {}
    assert found.routes_reason is None


@pytest.mark.parametrize(
    ("resource", "unit", "level"),
    [("threads", 1.0, 9.0), ("connections", 1.0, 2.0), ("rss_bytes", 65536.0, 60.0 * MIB)],
)
def test_every_resource_is_told_by_route(rng, resource, unit, level):
    run = driven(rng, (0, 0, 0.5), unit=unit, resource=resource, level=level, duration_s=900.0)
    found = judge(run).resources[resource]
    assert found.verdict == "leak"
    assert found.routes["POST /ingest"].verdict == "leaks"
    assert found.routes["POST /ingest"].per_request == pytest.approx(0.5 * unit, rel=0.15)
    assert found.routes["POST /query"].verdict == "excluded"


def test_a_route_that_is_asked_for_late_was_not_before():
    at = np.arange(5.0)
    counts = np.array([[1.0, 0], [2, 0], [3, 0], [4, 8], [5, 9]])
    read = read_routes(replace(make_run(at, at), routes=asked(at, counts, ("a", "b"))))
    found = dict(zip(read.names, read.at(np.array([0.0, 2.0, 2.5, 4.0])).T, strict=True))
    assert list(found["a"]) == [1, 3, 3.5, 5]
    assert list(found["b"]) == [0, 0, 4, 9]


def growth(verdict, figure=None, excluded=None):
    interval = None if figure is None else Interval(0.9 * figure, 1.1 * figure)
    return RouteGrowth(verdict, 100.0, figure, interval, excluded)


def told(routes, why=None):
    return ResourceVerdict("fds", "leak", "grows", 0.1, routes=routes, routes_reason=why)


def test_the_sentence_names_what_leaks_most_first():
    routes = {
        "a": growth("leaks", 0.2),
        "b": growth("leaks", 0.5),
        "c": growth("excluded", 0, 0.01),
    }
    said = "by route: b 0.5 (0.45 to 0.55), a 0.2 (0.18 to 0.22); c below 0.01"
    assert sentence(told(routes)) == said


def test_the_sentence_names_three_routes_and_counts_the_others():
    routes = {f"r{n}": growth("leaks", 1.0 + n) for n in range(5)}
    routes |= {f"s{n}": growth("cannot tell") for n in range(2)}
    said = sentence(told(routes, "run for 9 min"))
    assert said.startswith("by route: r4 5 (4.5 to 5.5), r3 4")
    assert said.endswith("and 2 more; of 2 others it cannot be told: run for 9 min")


def test_a_cell_says_what_is_known_of_a_route():
    routes = {
        "a": growth("leaks", 0.2),
        "b": growth("excluded", 0, 0.01),
        "c": growth("cannot tell"),
    }
    found = told(routes)
    cells = [route_cell(found, name) for name in (*routes, "unknown")]
    assert cells == ["0.2 (0.18 to 0.22)", "below 0.01", "cannot tell", "cannot tell"]
