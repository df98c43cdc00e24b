"""Tasks on a Dask cluster of two worker processes, and what is said where there is none."""

import socket

import pytest
from distributed import LocalCluster

from tests.fleet import tasks
from tests.fleet.test_many import assert_same, many, verdict_of
from tidemark.fleet.cluster import on_dask
from tidemark.fleet.errors import FleetError
from tidemark.fleet.workers import Workers

QUIET = {"processes": True, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, threads_per_worker=1, **QUIET) as found:
        yield found


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:1", "tcp://127.0.0.1"])
def test_what_is_no_address_is_one_line(address):
    with pytest.raises(FleetError, match=r"no Dask scheduler answers at .*not tcp://HOST:PORT"):
        on_dask(tasks.double, [1], address)


def test_a_scheduler_that_does_not_answer_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(FleetError, match=r"no Dask scheduler answers.*Connection refused"):
            on_dask(tasks.double, [1], f"tcp://127.0.0.1:{taken.getsockname()[1]}")


@pytest.mark.long
def test_results_and_errors_come_in_the_order_of_the_tasks(cluster):
    outcomes = on_dask(tasks.fail_at_three, range(6), cluster.scheduler_address)
    assert [one.result for one in outcomes] == [0, 1, 2, None, 4, 5]
    assert outcomes[3].error == "three is too much"


@pytest.mark.long
def test_a_cluster_without_workers_is_one_line():
    with (
        LocalCluster(n_workers=0, **QUIET) as empty,
        pytest.raises(FleetError, match="has no workers"),
    ):
        on_dask(tasks.double, [1], empty.scheduler_address)


@pytest.mark.long
def test_the_verdict_is_the_same_as_that_of_one_process(tmp_path, cluster):
    path = many(tmp_path)
    here = verdict_of(path, Workers(1))
    assert_same(here, verdict_of(path, Workers(scheduler=cluster.scheduler_address)))
