import numpy as np
import pytest

from tests.analysis.made import happened, make_run, run_by, steady, ticks
from tidemark.analysis.verdict.load import describe_load
from tidemark.analysis.verdict.series import MOST_BINS, bin_run, summed
from tidemark.record.events import RuntimeSeen


def test_every_sample_of_a_short_run_has_a_bin_of_its_own(rng):
    at = ticks(200.0) + rng.uniform(0, 0.02, 200)
    values = rng.integers(0, 99, 200).astype(float)
    bins, (process,) = bin_run(make_run(at, values))
    assert bins.elapsed_s == pytest.approx(at)
    assert process.value["fds"].tolist() == values.tolist()
    assert process.limits == {"fds": 65536}


def test_a_long_run_is_put_into_bins_that_keep_real_times():
    at = ticks(20_000.0)
    bins, (process,) = bin_run(make_run(at, np.arange(20_000.0), requests=steady(at)))
    assert len(bins) == MOST_BINS
    assert bins.requests == pytest.approx(10 * bins.elapsed_s, abs=1)
    assert process.value["fds"] == pytest.approx(bins.elapsed_s, abs=1)
    assert (process.floor["fds"] <= process.value["fds"]).all()


def test_a_gap_stays_a_gap():
    at = ticks(300.0)
    values = np.where((at > 100) & (at < 200), np.nan, 5.0)
    bins, (process,) = bin_run(make_run(at, values))
    inside = (bins.edges[1:] > 110) & (bins.edges[1:] < 190)
    assert np.isnan(process.value["fds"][inside]).all()
    assert np.isnan(bins.elapsed_s[inside]).all()


def test_the_sum_is_that_of_the_processes_alive():
    at = ticks(10.0)
    second = np.where(at < 5, np.nan, 2.0)
    _, processes = bin_run(make_run(at, [np.full(10, 3.0), second]))
    assert summed(processes, "fds").tolist() == [3.0] * 5 + [5.0] * 5


def test_rows_of_the_kernel_are_left_out():
    at = ticks(20.0)
    run = make_run(at, [np.full(20, 3.0), np.full(20, 4.0)])
    run.samples.loc[run.samples["pid"] == 11, "pid"] = 0
    _, processes = bin_run(run)
    assert [process.pid for process in processes] == [10]


def load_of(users, requests=None):
    at = ticks(float(len(users)))
    counted = np.cumsum(users) if requests is None else requests
    bins, _ = bin_run(make_run(at, np.ones(len(at)), requests=counted, users=users))
    return describe_load(bins, 0.0, float(at[-1]))


def test_a_steady_load_explains_nothing():
    found = load_of(np.full(200, 10.0))
    assert not found.varies
    assert found.covariates.shape[1] == 0
    assert found.steady_from_s < 5


def test_a_ramp_that_ends_leaves_the_steady_part():
    users = np.minimum(np.arange(200) / 4.0, 20.0)
    found = load_of(users)
    assert not found.varies
    assert 75 <= found.steady_from_s <= 85


def test_a_ramp_to_the_end_is_a_covariate_with_its_high_water_mark():
    users = np.r_[np.arange(100.0), 100.0 - np.arange(100.0)]
    found = load_of(users)
    assert found.varies
    assert found.covariates[:, 1].max() == found.covariates[-1, 1] == 100.0
    assert found.covariates[-3, 0] < 5


def test_the_end_of_the_test_is_no_change_of_load():
    users = np.full(200, 10.0)
    users[-1] = 0.0
    assert not load_of(users, steady(ticks(200.0))).varies


def test_chance_in_a_low_rate_is_no_change_of_load(rng):
    found = load_of(np.full(120, 1.0), np.cumsum(rng.poisson(5.0, 120)).astype(float))
    assert not found.varies
    assert found.steady_from_s < 5


def test_what_was_recorded_of_a_heap_is_binned_and_what_was_not_is_unknown():
    at = ticks(20.0)
    extra = {"heap_bytes": [5 * at, 7 * at], "collections": np.floor(at / 5)}
    _, processes = bin_run(make_run(at, [np.full(20, 3.0)] * 2, extra=extra))
    assert [one.value["heap_bytes"][4] for one in processes] == [20.0, 28.0]
    assert processes[1].floor["collections"].tolist() == np.floor(at / 5).tolist()
    assert all(np.isnan(one.value["rss_anon_bytes"]).all() for one in processes)
    assert all(len(one.floor["rss_anon_bytes"]) == 20 for one in processes)


def test_a_process_has_the_runtime_that_was_last_seen_of_it():
    at = ticks(20.0)
    events = [
        run_by("native", 10),
        run_by("jvm", 10, 5.0, heap_max_bytes=2**29),
        run_by("go", 11),
        happened(0.0, RuntimeSeen(pid=12, runtime="node", target="another")),
    ]
    _, processes = bin_run(make_run(at, [np.full(20, 3.0)] * 3, events=events))
    assert [one.runtime for one in processes] == ["jvm", "go", None]
    assert [one.heap_max for one in processes] == [2**29, None, None]
