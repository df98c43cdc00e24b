import dataclasses

import pytest

from tests.analysis.rundirs import write_run
from tests.analysis.verdicts import clean, leak
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.headline import growth, statement
from tidemark.analysis.verdict.model import Exhaustion, ResourceVerdict


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(write_run(tmp_path_factory.mktemp("run"), strategy="per-request-leaked"))


def test_a_death(run):
    said = "7.8 descriptors a request, dead after 129 requests"
    assert statement(run, leak(run)) == said


def test_a_death_without_requests(run):
    verdict = leak(run, exhausted=Exhaustion("fds", 3700.0, None))
    assert statement(run, verdict).endswith("dead after 1 h 1 min")


def test_a_death_of_one_process_of_several(run):
    verdict = leak(run, exhausted=Exhaustion("fds", 9.0, 60.0))
    assert statement(run, verdict).endswith("first process dead after 60 requests")


def test_a_leak_that_has_not_killed_yet(run):
    said = statement(run, leak(run, dead=False))
    assert said.endswith("7.8 descriptors a request, limit of 1,024 in about 49 requests")


def test_what_dies_first_is_what_is_told(run):
    verdict = leak(run, dead=False, first_to_exhaust="rss_bytes")
    assert "310 KiB of memory a request" in statement(run, verdict)


def test_a_flat_run(tmp_path):
    run = load_run(write_run(tmp_path))
    verdict = clean(run)
    fds = dataclasses.replace(verdict.resources["fds"], last=52.0)
    verdict = clean(run, resources={**verdict.resources, "fds": fds})
    requests = int(run.requests["requests"].iloc[-1])
    assert statement(run, verdict) == f"flat, 52 descriptors after {requests} requests"


def test_a_run_that_cannot_be_told_is_not_called_flat(run):
    assert "cannot tell" in statement(run, clean(run, verdict="inconclusive"))


@pytest.mark.parametrize(
    ("resource", "per_request", "per_hour", "said"),
    [
        ("fds", 1.0, 3600.0, "1 descriptor a request"),
        ("fds", 0.0005, 9.0, "1 descriptor every 2,000 requests"),
        ("threads", None, 12.0, "12 threads an hour"),
        ("rss_bytes", 0.5, 1.0, "0.5 B of memory a request"),
        ("connections", 1.8, 1.0, "1.8 connections a request"),
    ],
)
def test_growth_is_told_in_its_unit(resource, per_request, per_hour, said):
    found = ResourceVerdict(resource, "leak", "", per_request=per_request, per_hour=per_hour)
    assert growth(found) == said
