import dataclasses
import json

import pytest

from tests.analysis.rundirs import write_comparison, write_run
from tests.analysis.verdicts import clean, leak
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.summary import differences, overall_latency, summarise, unlike


def rewrite(path, **changes):
    document = json.loads((path / "run.json").read_text()) | changes
    kept = {key: value for key, value in document.items() if value is not None}
    (path / "run.json").write_text(json.dumps(kept))
    return load_run(path)


def test_a_row_of_a_run_that_died(tmp_path):
    run = load_run(write_run(tmp_path, strategy="per-request-leaked"))
    row = summarise(run, leak(run))
    last = run.requests.iloc[-1]
    assert (row.requests, row.failures) == (last["requests"], last["failures"])
    assert (row.per_request["fds"], row.per_request["connections"]) == (7.8, 1.8)
    assert row.per_request["cpu_s"] == pytest.approx(0.004, rel=0.5)


def test_the_response_times_of_the_whole_run_are_those_recorded(tmp_path):
    latency = overall_latency(load_run(write_run(tmp_path)))
    assert (latency.p50_ms, latency.p99_ms, latency.approximate) == (1.4, 2.6, False)


def test_without_them_the_ticks_are_weighted_by_their_requests(tmp_path):
    path = write_run(tmp_path)
    header = "time_s,elapsed_s,users,requests,failures,messages_accepted,p50_ms,p95_ms,p99_ms\n"
    rows = "1,1,1,0,0,0,,,\n2,2,1,98,0,98,2.0,3.0,4.0\n3,3,1,98,0,98,,,\n4,4,1,100,0,100,9,9,90.0\n"
    (path / "requests.csv").write_text(header + rows)
    latency = overall_latency(rewrite(path, latency_ms=None))
    assert (latency.p50_ms, latency.p99_ms, latency.approximate) == (2.0, 90.0, True)


def test_a_run_without_requests_has_none(tmp_path):
    run = load_run(write_run(tmp_path, with_requests=False))
    row = summarise(run, clean(run))
    assert (row.requests, row.failures, row.latency.p50_ms) == (None, None, None)


@pytest.mark.parametrize("wrong", ["fast", {"p50": "fast"}, {"p50": True}, []])
def test_response_times_that_are_no_figures_are_not_believed(tmp_path, wrong):
    latency = overall_latency(rewrite(write_run(tmp_path), latency_ms=wrong))
    assert latency.approximate


def test_runs_of_one_comparison_are_alike(tmp_path):
    runs = [load_run(path) for path in write_comparison(tmp_path, requests=20)]
    assert differences(runs) == []
    assert unlike(runs) is None


def test_unlike_runs_say_what_differs(tmp_path):
    one = load_run(write_run(tmp_path / "a"))
    path = write_run(tmp_path / "b", rate=50.0, fds_limit=4096, brokers=("127.0.0.1:1",))
    host = {**one.metadata.host, "versions": {"librdkafka": "2.3.0", "locust": "2.47.0"}}
    other = rewrite(path, host=host)
    assert differences([one, other]) == [
        "request rate: 8.0 and 50.0",
        "descriptor limit: 1024 and 4096",
        "number of brokers: 2 and 1",
        "librdkafka: 2.16.1 and 2.3.0",
    ]


def test_what_a_run_did_not_record_is_not_held_against_it(tmp_path):
    one = load_run(write_run(tmp_path / "a"))
    other = rewrite(write_run(tmp_path / "b"), host={}, load=None)
    assert differences([one, other]) == []


def test_the_faults_of_a_run_are_in_its_row(tmp_path):
    run = rewrite(write_run(tmp_path), faults=["outage@500+10"])
    (fault,) = summarise(run, clean(run)).faults
    assert (fault.fault, fault.state) == ("outage@500+10", "not begun")


def test_what_was_never_read_of_a_process_is_not_told_per_request(tmp_path):
    run = load_run(write_run(tmp_path))
    unread = run.samples["pid"] == 100
    samples = run.samples.assign(cpu_s=run.samples["cpu_s"].where(~unread))
    part = dataclasses.replace(run, samples=samples)
    assert summarise(run, clean(run)).per_request["cpu_s"] > 0
    assert summarise(part, clean(run)).per_request["cpu_s"] is None
