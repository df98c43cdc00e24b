"""What a limit applies to, and who will reach it first."""

import numpy as np
import pytest

from tests.analysis.made import limits, make_run, steady, ticks
from tidemark.analysis.verdict.limits import read_limits
from tidemark.analysis.verdict.scope import (
    approach_of,
    find_scope,
    fit_of,
    measure_scope,
    series_of,
)
from tidemark.analysis.verdict.series import bin_run
from tidemark.analysis.verdict.window import find_window


class Made:
    """A run with all that the scope of a resource is found from."""

    def __init__(self, at, series, resource="fds", **options):
        options.setdefault("requests", steady(at))
        run = make_run(at, series, resource=resource, **options)
        self.resource = resource
        self.bins, self.processes = bin_run(run)
        self.window = find_window(run, self.bins, self.processes)
        self.scope = find_scope(resource, self.window, self.processes, read_limits(run))

    def approach(self):
        return approach_of(self.scope, self.window, self.processes, 0.5)

    def growth(self):
        return measure_scope(self.scope, self.window, self.processes, 0.5)


@pytest.fixture
def at():
    return ticks(400.0)


def growing(at, begin, per_s):
    return begin + np.floor(per_s * at)


def test_descriptors_are_those_of_one_process_and_all_else_is_summed(at):
    both = [growing(at, 20, 0.1), growing(at, 30, 0.3)]
    own = Made(at, both, fds_limit=1024.0).scope
    assert (own.name, own.pid, own.limit) == ("process 11", 11, 1024.0)
    assert np.array_equal(own.value, both[1])
    threads = Made(at, both, "threads", events=[limits(threads_limit=512)]).scope
    assert (threads.name, threads.pid, threads.limit) == ("all processes", None, 512.0)
    assert np.array_equal(threads.value, both[0] + both[1])
    assert np.array_equal(threads.floor, both[0] + both[1])
    assert Made(at, both[0], "threads").scope.name == "process 10"


@pytest.mark.parametrize(
    ("processes", "nearest"),
    [
        ([(20, 0.5), (500, 0.1)], 10),  # 804 at 0.5 a second, or 484 at 0.1
        ([(20, 0.5), (900, 0.1)], 11),  # 804 at 0.5 a second, or 84 at 0.1
        ([(20, 0.5), (800, 0.0)], 10),  # what does not grow never arrives, ...
        ([(20, 0.5), (980, 0.0)], 11),  # ... but is there already if it is nearly full
        ([(20, 0.0), (300, 0.0)], 11),  # none grows: the fullest one
        ([(300, 0.0), (20, 0.0)], 10),
        ([(300, -0.1), (200, -0.1)], 10),
    ],
)
def test_the_process_that_will_reach_its_limit_first_is_the_one(at, processes, nearest):
    made = Made(at, [growing(at, *each) for each in processes], fds_limit=1024.0)
    assert made.scope.pid == nearest


def test_what_grew_in_the_first_third_alone_does_not_count(at):
    early = np.minimum(growing(at, 20, 5.0), 420.0)  # full by 80 s
    assert Made(at, [early, growing(at, 20, 0.5)], fds_limit=1024.0).scope.pid == 11


def test_the_approach_of_one_process_is_its_own(at):
    approach = Made(at, growing(at, 20, 0.5), fds_limit=1024.0).approach()
    assert approach.levels == (219.0,)
    assert approach.grown == (199.0,)
    assert approach.growth.slope == pytest.approx(0.05, rel=0.02)


def test_workers_that_share_the_requests_approach_together(at):
    workers = [growing(at, 20, 0.5), growing(at, 90, 0.25)]
    approach = Made(at, workers, fds_limit=1024.0).approach()
    assert approach.levels == (219.0, 189.0)
    assert approach.grown == (199.0, 99.0)
    assert approach.growth.slope == pytest.approx(0.075, rel=0.02)


def test_a_parent_that_does_not_grow_shares_nothing(at):
    family = [np.full(len(at), 12.0), growing(at, 20, 0.5), growing(at, 20, 0.25)]
    assert len(Made(at, family, fds_limit=1024.0).approach().levels) == 2
    family[0] = growing(at, 12, 0.1)
    assert len(Made(at, family, fds_limit=1024.0).approach().levels) == 3


def test_a_parent_that_opened_one_descriptor_has_not_grown(at):
    family = [np.where(at > 200, 13.0, 12.0), growing(at, 20, 0.5), growing(at, 20, 0.25)]
    assert len(Made(at, family, fds_limit=1024.0).approach().levels) == 2


@pytest.mark.parametrize(("seen", "sharing"), [(0.86, 2), (0.84, 1)])
def test_a_worker_that_does_not_live_throughout_shares_nothing(at, seen, sharing):
    short = np.where(at < seen * 400, growing(at, 30, 0.3), np.nan)
    approach = Made(at, [growing(at, 20, 0.5), short], fds_limit=1024.0).approach()
    assert len(approach.levels) == sharing


def test_all_processes_approach_one_limit_together(at):
    both = [growing(at, 20, 0.1), growing(at, 30, 0.3)]
    approach = Made(at, both, "threads", events=[limits(threads_limit=512)]).approach()
    assert approach.levels == (both[0][-1] + both[1][-1],)
    assert approach.grown == (1.0,)
    assert approach.growth.slope == pytest.approx(0.04, rel=0.03)


def test_recycled_processes_approach_nothing(at):
    lives = [
        np.where((at >= 80 * k) & (at < 80 * k + 79), 20 + at - 80 * k, np.nan) for k in range(5)
    ]
    made = Made(at, lives, "threads", events=[limits(threads_limit=512)])
    assert made.growth().track.lives == 5
    assert made.approach() is None


def test_one_whose_place_was_taken_approaches_nothing(at):
    gone = np.where(at < 300, growing(at, 20, 2.0), np.nan)
    heir = np.where(at > 301, growing(at - 301, 20, 2.0), np.nan)
    made = Made(at, [gone, heir], fds_limit=1024.0)
    assert made.scope.pid == 11, "the other one holds more, but is no more"
    assert made.approach().levels == (216.0,)
    others = Made(at, [gone, np.full(len(at), 20.0)], fds_limit=1024.0)
    assert others.scope.pid == 10, "nobody has taken its place"


def test_what_cannot_be_measured_approaches_nothing():
    at = ticks(4.0)
    made = Made(at, growing(at, 20, 0.5), fds_limit=1024.0)
    assert made.growth() is None
    assert made.approach() is None


@pytest.mark.parametrize(("seconds", "start"), [(30, 0.05), (24, 0.0)])
def test_of_few_points_the_beginning_is_counted_in(seconds, start):
    at = ticks(float(seconds))
    assert Made(at, growing(at, 20, 8.0)).growth().start == start


def test_a_beginning_off_the_line_is_not_counted_in():
    at = ticks(20.0)
    warm = np.minimum(30 * at, 240.0)
    assert Made(at, growing(at, 20, 8.0) + warm).growth().start > 0.0


def test_the_series_of_a_scope_holds_what_is_known_alone(at):
    series = np.where((at > 100) & (at < 200), np.nan, growing(at, 20, 0.5))
    made = Made(at, [series, np.full(len(at), 20.0)])
    told = series_of(made.scope, made.window)
    assert len(told.value) == len(told.requests) == len(told.elapsed_s) == 301
    assert told.requests[-1] == 3990
    assert np.array_equal(told.value, series[np.isfinite(series)])
    without = Made(at, [series, np.full(len(at), 20.0)], requests=None)
    assert series_of(without.scope, without.window).requests is None


def test_growth_is_drawn_as_a_line_against_time_and_against_requests(at):
    growth = Made(at, growing(at, 20, 0.5)).growth()
    fit = fit_of(growth, per_request=True)
    assert fit.against_elapsed_s.slope == pytest.approx(0.5, rel=0.02)
    assert fit.against_elapsed_s.at(300.0) == pytest.approx(170, abs=1)
    assert fit.against_elapsed_s.x_from == growth.points.elapsed_s[0]
    assert fit.against_elapsed_s.x_to == growth.points.elapsed_s[-1]
    assert fit.against_requests.slope == pytest.approx(0.05, rel=0.02)
    assert fit.against_requests.at(3000.0) == pytest.approx(170, abs=1)
    assert fit_of(growth, per_request=False).against_requests is None
