"""The verdict on a small part of the labelled corpus: one series of each shape, the same always.

`make bench-verdict` judges some hundreds of them; these are as many as a test has time for.
"""

import functools
from collections import Counter

import numpy as np
import pytest

from benchmarks import corpus_development, corpus_test
from benchmarks import corpus_development_leaks as development_leaks
from benchmarks import corpus_test_leaks as test_leaks
from tidemark.analysis.verdict.limits import read_limits
from tidemark.analysis.verdict.resource import Subject, judge_resource
from tidemark.analysis.verdict.series import bin_run
from tidemark.analysis.verdict.window import find_window

PARTS = (corpus_development, corpus_test)
KINDS = ("LEAKS", "CLEAN", "UNDECIDED")
LEAKS, CLEAN, UNDECIDED = ([m for part in PARTS for m in getattr(part, kind)] for kind in KINDS)
PLACE = {m: i for part in PARTS for kind in KINDS for i, m in enumerate(getattr(part, kind))}
NUMBERS = {"leak_after_warm_up": 2, "leak_in_episodes": 2, "clean_staggered": 5}
"""Which series of a shape is looked at where the first holds too little, or too much."""
FAINT = {"clean_flat": 29, "clean_pool": 3, "clean_ramp": 32, "clean_in_flight": 3}
FAINT |= {"leak_after_warm_up": 10, "leak_by_time": 2, "leak_gaps": 3, "leak_sawtooth": 3}
"""Series that hold too little to be told, by the parameters they were made with."""
AT_A_STEADY_RATE = (
    *("leak_linear", "leak_sawtooth", "leak_ramp", "leak_clumps", "leak_gaps", "leak_recycled"),
    *("leak_one_of_two", "leak_memory", "leak_by_time", "leak_under_waves", "leak_four_workers"),
    *("leak_threads", "leak_connections_on_stairs", "leak_memory_collected"),
)
"""Leaks whose rate is the same from the beginning to the end."""
DEATHS = range(1, 7)


@functools.cache
def answer(maker, number):
    """A series, and what is said of the resource that carries it."""
    case = maker(np.random.default_rng([number, PLACE[maker]]))
    bins, processes = bin_run(case.run)
    window = find_window(case.run, bins, processes)
    return case, judge_resource(case.resource, Subject(window, processes, read_limits(case.run)))


def first(maker):
    return answer(maker, NUMBERS.get(maker.__name__, 1))


@pytest.mark.parametrize("maker", LEAKS + CLEAN + UNDECIDED, ids=lambda maker: maker.__name__)
def test_a_series_that_can_be_told_is_judged_as_it_is_labelled(maker):
    case, found = first(maker)
    assert case.informative
    label = "inconclusive" if case.label == "undecided" else case.label
    assert found.verdict == label, found.reason


def test_no_leak_is_missed_and_none_is_seen_where_there_is_none():
    answers = [first(maker) for maker in LEAKS + CLEAN + UNDECIDED]
    assert Counter((case.label, found.verdict) for case, found in answers) == {
        ("leak", "leak"): 24,
        ("clean", "clean"): 29,
        ("undecided", "inconclusive"): 3,
    }


@pytest.mark.parametrize("name", FAINT)
def test_what_nobody_could_tell_is_not_told_wrongly(name):
    (maker,) = (maker for maker in LEAKS + CLEAN if maker.__name__ == name)
    case, found = answer(maker, FAINT[name])
    assert not case.informative
    if case.label == "clean":
        assert found.verdict != "leak"
    else:
        assert found.verdict != "clean" or found.per_request_interval.high > rate_of(case)


def rate_of(case):
    """The growth per request that a leak was made with."""
    total = case.parameters.get("growth", case.parameters.get("lost"))
    if "rate" in case.parameters:
        return case.parameters["rate"]
    return total / case.run.requests["requests"].iloc[-1]


def test_nine_of_ten_intervals_hold_the_rate_and_are_no_wider_than_they_must():
    held, widths = 0, []
    for maker in (maker for maker in LEAKS if maker.__name__ in AT_A_STEADY_RATE):
        case, found = first(maker)
        interval, rate = found.per_request_interval, rate_of(case)
        held += interval.contains(rate)
        widths.append(interval.width / rate)
    assert len(widths) == len(AT_A_STEADY_RATE)
    assert held == 12  # of 14; nine of ten would be 12.6
    assert np.median(widths) < 0.1


def test_the_first_quarter_says_when_a_leak_will_have_killed():
    held, errors = 0, []
    for maker in (development_leaks.leak_exhausted, test_leaks.leak_until_dead):
        for number in DEATHS:
            _, found = answer(maker, number)
            assert found.verdict == "leak"
            assert found.forecast_check.subject == "exhaustion"
            held += found.forecast_check.covered
            errors.append(abs(found.forecast_check.relative_error))
    assert held == 10  # of 12; nine of ten would be 10.8, half of them 6
    assert np.median(errors) < 0.08
    assert max(errors) < 0.25
