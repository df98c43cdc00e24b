"""What a run amounts to: the severity of each finding, and the exit code that follows."""

import dataclasses

import numpy as np
import pytest

from tests.analysis.made import make_run, steady, ticks
from tests.analysis.rundirs import write_run
from tests.analysis.verdicts import clean, leak
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import Kind, Severity, assess, weigh
from tidemark.analysis.verdict.model import Interval, Messages, ResourceVerdict


@pytest.fixture(scope="module")
def run():
    at = ticks(60.0)
    return make_run(at, np.full(len(at), 30.0), requests=steady(at))


def resource(name, verdict, *, growth=None, limit=None):
    interval = None if growth is None else Interval(growth * 0.9, growth * 1.1)
    return ResourceVerdict(name, verdict, f"{name} is {verdict}", growth, interval, limit=limit)


def weighed(run, thresholds=None, **resources):
    found = clean(run, resources=resources)
    doubts = [one.verdict for one in resources.values()]
    worst = "leak" if "leak" in doubts else doubts[0]
    return weigh(run, dataclasses.replace(found, verdict=worst), thresholds)


def found(assessment, kind):
    return [finding for finding in assessment.findings if finding.kind is kind]


def test_a_clean_run_passes(run):
    assessment = weighed(run, fds=resource("fds", "clean"))
    assert (assessment.exit_code, assessment.result) == (0, "clean")
    assert [finding.severity for finding in assessment.findings] == [Severity.PASS]


def test_a_leak_fails_and_is_named(run):
    assessment = weighed(run, fds=resource("fds", "clean"), threads=resource("threads", "leak"))
    assert (assessment.exit_code, assessment.result) == (1, "leak")
    assert assessment.because == "Threads is leak"


@pytest.mark.parametrize(
    ("name", "limit", "code"),
    [
        ("fds", None, 3),
        ("fds", 1024.0, 3),
        ("threads", 15_000.0, 3),
        ("threads", None, 0),
        ("connections", None, 0),
    ],
)
def test_a_doubt_counts_where_there_is_a_limit_to_run_into(run, name, limit, code):
    assessment = weighed(run, **{name: resource(name, "inconclusive", limit=limit)})
    assert assessment.exit_code == code
    (doubt,) = found(assessment, Kind.CANNOT_TELL)
    assert doubt.severity is (Severity.UNKNOWN if code else Severity.DOUBT)


def test_the_gravest_finding_decides_whatever_the_order(run):
    leaking, unsure = resource("fds", "leak"), resource("threads", "inconclusive", limit=1.0)
    assert weighed(run, fds=leaking, threads=unsure).exit_code == 1
    assert weighed(run, threads=unsure, fds=leaking).exit_code == 1
    assert weighed(run, threads=unsure, connections=resource("connections", "clean")).exit_code == 3


@pytest.mark.parametrize(
    ("growth", "allowed", "code", "severity"),
    [
        (0.5, 1.0, 0, Severity.PASS),
        (1.05, 1.0, 3, Severity.UNKNOWN),
        (2.0, 1.0, 1, Severity.FAIL),
        (None, 1.0, 3, Severity.UNKNOWN),
    ],
)
def test_a_threshold_stands_in_place_of_the_verdict(run, growth, allowed, code, severity):
    leaking = resource("fds", "leak", growth=growth)
    assessment = weighed(run, {"fds": allowed}, fds=leaking)
    assert assessment.exit_code == code
    assert [finding.kind for finding in assessment.findings] == [Kind.THRESHOLD]
    assert assessment.findings[0].severity is severity
    assert assessment.findings[0].evidence["allowed_per_request"] == allowed


def test_a_leak_within_its_threshold_is_a_pass_and_not_called_clean(run):
    assessment = weighed(run, {"fds": 1.0}, fds=resource("fds", "leak", growth=0.5))
    assert assessment.result == "pass"
    assert "within the threshold of 1 descriptor a request" in assessment.because


def test_what_ran_out_fails_whatever_growth_is_allowed(tmp_path):
    run = load_run(write_run(tmp_path, strategy="per-request-leaked"))
    allowed = dict.fromkeys(("fds", "connections", "threads", "rss_bytes"), 1000000000.0)
    assessment = weigh(run, leak(run), allowed)
    assert (assessment.exit_code, assessment.result) == (1, "exhausted")
    (dead,) = found(assessment, Kind.EXHAUSTED)
    assert dead.subject == "fds"


def test_growth_that_got_worse_since_a_baseline_fails():
    at = ticks()
    now = make_run(at, 30 + np.floor(0.05 * steady(at)), requests=steady(at))
    then = make_run(at, np.full(len(at), 30.0), requests=steady(at))
    worse = assess(now, baseline=then, thresholds={"fds": 1.0})
    assert (worse.exit_code, worse.regressed, worse.result) == (1, True, "regression")
    same = assess(then, baseline=then)
    assert (same.exit_code, same.regressed) == (0, False)
    assert len(found(same, Kind.REGRESSION)) == 4


def test_lost_messages_are_told_and_do_not_decide(run):
    verdict = clean(run, messages=Messages(accepted=10, lost=3))
    assessment = weigh(run, verdict)
    (lost,) = found(assessment, Kind.LOSS)
    assert "3 never reached a broker" in lost.reason
    assert lost.severity is Severity.NOTE
    assert assessment.exit_code == 0
