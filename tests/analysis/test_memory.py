"""Which figures memory is judged on, and what they say of a service by what runs it."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.made import MIB, make_run, run_by, steady, ticks
from tidemark.analysis import units
from tidemark.analysis.verdict.first_growth import COLLECTED, RUNTIMES
from tidemark.analysis.verdict.judge import judge
from tidemark.analysis.verdict.memory import beyond, collected, memory_series
from tidemark.analysis.verdict.series import bin_run
from tidemark.analysis.verdict.window import find_window

KIB = 1024
RATE = 20.0


def made(at, resident, *, rate=RATE, **options):
    """A run of a service at 20 requests a second by its resident memory."""
    options.setdefault("requests", steady(at, rate))
    return make_run(at, resident, resource="rss_bytes", **options)


def memory_of(run, control=None):
    return judge(run, control).resources["rss_bytes"]


def series_of(run):
    bins, processes = bin_run(run)
    return memory_series(find_window(run, bins, processes), processes)


def level(at, mib=60.0):
    return np.full(len(at), mib * MIB)


def leaking(at, per_request, mib=60.0, rate=RATE):
    return mib * MIB + per_request * steady(at, rate)


# What is judged


def test_anonymous_pages_are_judged_where_they_are_known():
    at = ticks(300.0)
    leak = made(at, level(at), runtime="go", extra={"rss_anon_bytes": leaking(at, 16 * KIB, 20)})
    assert memory_of(leak).verdict == "leak"
    assert memory_of(leak).per_request == pytest.approx(16 * KIB, rel=0.02)
    files = made(at, leaking(at, 16 * KIB), runtime="go", extra={"rss_anon_bytes": level(at, 20)})
    assert memory_of(files).verdict == "clean"


@pytest.mark.parametrize("read", [np.nan, 0.0])
def test_the_resident_set_is_judged_where_anonymous_pages_were_not_read(read):
    at = ticks(300.0)
    extra = {"rss_anon_bytes": np.full(len(at), read)}
    assert memory_of(made(at, leaking(at, 16 * KIB), runtime="go", extra=extra)).verdict == "leak"
    assert memory_of(made(at, level(at), runtime="go", extra=extra)).verdict == "clean"


@pytest.mark.parametrize("missing", [np.nan, 0.0])
def test_anonymous_pages_that_were_read_now_and_then_are_not_believed(missing):
    at = ticks(300.0)
    some = np.where(at > 280, missing, 20.0 * MIB)
    run = made(at, leaking(at, 16 * KIB), runtime="go", extra={"rss_anon_bytes": some})
    assert memory_of(run).verdict == "leak"


def test_anonymous_pages_have_to_be_known_of_every_process():
    at = ticks(300.0)
    growing = leaking(at, 16 * KIB)
    both = {"rss_anon_bytes": [level(at, 20), level(at, 20)]}
    one = {"rss_anon_bytes": [level(at, 20), np.full(len(at), np.nan)]}
    held, kinds = [growing, growing], ["go", "go"]
    assert memory_of(made(at, held, runtime=kinds, extra=both)).verdict == "clean"
    assert memory_of(made(at, held, runtime=kinds, extra=one)).verdict == "leak"


# The first growth


@pytest.mark.parametrize(
    ("runtime", "called"),
    [
        ("go", "a Go process"),
        ("cpython", "a Python process"),
        ("node", "a Node process"),
        ("native", "a native process"),
        ("jvm", "a JVM"),
        ("ruby", "any process"),
        (None, "any process"),
    ],
)
def test_growth_of_some_mib_within_the_first_seconds_is_not_told_yet(runtime, called):
    at = ticks(45.0, 0.25)
    found = memory_of(made(at, 60 * MIB + 6 * MIB * at / 45, runtime=runtime))
    assert found.verdict == "inconclusive"
    assert f"45 s of load are within the first growth of {called};" in found.reason
    minutes = int(re.search(r"run for (\d+) min to see, or with a control run", found.reason)[1])
    longer = ticks(60.0 * minutes)
    found = memory_of(made(longer, 60 * MIB + 6 * MIB * longer / 45, runtime=runtime))
    assert found.verdict == "leak"


@pytest.mark.parametrize("runtime", ["go", "cpython", "node", "native", None])
def test_growth_beyond_what_a_process_does_at_first_is_a_leak_at_once(runtime):
    at = ticks(45.0, 0.25)
    found = memory_of(made(at, leaking(at, 64 * KIB), runtime=runtime))
    assert found.verdict == "leak"
    assert found.per_request == pytest.approx(64 * KIB, rel=0.02)


def test_a_jvm_whose_heap_is_not_known_takes_more_at_first():
    at = ticks(45.0, 0.25)
    found = memory_of(made(at, leaking(at, 64 * KIB), runtime="jvm"))
    assert found.verdict == "inconclusive"
    assert "within the first growth of a JVM" in found.reason


def filling(at, rng, until=2000.0, kept=10 * KIB):
    """A cache that is full after so many requests."""
    return 60 * MIB + kept * np.minimum(steady(at, RATE), until) + rng.normal(0, 20 * KIB, len(at))


@pytest.mark.parametrize(
    ("requests", "decided"),
    [(1000, "inconclusive"), (1900, "inconclusive"), (4000, "clean"), (12_000, "clean")],
)
def test_a_cache_that_is_full_after_some_thousand_requests_is_no_leak(rng, requests, decided):
    at = ticks(requests / RATE)
    assert memory_of(made(at, filling(at, rng), runtime="go")).verdict == decided


@pytest.mark.parametrize("duration_s", [300.0, 600.0])
def test_growth_that_begins_after_the_first_requests_is_a_leak(duration_s):
    at = ticks(duration_s)
    later = 60 * MIB + 8 * KIB * np.maximum(steady(at, RATE) - 3000, 0)
    found = memory_of(made(at, later, runtime="go"))
    assert found.verdict == "leak"
    assert found.per_request == pytest.approx(8 * KIB, rel=0.1)


def test_growth_that_began_with_the_load_and_goes_on_is_a_leak():
    at = ticks(600.0)
    assert memory_of(made(at, leaking(at, 4 * KIB), runtime="go")).verdict == "leak"


@pytest.mark.parametrize(
    ("duration_s", "decided"), [(300.0, "inconclusive"), (590.0, "inconclusive"), (1200.0, "leak")]
)
def test_without_requests_growth_of_less_than_ten_minutes_is_not_told(duration_s, decided):
    at = ticks(duration_s)
    run = made(at, 60 * MIB + 64 * KIB * at * RATE, runtime="go", requests=None)
    found = memory_of(run)
    assert found.verdict == decided
    assert found.excluded_per_request is None
    if decided == "inconclusive":
        assert "run for 16 min to see" in found.reason


# The heap of a JVM


def jvm(at, heap, *, every=10.0, **options):
    """A JVM whose resident set fills to -Xmx512m, and whose heap is collected now and then."""
    times = np.floor(at / every)
    left = heap[np.searchsorted(at, times * every)]
    resident = np.minimum(60 * MIB + 4 * MIB * at, 512 * MIB)
    extra = {"heap_bytes": left, "collections": times}
    return made(at, resident, runtime="jvm", extra=extra, **options)


@pytest.mark.parametrize("every", [10.0, 50.0, 70.0])
def test_a_jvm_that_fills_its_heap_and_keeps_nothing_is_clean(every):
    at = ticks(300.0)
    found = memory_of(jvm(at, level(at, 30), every=every))
    assert found.verdict == "clean"
    assert found.excluded_per_request < 4 * KIB  # the resident set alone would exclude 50 KiB


@pytest.mark.parametrize("every", [10.0, 50.0])
def test_a_jvm_that_keeps_ever_more_after_its_collections_is_a_leak(every):
    at = ticks(300.0)
    found = memory_of(jvm(at, leaking(at, 16 * KIB, 30), every=every))
    assert found.verdict == "leak"
    assert found.per_request == pytest.approx(16 * KIB, rel=0.02)


def test_the_resident_set_of_a_jvm_says_nothing_where_the_heap_leaks():
    at = ticks(300.0)
    run = jvm(at, leaking(at, 16 * KIB, 30))
    assert memory_of(run).verdict == "leak"
    run.samples["rss_bytes"] = 512.0 * MIB
    assert memory_of(run).verdict == "leak"


@pytest.mark.parametrize(
    ("every", "said"), [(1000.0, "not once"), (200.0, "once"), (100.0, "twice")]
)
@pytest.mark.parametrize("kept", [0.0, 16 * KIB])
def test_a_heap_that_was_hardly_collected_cannot_be_told(every, said, kept):
    at = ticks(300.0)
    found = memory_of(jvm(at, leaking(at, kept, 30), every=every))
    assert found.verdict == "inconclusive"
    assert f"the heap was collected {said} under load, too seldom to tell" in found.reason


def test_three_collections_are_enough_to_ask_for_a_longer_run():
    at = ticks(300.0)
    found = memory_of(jvm(at, level(at, 30), every=90.0))
    assert "too seldom" not in found.reason


def test_of_several_jvms_the_one_that_was_collected_most_seldom_counts():
    at = ticks(300.0)
    resident = np.minimum(60 * MIB + 4 * MIB * at, 512 * MIB)
    extra = {
        "heap_bytes": [level(at, 30), level(at, 30)],
        "collections": [np.floor(at / 10), np.floor(at / 100)],
    }
    run = made(at, [resident, resident], runtime="jvm", extra=extra)
    assert series_of(run).collections == 2
    assert "the heap was collected twice under load" in memory_of(run).reason


def test_a_heap_is_judged_only_where_every_large_process_tells_of_it():
    at = ticks(300.0)
    extra = {"heap_bytes": level(at, 30), "collections": np.floor(at / 10)}
    held = [leaking(at, KIB), leaking(at, KIB)]
    assert series_of(made(at, held, runtime="jvm", extra=extra)).column == "heap_bytes"
    mixed = made(at, held, runtime=["jvm", "go"], extra=extra)
    assert series_of(mixed).column == "rss_bytes"
    unknown = extra | {"collections": [np.floor(at / 10), np.full(len(at), np.nan)]}
    assert series_of(made(at, held, runtime="jvm", extra=unknown)).column == "rss_bytes"
    small = [leaking(at, KIB), 2 * MIB + KIB * at]
    assert series_of(made(at, small, runtime=["jvm", "native"], extra=extra)).column == "heap_bytes"


def test_a_heap_is_known_from_the_first_collection_to_the_last():
    at = ticks(300.0)
    held = series_of(jvm(at, leaking(at, KIB, 30), every=50.0))
    heap = held.processes[0].value["heap_bytes"]
    known = np.flatnonzero(np.isfinite(heap))
    assert (at[known[0]], at[known[-1]]) == (50.0, 250.0)
    assert heap[known] == pytest.approx(leaking(at, KIB, 30)[known], abs=2 * KIB)


@pytest.mark.parametrize("runtime", ["cpython", "native", None])
def test_what_collects_no_heap_has_no_collections(runtime):
    at = ticks(100.0)
    run = made(at, level(at), runtime=runtime, extra={"collections": 0 * at})
    bins, processes = bin_run(run)
    assert collected(find_window(run, bins, processes), processes) is None
    assert series_of(run).collections is None


# What a heap may hide


@pytest.mark.parametrize("runtime", ["go", "cpython", "node", "native", "jvm"])
def test_what_a_heap_may_hide_is_not_excluded_and_the_reason_says_so(runtime):
    at = ticks(600.0)
    found = memory_of(made(at, level(at), runtime=runtime))
    assert found.verdict == "clean"
    hidden = RUNTIMES[runtime].hidden / (RATE * 600)
    steps = 6 * MIB / 16 / (RATE * 600)  # three that can stay away by luck
    assert hidden <= found.excluded_per_request <= 1.2 * (hidden + steps)
    said = units.amount(found.metric, found.excluded_per_request, 2)
    assert found.reason.endswith(f"growth above {said} a request is excluded")


def test_the_heap_that_a_jvm_tells_of_hides_less_than_its_resident_set():
    at = ticks(600.0)
    found = memory_of(jvm(at, level(at, 30)))
    assert COLLECTED.hidden / (RATE * 600) <= found.excluded_per_request < 300


def test_processes_that_never_move_hide_nothing():
    at = ticks(600.0)
    moving = level(at) + 8 * KIB * (at % 20 < 10)
    alone = memory_of(made(at, moving, runtime="go"))
    idle = memory_of(made(at, [moving, level(at), level(at)], runtime=["go", "jvm", "node"]))
    assert idle.excluded_per_request == pytest.approx(alone.excluded_per_request, rel=1e-6)
    both = memory_of(made(at, [moving, moving], runtime="go"))
    more = RUNTIMES["go"].hidden / (RATE * 600)
    assert both.excluded_per_request >= alone.excluded_per_request + more


def test_processes_that_hold_next_to_nothing_hide_nothing():
    at = ticks(600.0)
    moving = 8 * KIB * (at % 20 < 10)
    alone = memory_of(made(at, level(at) + moving, runtime="go"))
    small = memory_of(made(at, [level(at) + moving, level(at, 1) + moving], runtime=["go", "jvm"]))
    assert small.excluded_per_request == pytest.approx(alone.excluded_per_request, rel=1e-6)


# A control run


def growing_by(at, mib, **options):
    return made(at, 60 * MIB + mib * MIB * at / at[-1], **options)


def test_the_same_growth_in_a_control_run_makes_the_first_growth_clean():
    at = ticks(45.0, 0.25)
    run = growing_by(at, 6, runtime="go")
    assert memory_of(run).verdict == "inconclusive"
    found = memory_of(run, run)
    assert found.verdict == "clean"
    assert "no more than the control run does" in found.reason


@pytest.mark.parametrize("less", [0, 2])
def test_less_growth_in_a_control_run_makes_a_leak_within_the_first_growth(less):
    at = ticks(45.0, 0.25)
    found = memory_of(growing_by(at, 6, runtime="go"), growing_by(at, less, runtime="go"))
    assert found.verdict == "leak"
    assert "surely more than the control run does" in found.reason


def test_a_control_run_that_grows_by_little_less_says_nothing_against_a_run():
    at = ticks(45.0, 0.25)
    found = memory_of(growing_by(at, 6, runtime="go"), growing_by(at, 5.5, runtime="go"))
    assert found.verdict != "leak"


def test_a_control_run_is_taken_away_where_its_load_began_as_well():
    at, late = ticks(60.0, 0.25), ticks(75.0, 0.25)
    requests = np.maximum(steady(late - 15, RATE), 0)
    filled = made(at, 60 * MIB + 12 * KIB * np.minimum(steady(at, RATE), 600), runtime="go")
    waited = made(
        late, 60 * MIB + 12 * KIB * np.minimum(requests, 600), runtime="go", requests=requests
    )
    track = beyond(series_of(filled), series_of(waited))
    assert track.value == pytest.approx(np.zeros(len(track)), abs=200 * KIB)
    assert memory_of(filled, waited).verdict == "clean"


def test_a_control_run_whose_memory_was_read_in_another_way_is_not_taken_away():
    at = ticks(100.0)
    own = made(at, level(at), runtime="go", extra={"rss_anon_bytes": level(at, 20)})
    other = made(at, level(at), runtime="go")
    assert beyond(series_of(own), series_of(other)) is None
    assert beyond(series_of(own), series_of(own)) is not None


@pytest.mark.parametrize("counted", [(0, 5000), (5000, 0)])
def test_requests_are_counted_from_where_the_load_of_each_run_began(counted):
    at = ticks(60.0, 0.25)
    own, other = (
        made(at, filling_first(at), runtime="go", requests=steady(at, RATE) + before)
        for before in counted
    )
    track = beyond(series_of(own), series_of(other))
    assert len(track) > 200
    assert track.value == pytest.approx(np.zeros(len(track)), abs=200 * KIB)


def filling_first(at):
    return 60 * MIB + 12 * KIB * np.minimum(steady(at, RATE), 600)


@pytest.mark.parametrize(("mib", "decided"), [(0.9, "clean"), (1.5, "leak")])
def test_beyond_a_control_run_half_of_the_ups_and_downs_are_a_leak(mib, decided):
    at = ticks(45.0, 0.25)
    found = memory_of(growing_by(at, mib, runtime="go"), growing_by(at, 0, runtime="go"))
    assert found.verdict == decided


def test_how_much_more_a_run_holds_than_its_control_does_not_matter():
    at = ticks(45.0, 0.25)
    run = made(at, 260 * MIB + 3 * MIB * at / 45, runtime="go")
    assert memory_of(run, growing_by(at, 0, runtime="go")).verdict == "leak"


def test_a_run_that_could_not_be_told_has_to_be_longer_than_it_was():
    at = ticks(300.0)
    found = memory_of(jvm(at, leaking(at, 2 * KIB, 30), every=50.0))
    assert found.verdict == "inconclusive"
    assert "run for 8 min to see" in found.reason


# Outside the heap of a JVM


def bounded_jvm(at, anonymous):
    """A JVM of `-Xmx256m` that keeps nothing, by its anonymous pages."""
    counts = np.floor(at / 10.0)
    extra = {"rss_anon_bytes": anonymous, "heap_bytes": level(at, 30), "collections": counts}
    events = [run_by("jvm", heap_max_bytes=256 * MIB)]
    return made(at, anonymous + 20 * MIB, extra=extra, events=events)


def test_memory_that_a_jvm_takes_beyond_its_bound_is_judged_as_well():
    at = ticks(1800.0)
    found = memory_of(bounded_jvm(at, leaking(at, 32 * KIB, 300)))
    assert found.verdict == "leak"
    assert found.per_request == pytest.approx(32 * KIB, rel=0.02)


def test_a_jvm_that_fills_its_heap_up_to_its_bound_is_told_by_what_it_keeps():
    at = ticks(1800.0)
    filling = np.minimum(leaking(at, 16 * KIB, 60), 340 * MIB)
    found = memory_of(bounded_jvm(at, filling))
    assert found.verdict == "clean"
    assert "what collections leave of the heap is level at 30 MiB" in found.reason


def test_what_surely_grows_after_the_first_growth_is_not_called_level():
    at = ticks(300.0)
    found = memory_of(made(at, leaking(at, KIB), runtime="go"))
    assert found.verdict == "inconclusive"


@pytest.mark.parametrize(("control", "verdict"), [("made", "leak"), ("another", "inconclusive")])
def test_another_service_does_not_show_what_this_one_grows_by_at_first(control, verdict):
    at = ticks(36.0, 0.25)
    run = made(at, leaking(at, 5 * KIB), runtime="cpython")
    level_one = made(at, level(at), runtime="cpython")
    named = replace(level_one, metadata=replace(level_one.metadata, strategy=control))
    assert memory_of(run, named).verdict == verdict


def test_nobody_is_told_to_use_the_control_run_that_was_used():
    at = ticks(36.0, 0.25)
    run = made(at, leaking(at, 5 * KIB), runtime="cpython")
    level_one = made(at, level(at), runtime="cpython")
    another = replace(level_one, metadata=replace(level_one.metadata, strategy="another"))
    assert memory_of(run).reason.endswith("min to see, or with a control run")
    assert memory_of(run, another).reason.endswith("min to see")
