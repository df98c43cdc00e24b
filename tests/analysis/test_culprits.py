"""What of a resource grows: named by file pattern, remote end or thread."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.culprits import phrase
from tidemark.analysis.verdict.judge import judge
from tidemark.analysis.verdict.thresholds import check_threshold
from tidemark.record import layout

from .made import make_run

AT = np.arange(0.0, 120.0, 1.0)
LOOKS = AT[::5]
REQUESTS = np.floor(10.0 * AT)


def composition(counts, kind="fd", pid=10, looks=LOOKS):
    """A table of names whose counts are given at each look; what is 0 has no row."""
    rows = [
        {"elapsed_s": at, "pid": float(pid), "kind": kind, "name": name, "count": float(count)}
        for name, values in counts.items()
        for at, count in zip(looks, values, strict=True)
        if count
    ]
    table = pd.DataFrame(rows).assign(time_s=lambda rows: 1.7e9 + rows["elapsed_s"])
    table["target"] = layout.ONLY_TARGET
    return table.sort_values("elapsed_s", kind="stable", ignore_index=True).astype(
        {"kind": "category", "name": "category", "target": "category"}
    )


def endpoints(held, kind=layout.REMOTE, looks=AT):
    parts = [
        pd.DataFrame({"elapsed_s": looks, "endpoint": name, "held": values, "time_wait": 0.0})
        for name, values in held.items()
    ]
    table = pd.concat(parts).sort_values("elapsed_s", kind="stable", ignore_index=True)
    return table.assign(time_s=1.7e9 + table["elapsed_s"], kind=kind)


def judged(run: Run, resource: str = "fds"):
    return judge(run).resources[resource]


def leaking(counts, *, requests=REQUESTS, series=None, resource="fds", kind="fd"):
    grown = np.floor(10.0 * AT) + 20 if series is None else series
    run = make_run(AT, grown, requests=requests, resource=resource)
    return judged(replace(run, composition=composition(counts, kind)), resource)


def test_what_grows_is_named_with_its_growth_per_request():
    found = leaking({"/tmp/upload-*.tmp": np.floor(10.0 * LOOKS), "pipe": np.full(len(LOOKS), 20)})
    assert found.verdict == "leak"
    (one,) = found.culprits
    assert (one.name, one.phrase) == ("/tmp/upload-*.tmp", "files /tmp/upload-*.tmp")
    assert one.per_request == pytest.approx(1.0, rel=0.02)
    assert one.per_hour == pytest.approx(36_000, rel=0.02)
    assert one.share == pytest.approx(1.0, rel=0.02)
    assert "a request, of which 1 a request are files /tmp/upload-*.tmp, steadily" in found.reason


def test_without_requests_it_is_told_per_hour():
    found = leaking({"pipe": np.floor(10.0 * LOOKS)}, requests=None)
    (one,) = found.culprits
    assert one.per_request is None
    assert ", of which 36,000 an hour are pipes," in found.reason


def test_several_are_told_the_most_first():
    found = leaking({"pipe": np.floor(3.0 * LOOKS), "tcp 10.0.0.7:5432": np.floor(7.0 * LOOKS)})
    assert [one.name for one in found.culprits] == ["tcp 10.0.0.7:5432", "pipe"]
    assert "0.7 a request are sockets to 10.0.0.7:5432 and 0.3 pipes" in found.reason


def test_what_wobbles_or_has_jumped_is_not_named():
    random = np.random.default_rng(4)
    counts = {
        "/tmp/upload-*.tmp": np.floor(10.0 * LOOKS),
        "eventfd": random.integers(5, 40, len(LOOKS)),
        "inotify": np.where(LOOKS > 30, 400, 0),
    }
    assert [one.name for one in leaking(counts).culprits] == ["/tmp/upload-*.tmp"]


def test_a_clean_run_names_nothing():
    found = leaking({"pipe": np.floor(10.0 * LOOKS)}, series=np.full(len(AT), 20.0))
    assert (found.verdict, found.culprits) == ("clean", ())


def test_threads_are_named_by_the_kernels_name():
    counts = {"rdk:broker*": np.floor(10.0 * LOOKS), "main": np.ones(len(LOOKS))}
    found = leaking(counts, resource="threads", kind="thread")
    assert "of which 1 a request are named rdk:broker*," in found.reason


def test_workers_that_are_recycled_add_up():
    half = len(AT) // 2
    first, second = np.floor(10.0 * AT) + 20, np.floor(10.0 * (AT - 60)) + 20
    first[half:], second[:half] = np.nan, np.nan
    run = make_run(AT, [first, second], requests=REQUESTS)
    early, late = LOOKS[LOOKS < 60], LOOKS[LOOKS >= 60]
    tables = [
        composition({"pipe": np.floor(10.0 * early)}, pid=10, looks=early),
        composition({"pipe": np.floor(10.0 * (late - 60))}, pid=11, looks=late),
    ]
    found = judged(replace(run, composition=pd.concat(tables, ignore_index=True)))
    assert found.verdict == "leak"
    (one,) = found.culprits
    assert one.per_request == pytest.approx(1.0, rel=0.1)


def test_without_enough_readings_nothing_is_named():
    run = make_run(AT, np.floor(10.0 * AT) + 20, requests=REQUESTS)
    few = composition({"pipe": [10, 1000]}, looks=[10.0, 100.0])
    assert judged(replace(run, composition=few)).culprits == ()


# -- connections ------------------------------------------------------------------------------


def test_without_brokers_connections_to_anywhere_are_judged_and_named():
    held = endpoints({"10.0.0.7:5432": np.floor(10.0 * AT), layout.OTHER_ENDPOINTS: 0.0})
    run = make_run(
        AT, np.floor(10.0 * AT) + 2, resource="established", requests=REQUESTS, endpoints=held
    )
    found = judged(run, "connections")
    assert found.reason.startswith("outgoing connections: grow by")
    assert "of which 1 a request are to 10.0.0.7:5432" in found.reason


def test_none_to_anywhere_is_level_and_not_a_doubt():
    held = endpoints({layout.OTHER_ENDPOINTS: np.zeros(len(AT))})
    run = make_run(AT, np.zeros(len(AT)), resource="established", requests=REQUESTS, endpoints=held)
    assert judged(run, "connections").verdict == "clean"


def test_brokers_are_named_where_they_were_recorded():
    held = endpoints({"k:1": np.floor(4.0 * AT), "k:2": np.floor(6.0 * AT)}, layout.BROKER)
    run = make_run(
        AT, np.floor(10.0 * AT), resource="established", requests=REQUESTS, endpoints=held
    )
    run = replace(run, metadata=replace(run.metadata, brokers=("k:1", "k:2")))
    found = judged(run, "connections")
    assert found.reason.startswith("broker connections: grow by")
    assert "of which 0.6 a request are to k:2 and 0.4 to k:1" in found.reason


def with_unnamed(held, requests=REQUESTS):
    named = endpoints({"k:1": np.full(len(AT), 2.0)}, layout.BROKER)
    others = endpoints({**held, layout.OTHER_ENDPOINTS: np.zeros(len(LOOKS))}, looks=LOOKS)
    run = make_run(
        AT,
        np.full(len(AT), 2.0),
        resource="established",
        requests=requests,
        endpoints=pd.concat([named, others]).sort_values("elapsed_s", ignore_index=True),
    )
    return judge(replace(run, metadata=replace(run.metadata, brokers=("k:1",))))


def test_an_end_that_was_not_named_is_told():
    verdict = with_unnamed({"10.0.0.6:9093": np.full(len(LOOKS), 12.0)})
    (warning,) = verdict.warnings
    assert warning.startswith("12 connections to 10.0.0.6:9093 that was not named as a broker")
    assert verdict.resources["connections"].verdict == "clean"


def test_one_that_leaks_is_told_with_its_growth():
    verdict = with_unnamed({"a:1": np.floor(10.0 * LOOKS), "b:2": np.full(len(LOOKS), 500.0)})
    (warning,) = verdict.warnings
    assert warning.startswith("1,150 connections to a:1 (1 more a request) and 500 connections to")
    assert "that were not named as brokers" in warning


def test_ends_that_are_not_held_any_more_are_not_told():
    assert not with_unnamed({"a:1": np.where(LOOKS < 30, 5.0, 0.0)}).warnings


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("/var/log/x.log (deleted)", "deleted files /var/log/x.log"),
        ("tcp accepted :8000", "connections accepted on port 8000"),
        ("tcp listening", "listening sockets"),
        ("tcp 10.0.0.7:5432", "sockets to 10.0.0.7:5432"),
        ("eventpoll", "epoll instances"),
        ("bpf", "bpf"),
        ("/" + "a" * 100 + "/upload-*.tmp", f"files …{'a' * 66}/upload-*.tmp"),
    ],
)
def test_what_a_descriptor_is_called_in_a_sentence(name, wanted):
    assert phrase("fds", name) == wanted


def test_a_threshold_that_is_exceeded_says_by_what():
    found = leaking({"pipe": np.floor(10.0 * LOOKS)})
    check = check_threshold(found, 0.01)
    assert check.kept is False
    assert ", of which 1 a request are pipes, above the threshold" in check.reason
