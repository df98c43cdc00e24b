"""What to do next, by what was found."""

import dataclasses

import pytest

from tests.analysis.rundirs import write_run
from tests.analysis.several import write_several
from tests.analysis.verdicts import clean, leak
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import Finding, Kind, Severity, assess, weigh
from tidemark.analysis.verdict.culprits import phrase
from tidemark.analysis.verdict.model import Culprit, Interval, RouteGrowth
from tidemark.analysis.verdict.next_step import next_step, rounded_up


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(write_run(tmp_path_factory.mktemp("run"), strategy="per-request-leaked"))


@pytest.fixture(scope="module")
def well(tmp_path_factory):
    return load_run(write_run(tmp_path_factory.mktemp("well"), strategy="shared"))


def with_(whole, resource, **changes):
    found = dataclasses.replace(whole.resources[resource], **changes)
    return dataclasses.replace(whole, resources={**whole.resources, resource: found})


def culprit(name, phrase):
    return Culprit(name, phrase, 1.0, 3600.0, 0.5)


def test_of_a_leak_it_names_what_stays_behind(run):
    verdict = with_(leak(run), "fds", culprits=(culprit("pipe", "pipes"),))
    verdict = with_(verdict, "connections", culprits=(culprit("b:1", "to 10.0.0.7:9092"),))
    assert next_step(weigh(run, verdict)).text == (
        "Look at what the service makes for a request and never closes: "
        "pipes and connections to 10.0.0.7:9092 stay behind"
    )


def test_connections_that_clients_keep_open_are_not_said_to_be_made_by_the_service(run):
    accepted = culprit("tcp accepted :6379", phrase("fds", "tcp accepted :6379"))
    verdict = with_(leak(run), "fds", culprits=(accepted,))
    verdict = with_(with_(verdict, "connections", verdict="clean"), "threads", verdict="clean")
    verdict = with_(verdict, "rss_bytes", verdict="clean")
    assert next_step(weigh(run, verdict)).text == (
        "Look at which clients of the service never hang up, and whether it closes idle "
        "connections: connections accepted on port 6379 stay behind"
    )


def test_of_a_short_run_it_names_what_there_is_more_of(run):
    said = next_step(weigh(run, leak(run))).text
    assert "pipes" in said
    assert said.endswith("stay behind")


def test_where_nothing_is_named_it_says_what_would(run):
    unnamed = dataclasses.replace(run, composition=run.composition[:0])
    step = next_step(weigh(unnamed, leak(run)))
    assert step.text.startswith("Look at what the service opens and never closes")
    assert step.command == "ls -l /proc/PID/fd"


def test_it_names_the_route_that_leaks(run):
    growth = Interval(7.0, 8.0)
    routes = {
        "POST /orders": RouteGrowth("leaks", 100.0, 7.8, growth),
        "GET /health": RouteGrowth("excluded", 900.0, excluded_per_request=0.1),
    }
    verdict = with_(leak(run), "fds", routes=routes)
    assert "Look at what POST /orders " in next_step(weigh(run, verdict)).text


def test_it_names_the_target_that_leaks(tmp_path):
    plans = {"web1": {"strategy": "shared"}, "web2": {"strategy": "per-request-leaked"}}
    run = load_run(write_several(tmp_path, plans))
    assessment = assess(run)
    assert assessment.leading.target == "web2"
    assert " in web2 " in next_step(assessment).text


@pytest.mark.parametrize(
    ("kind", "remedy", "begins"),
    [
        (Kind.NOT_A_TEST, "check address and path", "This tested nothing yet: check address and"),
        (Kind.DIED, "see why in target.log", "Find out why it ended: see why in target.log"),
        (Kind.CUT_OFF, "let it run to its end", "Run it again, and let it run to its end"),
        (Kind.UNLIKE, "record it anew", "To compare it, record it anew"),
    ],
)
def test_what_is_missing_is_said_first(well, kind, remedy, begins):
    against = Finding(kind, "run", Severity.UNKNOWN, "because", remedy=remedy)
    whole = dataclasses.replace(weigh(well, clean(well)), findings=(against,))
    assert next_step(whole).text.startswith(begins)


@pytest.mark.parametrize(
    ("raw", "may_go_on"),
    [({}, False), ({"resume": {}}, True), ({"resume": {}, "generators": [{"name": "a"}]}, False)],
)
def test_what_was_cut_off_may_go_on_where_it_can(well, raw, may_go_on):
    run = dataclasses.replace(well, metadata=dataclasses.replace(well.metadata, raw=raw))
    against = Finding(Kind.CUT_OFF, "run", Severity.UNKNOWN, "because", remedy="let it end")
    step = next_step(dataclasses.replace(weigh(run, clean(run)), findings=(against,)))
    assert (f"--headless --resume {run.path}" in step.line) is may_go_on


@pytest.mark.parametrize(
    ("seconds", "time"), [(61.0, "1m10s"), (150.0, "3m"), (4000.0, "1h7m"), (90_000.0, "25h")]
)
def test_what_cannot_be_told_wants_a_longer_run(well, seconds, time):
    verdict = with_(clean(well), "rss_bytes", verdict="inconclusive", run_for_s=seconds)
    verdict = dataclasses.replace(verdict, verdict="inconclusive")
    step = next_step(weigh(well, verdict))
    assert step.text.startswith("To tell resident memory, let the load last ")
    assert f"-t {time}" in step.command


def test_the_command_is_the_one_that_ran_it(well):
    raw = {
        **well.metadata.raw,
        "target": {"command": "python -m tidemark.targets.serve shared", "fds_limit": 512},
        "load": {"rate": 5.0, "batch_size": 10},
    }
    ours = dataclasses.replace(
        well, metadata=dataclasses.replace(well.metadata, raw=raw, load=raw["load"])
    )
    verdict = with_(clean(well), "fds", verdict="inconclusive", run_for_s=600.0)
    verdict = dataclasses.replace(verdict, verdict="inconclusive")
    assert next_step(weigh(ours, verdict)).command == (
        "locust -f locustfiles/ingest.py --headless -t 10m --strategy shared"
        " --rate 5 --batch-size 10 --fds-limit 512"
    )


@pytest.mark.parametrize(
    ("load", "generators"),
    [
        ({"rate": 5.0}, [{"name": "worker-1"}, {"name": "worker-2"}]),
        ({"rate": None, "workload": "closed", "users": 8}, None),
        ({"rate": 5.0, "shape": "steps"}, None),
        ({"rate": 5.0, "ramp_s": 60.0}, None),
    ],
)
def test_a_command_that_would_load_otherwise_is_not_told(well, load, generators):
    target = {"command": "python -m tidemark.targets.serve shared"}
    raw = {**well.metadata.raw, "target": target, "load": load, "generators": generators}
    ours = dataclasses.replace(
        well, metadata=dataclasses.replace(well.metadata, raw=raw, load=load)
    )
    verdict = with_(clean(well), "fds", verdict="inconclusive", run_for_s=600.0)
    verdict = dataclasses.replace(verdict, verdict="inconclusive")
    assert next_step(weigh(ours, verdict)).line.endswith(
        "let the load last 10 min, with the command that you ran it with and: -t 10m"
    )


def test_what_nobody_drove_is_watched_for_longer(tmp_path):
    watched = load_run(write_run(tmp_path, strategy="shared", with_requests=False))
    verdict = with_(clean(watched), "fds", verdict="inconclusive", run_for_s=600.0)
    verdict = dataclasses.replace(verdict, verdict="inconclusive")
    step = next_step(weigh(watched, verdict))
    assert step.text == "To tell file descriptors, watch it for 10 min under a steady load"
    assert step.command is None


def test_what_is_clean_becomes_a_gate(well):
    step = next_step(weigh(well, clean(well)))
    assert step.text.startswith("Make it a gate in CI")
    assert step.command == f"tidemark check {well.path}"
    assert step.line == f"{step.text}: {step.command}"


@pytest.mark.parametrize(
    ("seconds", "rounded"), [(1, 10), (110.5, 120), (121, 180), (7199, 7200), (7201, 10800)]
)
def test_a_time_is_rounded_up_to_what_one_would_type(seconds, rounded):
    assert rounded_up(float(seconds)) == rounded
