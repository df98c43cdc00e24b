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
