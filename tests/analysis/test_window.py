"""Which part of a run is judged: where it begins, where it ends, and what is left out."""

import numpy as np
import pytest

from tests.analysis.made import happened, make_run, steady, ticks
from tidemark.analysis.verdict.series import bin_run
from tidemark.analysis.verdict.window import find_window
from tidemark.record.events import Emfile, FaultEnded, FaultFailed, FaultStarted, RefusedByBroker


def window_of(at, series=None, **options):
    options.setdefault("requests", steady(at))
    run = make_run(at, np.full(len(at), 20.0) if series is None else series, **options)
    return find_window(run, *bin_run(run))


def judged(window):
    """The whole seconds that are judged."""
    return set(np.round(window.bins.elapsed_s[window.keep]).astype(int))


@pytest.fixture
def at():
    return ticks(200.0)


def test_five_seconds_after_a_fault_are_left_out_with_it(at):
    fault = [happened(60.0, FaultStarted()), happened(70.0, FaultEnded())]
    assert judged(window_of(at)) - judged(window_of(at, events=fault)) == set(range(60, 76))


def test_each_fault_ends_at_the_first_end_that_follows_it(at):
    events = [
        *(happened(40.0, FaultStarted()), happened(42.0, FaultFailed())),
        *(happened(90.0, FaultStarted()), happened(100.0, FaultEnded())),
    ]
    left_out = judged(window_of(at)) - judged(window_of(at, events=events))
    assert left_out == {*range(40, 48), *range(90, 106)}


def test_a_fault_that_ends_as_it_begins_takes_no_other_end(at):
    events = [happened(t, kind()) for t in (50.0, 150.0) for kind in (FaultStarted, FaultEnded)]
    left_out = judged(window_of(at)) - judged(window_of(at, events=events))
    assert left_out == {*range(50, 56), *range(150, 156)}


def test_a_fault_without_an_end_goes_on_to_the_end(at):
    assert max(judged(window_of(at, events=[happened(120.0, FaultStarted())]))) == 119


def test_the_first_two_requests_are_not_judged(at):
    requests = np.floor(at)
    assert min(judged(window_of(at, requests=requests))) == 2


def test_of_few_requests_the_first_tenth_is_not_judged(at):
    requests = np.floor(at / 16)  # 12 in all
    assert min(judged(window_of(at, requests=requests))) == 32
    assert min(judged(window_of(at, requests=np.floor(at / 18)))) == 36


def test_the_load_begins_after_the_last_moment_without_a_request(at):
    requests = np.maximum(np.floor(10 * (at - 50)), 0.0)
    window = window_of(at, requests=requests)
    assert window.per_request
    assert window.begin_s == pytest.approx(50.0)
    assert (window.begin_x, window.end_x) == (0.0, 1490.0)
    assert int(window.loaded.sum()) == 150


@pytest.mark.parametrize(("requests", "per_request"), [(9, False), (10, True)])
def test_fewer_than_ten_requests_count_for_nothing(at, requests, per_request):
    window = window_of(at, requests=np.floor(requests * at / at[-1]))
    assert window.per_request == per_request
    assert per_request or window.x is window.bins.elapsed_s


def test_without_requests_every_second_is_judged(at):
    window = window_of(at, requests=None)
    assert judged(window) == set(range(200))
    assert window.pace.per_s == pytest.approx(1.0)
    assert window.hourly == pytest.approx(3600.0)


@pytest.mark.parametrize(
    ("limit", "level", "dead"),
    [(1000.0, 994.0, False), (1000.0, 995.0, True), (900.0, 995.0, True)],
)
def test_a_process_that_stays_at_its_limit_has_run_out(at, limit, level, dead):
    series = np.minimum(20 + 10 * at, level)
    window = window_of(at, series, fds_limit=limit)
    assert (window.death is not None) == dead
    if dead:
        assert window.death.elapsed_s == pytest.approx((level - 0.01 * limit - 20) / 10, abs=1)
        assert window.death.requests == pytest.approx(10 * window.death.elapsed_s, abs=1)
        assert window.end_s == window.death.elapsed_s


@pytest.mark.parametrize(("stays", "dead"), [(49, False), (51, True)])
def test_to_stay_is_half_of_what_is_left(at, stays, dead):
    series = np.where((at >= 100) & (at < 100 + stays), 1000.0, 30.0)
    assert (window_of(at, series, fds_limit=1000.0).death is not None) == dead


def test_the_first_of_several_processes_to_run_out_ends_what_is_judged(at):
    both = [np.minimum(20 + speed * at, 1000.0) for speed in (8.0, 16.0)]
    assert window_of(at, both, fds_limit=1000.0).end_s == pytest.approx(61, abs=1)


@pytest.mark.parametrize(("level", "end_s"), [(890.0, 150.0), (910.0, 90.0)])
def test_nine_tenths_of_the_limit_are_enough_where_the_log_says_so(at, level, end_s):
    series = np.minimum(20 + 10 * at, level)
    told = [happened(150.0, Emfile(requests=1234))]
    window = window_of(at, series, fds_limit=1000.0, events=told)
    assert window.end_s == pytest.approx(end_s, abs=2)
    assert window.death.elapsed_s == 150.0
    assert window.death.requests == 1234


def test_what_the_log_says_counts_though_the_process_lets_go_again(at):
    series = np.where((at >= 100) & (at < 103), 1000.0, 30.0)
    window = window_of(at, series, fds_limit=1000.0, events=[happened(120.0, Emfile())])
    assert window.end_s == pytest.approx(100.0)
    assert window.death.requests == pytest.approx(1200, abs=10)


@pytest.mark.parametrize("said", [-1, 2**53, None])
def test_requests_that_the_log_cannot_mean_are_read_from_the_record(at, said):
    window = window_of(at, events=[happened(120.0, Emfile(requests=said))])
    assert window.death.requests == pytest.approx(1200, abs=1)


def test_no_request_answered_before_the_death_is_a_count_too(at):
    assert window_of(at, events=[happened(120.0, Emfile(requests=0))]).death.requests == 0


def test_without_a_record_of_requests_their_number_at_death_is_unknown(at):
    window = window_of(at, requests=None, events=[happened(120.0, Emfile())])
    assert window.death.requests is None


def test_a_death_before_the_load_leaves_the_whole_run(at):
    requests = np.maximum(np.floor(10 * (at - 50)), 0.0)
    window = window_of(at, requests=requests, events=[happened(20.0, Emfile())])
    assert window.end_s == pytest.approx(199.0)


@pytest.mark.parametrize(("refused", "end_s"), [(20.0, 199.0), (120.0, 120.0)])
def test_what_the_brokers_refuse_ends_what_is_judged_once_there_is_load(at, refused, end_s):
    requests = np.maximum(np.floor(10 * (at - 50)), 0.0)
    told = [happened(refused, RefusedByBroker())]
    assert window_of(at, requests=requests, events=told).end_s == pytest.approx(end_s)


def test_the_present_load_is_that_of_the_steady_part(at):
    requests = np.where(at < 150, 10 * at, 1500 + 40 * (at - 150))
    window = window_of(at, requests=requests)
    assert window.pace.per_s == pytest.approx(40.0, rel=0.02)
    assert window.hourly == pytest.approx(3600 * requests[-1] / 199, rel=0.01)


def test_what_was_known_when_so_many_requests_were_answered(at):
    whole = window_of(at, events=[happened(190.0, Emfile())])
    early = whole.until(500.0)
    assert early.end_x == 500.0
    assert early.end_s == pytest.approx(50.0)
    assert early.death is None
    assert whole.until(-1.0).end_s == whole.begin_s


def test_only_a_load_that_has_become_steady_is_judged(at):
    users = np.minimum(1 + np.floor(at / 10), 6.0)
    window = window_of(at, requests=np.cumsum(users), users=users)
    assert min(judged(window)) == 50
    assert not window.load.varies
    assert int(window.loaded.sum()) == 200


def test_a_load_that_never_becomes_steady_explains_instead(at):
    users = 1 + np.floor(at / 10)
    window = window_of(at, requests=np.cumsum(users), users=users)
    assert window.load.varies
    assert window.load.covariates.shape == (200, 2)
    assert min(judged(window)) == 2


def test_what_the_service_needs_to_settle_is_not_judged(at):
    window = window_of(at, load={"settle_s": 60.0})
    assert min(judged(window)) == 60
    assert window.begin_s == 0.0


@pytest.mark.parametrize("told", [None, True, "60", -1.0, float("inf"), [60]])
def test_what_is_no_time_to_settle_leaves_everything(at, told):
    assert judged(window_of(at, load={"settle_s": told})) == judged(window_of(at))
