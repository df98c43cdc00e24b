import numpy as np
import pandas as pd
import pytest

from tests.analysis.rundirs import write_run
from tidemark.analysis.figures import curves
from tidemark.analysis.run import load_run


@pytest.fixture
def samples():
    nan = np.nan
    rows = [
        # elapsed, pid, process, fds, established, time_wait
        (0.0, 0, "kernel", nan, 0, 5),
        (0.0, 7, "gunicorn", 20, 2, nan),
        (0.0, 8, "gunicorn", 30, 1, nan),
        (1.0, 0, "kernel", nan, 0, 6),
        (1.0, 7, "gunicorn", 21, nan, nan),
        (1.0, 8, "gunicorn", nan, 1, nan),
    ]
    columns = ["elapsed_s", "pid", "process", "fds", "established", "time_wait"]
    frame = pd.DataFrame(rows, columns=columns)
    states = ["syn_sent", "fin_wait1", "fin_wait2", "close_wait", "last_ack", "closing"]
    return frame.assign(**dict.fromkeys(states, 0.0))


def test_a_part_is_not_the_sum(samples):
    total = curves.total(samples, "fds")
    assert total.values[0] == 50
    assert np.isnan(total.values[1])


def test_the_kernels_row_is_no_process(samples):
    assert [curve.pid for curve in curves.processes(samples, "fds")] == [7, 8]


def test_time_wait_is_the_kernels(samples):
    assert list(curves.tcp_state(samples, "time_wait").values) == [5, 6]


def test_a_state_that_one_process_did_not_give_is_unknown(samples):
    established = curves.tcp_state(samples, "established")
    assert established.values[0] == 3
    assert np.isnan(established.values[1])


def test_states_never_seen_are_left_out(samples):
    names = [curve.name for curve in curves.tcp_states(samples)]
    assert names == ["ESTABLISHED", "TIME_WAIT"]


def test_names_are_ordered_by_growth_and_the_rest_is_summed(tmp_path):
    run = load_run(write_run(tmp_path, strategy="per-request-leaked"))
    found = curves.by_name(run.composition, "thread", most=3)
    assert [curve.name for curve in found][2] == curves.OTHERS
    assert found[0].name == "rdk:broker*"
    everything = curves.counts_by_name(run.composition, "thread").sum(axis=1)
    assert sum(curve.last for curve in found) == everything.iloc[-1]


def test_no_composition_no_names(tmp_path):
    run = load_run(write_run(tmp_path, with_composition=False))
    assert curves.by_name(run.composition, "fd") == []


def test_a_rate_counts_what_was_added_and_nothing_from_before():
    times = np.arange(0.0, 20.0)
    old = pd.DataFrame({"elapsed_s": times, "pid": 7, "process": "a", "cpu_s": 100 + 0.5 * times})
    young = pd.DataFrame(
        {"elapsed_s": times[10:], "pid": 8, "process": "b", "cpu_s": 0.25 * (times[10:] - 10)}
    )
    both = pd.concat([old, young]).sort_values("elapsed_s", kind="stable")
    found = curves.rate(both, "cpu_s")
    early, late = found.time_s < 9, found.time_s > 11
    assert found.values[early] == pytest.approx(0.5)
    assert found.values[late] == pytest.approx(0.75)
