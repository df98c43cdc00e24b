"""How the tracks of a resource, its limit and a death make one verdict."""

from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.made import MIB, happened, limits, make_run, steady, ticks
from tests.analysis.test_decision import growth
from tidemark.analysis.verdict import resource
from tidemark.analysis.verdict.decision import Judgement, Pattern
from tidemark.analysis.verdict.limits import read_limits
from tidemark.analysis.verdict.model import Interval
from tidemark.analysis.verdict.resource import Subject, judge_resource, level_at
from tidemark.analysis.verdict.scope import find_scope
from tidemark.analysis.verdict.series import bin_run
from tidemark.analysis.verdict.window import find_window
from tidemark.record.events import Emfile
from tidemark.record.metrics import metric


def subject_of(at, series, **options):
    options.setdefault("requests", steady(at))
    run = make_run(at, series, **options)
    bins, processes = bin_run(run)
    return Subject(find_window(run, bins, processes), processes, read_limits(run))


@pytest.fixture
def at():
    return ticks()


@pytest.fixture
def pair(at):
    """Two processes that move: a track for their sum, and one for each."""
    return subject_of(at, [20 + np.floor(at / 20), 20 + np.floor(at / 30)], resource="threads")


@pytest.fixture
def asked(monkeypatch):
    """What `decide` is asked, in order: track, scale, room, number of tests."""
    seen = []
    decide = resource.decide
    monkeypatch.setattr(resource, "decide", lambda *args: (seen.append(args), decide(*args))[1])
    return seen


@pytest.fixture
def choose(monkeypatch, pair):
    """The verdict on the pair's threads if its tracks are decided as said: the sum, then each."""

    def choose(*judgements):
        following = iter(judgements)
        monkeypatch.setattr(resource, "decide", lambda *_: next(following))
        return judge_resource("threads", pair)

    return choose


def test_each_track_of_several_is_told_how_many_there_are(pair, asked):
    judge_resource("threads", pair)
    assert [track.scope for track, *_ in asked] == ["all processes", "process 10", "process 11"]
    assert [tests for *_, tests in asked] == [3, 3, 3]
    assert all(scale == metric("threads").judged for _, scale, _, _ in asked)


def test_the_room_is_what_is_left_above_the_highest_level(at, asked):
    high = np.where(at == 300, 200.0, 50.0)
    judge_resource("fds", subject_of(at, high, fds_limit=1024.0))
    judge_resource("fds", subject_of(at, high, fds_limit=150.0))
    assert [room for _, _, room, _ in asked] == [824.0, 0.0]


def test_memory_and_what_has_no_limit_have_no_room(at, asked):
    events = [limits(rss_bytes_limit=2**40)]
    judge_resource("rss_bytes", subject_of(at, 60 * MIB + at, resource="rss_bytes", events=events))
    judge_resource("threads", subject_of(at, np.full(len(at), 20.0), resource="threads"))
    assert [room for _, _, room, *_ in asked] == [None, None]


def swinging(rng, at):
    """Noise with a memory of a tenth of the run: a growth of some descriptors is not excluded."""
    noise = np.zeros(len(at))
    for i in range(1, len(at)):
        noise[i] = 0.985 * noise[i - 1] + rng.normal(0, 0.17)
    return np.round(10 + 2 * noise)


@pytest.mark.parametrize(("limit", "decided"), [(30.0, "inconclusive"), (1024.0, "clean")])
def test_swings_that_could_hide_a_growth_matter_where_there_is_little_room(rng, at, limit, decided):
    found = judge_resource("fds", subject_of(at, swinging(rng, at), fds_limit=limit))
    assert found.verdict == decided


@pytest.mark.parametrize(
    ("name", "resolution", "least", "share"),
    [
        *((name, 0.5, 2.0, 0.0) for name in ("fds", "connections", "threads")),
        ("rss_bytes", MIB / 16, 2 * MIB, 0.05),
    ],
)
def test_what_counts_for_a_resource(name, resolution, least, share):
    scale = metric(name).judged
    assert (scale.resolution, scale.least_growth, scale.least_share) == (resolution, least, share)


def leak(chance=1e-9, **changes):
    return Judgement("leak", Pattern.STEADY, growth(chance=chance, **changes))


def clean(**changes):
    return Judgement("clean", Pattern.FLAT, growth(chance=0.5, **changes))


def doubt(finding, **changes):
    return Judgement("inconclusive", finding, growth(chance=0.01, **changes))


def began(found):
    """When the part of the judgement that was chosen begins: what tells the judgements apart."""
    return found.warmup_end_s


def at_s(elapsed_s):
    """Points of which the first is at a moment."""
    points = growth().points
    return {"points": replace(points, elapsed_s=points.elapsed_s + elapsed_s)}


def test_the_surest_of_several_leaks_speaks_for_the_resource(choose):
    found = choose(leak(1e-4, **at_s(1)), leak(1e-7, **at_s(2)), leak(1e-5, **at_s(3)))
    assert began(found) == 2


def test_one_leak_outweighs_all_that_is_clean_or_doubtful(choose):
    assert choose(clean(), doubt(Pattern.SLOWING), leak()).verdict == "leak"


@pytest.mark.parametrize("finding", [Pattern.SLOWING, Pattern.RECENT])
def test_a_doubt_about_the_growth_of_one_process_counts(choose, finding):
    found = choose(clean(**at_s(1)), clean(**at_s(2)), doubt(finding, **at_s(3)))
    assert (found.verdict, began(found)) == ("inconclusive", 3)


@pytest.mark.parametrize("finding", [Pattern.NOISY, Pattern.THIN, Pattern.SUSPECT])
def test_noise_of_one_process_says_nothing_where_the_sum_is_clean(choose, finding):
    found = choose(clean(**at_s(1)), doubt(finding, **at_s(2)), clean(**at_s(3)))
    assert (found.verdict, began(found)) == ("clean", 1)


def test_a_doubt_about_the_sum_comes_before_that_of_one_process(choose):
    found = choose(
        doubt(Pattern.NOISY, **at_s(1)), doubt(Pattern.SLOWING, **at_s(2)), clean(**at_s(3))
    )
    assert began(found) == 1


def test_where_the_sum_is_too_short_a_process_that_is_not_speaks(choose):
    thin = Judgement("inconclusive", Pattern.THIN, None)
    assert began(choose(thin, thin, clean(**at_s(3)))) == 3
    found = choose(thin, thin, thin)
    assert (found.verdict, began(found)) == ("inconclusive", None)


def test_growth_of_the_resource_is_that_of_the_sum(choose):
    rates = [{"slope": s, "interval": Interval(s - 0.1, s + 0.2)} for s in (3.0, 1.0, 2.0)]
    found = choose(*(clean(**each) for each in rates))
    assert found.per_request == 3.0
    assert found.per_request_interval.low == pytest.approx(2.9)
    assert found.per_request_interval.high == pytest.approx(3.2)
    assert found.per_hour == pytest.approx(3 * 36000, rel=0.01)
    assert found.per_hour_interval.high == pytest.approx(3.2 * 36000, rel=0.01)


def test_growth_of_recycled_workers_comes_on_top_with_its_doubt(at, monkeypatch):
    lives = [np.where((at >= 100 * k) & (at < 100 * k + 99), 20.0 + at, np.nan) for k in range(6)]
    subject = subject_of(at, [20 + np.floor(at / 20), *lives], resource="threads")
    said = iter(
        [
            clean(slope=3.0, interval=Interval(2.7, 3.3)),
            clean(slope=1.0, interval=Interval(0.6, 1.5)),
        ]
    )
    monkeypatch.setattr(resource, "decide", lambda *_: next(said))
    found = judge_resource("threads", subject)
    assert found.per_request == 4.0
    assert found.per_request_interval.low == pytest.approx(4 - 0.5)
    assert found.per_request_interval.high == pytest.approx(4 + np.hypot(0.3, 0.5))


def died(at, series, **options):
    return subject_of(at, series, fds_limit=256.0, events=[happened(400.0, Emfile())], **options)


def test_what_ran_out_was_leaked_though_nothing_was_sure_before(at, monkeypatch):
    monkeypatch.setattr(resource, "decide", lambda *_: doubt(Pattern.SUSPECT))
    found = judge_resource("fds", died(at, np.minimum(20 + at, 256.0)))
    assert found.verdict == "leak"
    assert found.reason.startswith("file descriptors: grew by")
    assert found.requests_to_limit == 0
    assert found.exhaustion_interval_s == Interval(400.0, 400.0)


@pytest.mark.parametrize("changes", [{"slope": -0.1}, {"slope": 0.0}, {"slowing": True}])
def test_what_ran_out_without_growing_was_not_leaked(at, monkeypatch, changes):
    monkeypatch.setattr(resource, "decide", lambda *_: doubt(Pattern.SUSPECT, **changes))
    assert judge_resource("fds", died(at, np.minimum(20 + at, 256.0))).verdict == "inconclusive"


def test_what_ran_out_under_a_load_that_rises_was_not_leaked(at, monkeypatch):
    monkeypatch.setattr(resource, "decide", lambda *_: doubt(Pattern.SUSPECT))
    users = 1 + np.floor(at / 10)
    subject = died(at, np.minimum(20 + at, 256.0), requests=np.cumsum(users), users=users)
    assert judge_resource("fds", subject).verdict == "inconclusive"


def test_a_death_is_of_descriptors_and_of_nothing_else(at, monkeypatch):
    monkeypatch.setattr(resource, "decide", lambda *_: doubt(Pattern.SUSPECT))
    found = judge_resource("threads", died(at, np.minimum(20 + at, 256.0)))
    assert found.verdict == "inconclusive"
    assert found.requests_to_limit is None


def test_what_died_too_soon_to_be_measured_grew_from_its_baseline_to_the_limit(at, monkeypatch):
    thin = Judgement("inconclusive", Pattern.THIN, None)
    monkeypatch.setattr(resource, "decide", lambda *_: thin)
    found = judge_resource("fds", died(at, np.where(at < 400, 56.0, 256.0)))
    assert found.verdict == "leak"
    assert found.per_request == pytest.approx(200 / 4000, rel=0.01)
    assert found.per_request_interval.low == pytest.approx(0.8 * found.per_request)
    assert found.per_request_interval.high == pytest.approx(1.25 * found.per_request)


def test_the_level_at_a_moment_is_the_last_one_known_by_then():
    at = ticks(20.0)
    series = np.where((at >= 5) & (at != 12), 100.0 + at, np.nan)
    subject = subject_of(at, series, requests=None)
    scope = find_scope("fds", subject.window, subject.processes, subject.limits)
    levels = [level_at(scope, subject.window, moment) for moment in (0.0, 5.0, 11.5, 12.0, 99.0)]
    assert levels == [105.0, 105.0, 111.0, 111.0, 119.0]


def test_a_leak_has_a_forecast_and_what_is_clean_has_none(at):
    leaking = judge_resource("fds", subject_of(at, 30 + np.floor(at / 5), fds_limit=1024.0))
    assert leaking.forecast.limit == 1024.0
    assert leaking.requests_to_limit == pytest.approx((1024 - leaking.last) / 0.02, rel=0.03)
    assert leaking.exhaustion_elapsed_s == leaking.forecast.elapsed_s
    flat = judge_resource("fds", subject_of(at, np.full(len(at), 30.0), fds_limit=1024.0))
    assert (flat.forecast, flat.forecast_check, flat.requests_to_limit) == (None, None, None)


def test_of_two_workers_the_one_that_arrives_first_is_forecast(at):
    workers = [800 + np.floor(at / 5), 100 + np.floor(at / 5)]
    found = judge_resource("fds", subject_of(at, workers, fds_limit=1024.0))
    assert found.pid == 10
    assert found.requests_to_limit == pytest.approx((1024 - 919) / 0.02, rel=0.1)
    assert found.per_request == pytest.approx(0.04, rel=0.05)
    assert found.scope_per_request == pytest.approx(0.02, rel=0.05)


def test_recycled_workers_have_no_forecast(at):
    lives = [
        np.where((at >= 100 * k) & (at < 100 * k + 99), 20 + (at - 100 * k), np.nan)
        for k in range(6)
    ]
    subject = subject_of(at, lives, resource="threads", events=[limits(threads_limit=4096)])
    found = judge_resource("threads", subject)
    assert found.verdict == "leak"
    assert (found.forecast, found.forecast_check, found.requests_to_limit) == (None, None, None)


def collecting(at, every, *, resource="fds", runtime="jvm", threads=0.0):
    """A service that keeps a descriptor (or connection) of every fiftieth request."""
    run = make_run(
        at,
        30 + np.floor(at / 5),
        resource=resource,
        requests=steady(at),
        runtime=runtime,
        extra={"collections": np.floor(at / every), "threads": 9 + np.floor(threads * at)},
    )
    bins, processes = bin_run(run)
    return Subject(find_window(run, bins, processes), processes, read_limits(run))


@pytest.mark.parametrize("runtime", ["jvm", "go"])
@pytest.mark.parametrize("resource", ["fds", "connections"])
@pytest.mark.parametrize(
    ("every", "said"), [(1000.0, "not once"), (350.0, "once"), (250.0, "twice")]
)
def test_what_a_finalizer_would_close_is_no_leak_before_a_collection(
    at, every, said, resource, runtime
):
    found = judge_resource(resource, collecting(at, every, resource=resource, runtime=runtime))
    assert found.verdict == "inconclusive"
    assert f"but the heap was collected {said} meanwhile" in found.reason
    assert found.per_request == pytest.approx(0.02, rel=0.05)


def test_what_outlives_three_collections_is_a_leak(at):
    assert judge_resource("fds", collecting(at, 170.0)).verdict == "leak"


def test_threads_that_leak_as_well_wait_for_no_collection(at):
    assert judge_resource("fds", collecting(at, 1000.0, threads=0.2)).verdict == "leak"
    assert judge_resource("threads", collecting(at, 1000.0, threads=0.2)).verdict == "leak"


@pytest.mark.parametrize("runtime", ["cpython", "native", None])
def test_what_has_no_finalizers_waits_for_no_collection(at, runtime):
    assert judge_resource("fds", collecting(at, 1000.0, runtime=runtime)).verdict == "leak"


@pytest.mark.parametrize("events", [[], [happened(450.0, Emfile())]])
def test_what_ran_out_before_anything_was_collected_was_leaked(at, events):
    run = make_run(
        at,
        np.minimum(30 + np.floor(at / 5), 120),
        requests=steady(at),
        fds_limit=120.0,
        events=events,
        runtime="jvm",
        extra={"collections": 0 * at},
    )
    bins, processes = bin_run(run)
    subject = Subject(find_window(run, bins, processes), processes, read_limits(run))
    assert subject.window.death is not None
    assert judge_resource("fds", subject).verdict == "leak"
