"""A verdict with nothing behind it: what is recorded decides, whether or not an event tells."""

import dataclasses
import io
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from tests.analysis.rundirs import write_run
from tests.analysis.verdicts import clean
from tidemark.analysis.reports import junit, markdown, terminal, verdict_json
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import assess, comparison_exit_code, weigh
from tidemark.analysis.verdict.findings import Kind, Severity
from tidemark.record.errors import UnusableRunError

LOAD_S = 37.5
"""How long the load of the runs below lasts: 300 requests at 8 a second."""


def rewritten(path, name, change):
    """Change a table of a run."""
    table = pd.read_csv(path / name)
    change(table).to_csv(path / name, index=False)
    return path


def told(path, *events):
    """Add events to a run: their time, their name and their fields."""
    lines = [
        json.dumps({"time_s": 1.79e9 + at, "elapsed_s": at, "event": name, **fields})
        for at, name, fields in events
    ]
    with (path / "events.jsonl").open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return path


def ended(path, **changes):
    """Change run.json; `load` is added to."""
    document = json.loads((path / "run.json").read_text())
    changes["load"] = document["load"] | changes.get("load", {})
    (path / "run.json").write_text(json.dumps(document | changes))
    return path


def failing(path, share=1.0):
    def change(table):
        failures = np.floor(table["requests"] * share).astype(int)
        return table.assign(failures=failures, messages_accepted=0)

    return rewritten(path, "requests.csv", change)


def sampled(path, keep):
    return rewritten(path, "samples.csv", lambda table: table[keep(table)])


def no_fds(table):
    return table.assign(fds=table["fds"] * 0, rss_bytes=table["rss_bytes"] * 0)


def killed(at, **how):
    return at, "target_exited", {"pid": 100, "process": "gunicorn", **how}


UNTESTED = {
    "all failed": failing,
    "most failed": lambda path: failing(path, 0.6),
    "no load": lambda path: rewritten(
        path, "requests.csv", lambda table: table.assign(requests=0, failures=0)
    ),
    "no row of requests": lambda path: rewritten(path, "requests.csv", lambda table: table[:0]),
    "no descriptor": lambda path: rewritten(path, "samples.csv", no_fds),
    "samples cut short": lambda path: sampled(path, lambda table: table["elapsed_s"] < 5),
    "a single tick": lambda path: sampled(path, lambda table: table["elapsed_s"] < 0.1),
    "samples begin late": lambda path: sampled(path, lambda table: table["elapsed_s"] > 30),
    "requests shifted": lambda path: rewritten(
        path, "requests.csv", lambda table: table.assign(elapsed_s=table["elapsed_s"] + 35)
    ),
    "requests cut short": lambda path: ended(
        rewritten(path, "requests.csv", lambda table: table[table["elapsed_s"] < 6]),
        load={"run_time_s": LOAD_S},
    ),
}
UNTOLD = {
    "never ended": lambda path: ended(path, ended_at=None, outcome=None),
    "aborted": lambda path: ended(path, outcome="aborted", load={"run_time_s": 60}),
    "sampler lost": lambda path: told(path, (30.0, "sampler_lost", {"reason": "killed"})),
    "samples end early": lambda path: sampled(path, lambda table: table["elapsed_s"] < 30),
    "broker died": lambda path: told(
        path, (30.0, "broker_down", {"broker": "b:1", "action": "died", "reason": "SIGKILL"})
    ),
    "disk full": lambda path: told(
        path, (9.0, "disk_full", {}), (9.5, "disk_has_room", {}), (30.0, "disk_full", {})
    ),
}
KINDS = {
    "never ended": Kind.CUT_OFF,
    "aborted": Kind.CUT_OFF,
    "sampler lost": Kind.NOT_SAMPLED,
    "samples end early": Kind.NOT_SAMPLED,
    "broker died": Kind.BROKER_LOST,
    "disk full": Kind.NOT_SAMPLED,
}
DEAD = {
    "told by its signal": lambda path: told(path, killed(30.0), killed(30.1, signal="SIGKILL")),
    "told by its code": lambda path: told(path, killed(30.0, exit_code=1)),
    "told by the outcome": lambda path: ended(
        path, outcome="died", ended_because="the target was killed by SIGKILL after 30 s"
    ),
    "not there any more": lambda path: sampled(
        path, lambda table: (table["elapsed_s"] < 30) | (table["pid"] == 0)
    ),
    "its root gone": lambda path: sampled(
        path, lambda table: (table["elapsed_s"] < 30) | (table["pid"] != 100)
    ),
}


@pytest.mark.parametrize(
    ("target", "is_said"),
    [
        ({"broker_kind": "mock", "command": "./ingest"}, True),
        ({"broker_kind": "kafka", "command": "./ingest"}, False),
        ({"broker_kind": "mock", "command": "python -m tidemark.targets.serve"}, False),
        ({"command": "./ingest"}, False),
    ],
)
def test_where_nothing_is_answered_the_mock_brokers_are_doubted(tmp_path, target, is_said):
    path = ended(failing(write_run(tmp_path, strategy="shared")), target=target)
    found = assess(load_run(path)).leading
    assert found.kind is Kind.NOT_A_TEST
    assert ("--broker kafka" in found.remedy) is is_said


@pytest.mark.parametrize(("share", "is_said"), [(0.4, True), (0.1, True), (0.03, False)])
def test_requests_that_failed_are_said_beside_a_verdict(tmp_path, share, is_said):
    run = load_run(failing(write_run(tmp_path, strategy="shared"), share))
    told_of = [one for one in assess(run).verdict.warnings if "was not tested" in one]
    assert bool(told_of) is is_said
    if is_said:
        assert re.match(r"\d+ of \d+ requests failed: what they leave behind", told_of[0])


def outputs(assessment):
    """The same answer in each: terminal, JUnit, Markdown, verdict.json."""
    console = Console(width=400, file=io.StringIO())
    terminal.print_check(console, assessment)
    return (
        console.file.getvalue(),
        ET.fromstring(junit.render(assessment)),
        markdown.render(assessment),
        json.loads(verdict_json.render(assessment)),
    )


def of_kind(assessment, kind):
    return [one for one in assessment.findings if one.kind is kind]


@pytest.mark.parametrize("how", UNTESTED)
@pytest.mark.parametrize("thresholds", [None, {"threads": 1.0}])
def test_what_tested_nothing_is_no_test(tmp_path, how, thresholds):
    run = load_run(UNTESTED[how](write_run(tmp_path)))
    assessment = assess(run, thresholds=thresholds)
    assert (assessment.result, assessment.exit_code) == ("not a test", 3)
    assert "clean" not in {assessment.verdict.verdict, assessment.result}
    assert not [one for one in assessment.verdict.resources.values() if one.verdict == "clean"]


def test_it_says_how_many_failed(tmp_path):
    run = load_run(failing(write_run(tmp_path)))
    requests = int(run.requests["requests"].iloc[-1])
    said, tests, text, content = outputs(assess(run))
    sentence = f"{requests} of {requests} requests failed"
    assert said.startswith(f"not a test: {sentence}\n")
    assert said.count(sentence) == 1
    assert tests.find(".//testcase[@name='requests not a test']/error").get("message") == sentence
    assert (tests.get("failures"), tests.get("errors")) == ("0", "1")
    assert f"### shared: not a test\n\n{sentence}" in text
    assert (content["verdict"], content["result"]) == ("inconclusive", "not a test")
    assert content["reason"] == sentence
    assert "clean" not in json.dumps(content) + said + text


def test_a_leak_rests_on_answers(tmp_path):
    leaking = write_run(tmp_path, strategy="per-request-leaked", fds_limit=100_000)
    assert assess(load_run(leaking)).exit_code == 1
    assert assess(load_run(failing(leaking))).result == "not a test"


@pytest.mark.parametrize("spoil", [lambda path: failing(path, 0.6), UNTOLD["broker died"]])
def test_a_sure_leak_of_what_answered_stays_one(tmp_path, spoil):
    leaking = write_run(tmp_path, strategy="per-request-leaked", fds_limit=100_000)
    assessment = assess(load_run(spoil(leaking)))
    assert (assessment.result, assessment.exit_code) == ("leak", 1)
    assert [one for one in assessment.findings if one.severity is Severity.UNKNOWN]


def test_what_fails_after_the_end_of_descriptors_does_not_count(tmp_path):
    run = load_run(write_run(tmp_path, strategy="per-request-leaked", plateau_s=60.0))
    last = run.requests.iloc[-1]
    assert last["failures"] > last["requests"] / 2
    assessment = assess(run)
    assert (assessment.result, assessment.exit_code) == ("exhausted", 1)
    assert not of_kind(assessment, Kind.NOT_A_TEST)


def test_what_fails_in_a_fault_does_not_count(tmp_path):
    def outage(table):
        lost = np.interp(table["elapsed_s"], [5, 33], [0, 220]).astype(int)
        return table.assign(failures=lost, requests=np.maximum(table["requests"], lost))

    path = rewritten(write_run(tmp_path), "requests.csv", outage)
    assert assess(load_run(path)).result == "not a test"
    fault = {"fault": "outage@5+28", "kind": "outage"}
    told(path, (5.0, "fault_started", fault), (33.0, "fault_ended", fault))
    assert not of_kind(assess(load_run(path)), Kind.NOT_A_TEST)


@pytest.mark.parametrize("how", UNTOLD)
def test_what_was_not_seen_to_the_end_cannot_be_told(tmp_path, how):
    run = load_run(UNTOLD[how](write_run(tmp_path)))
    assessment = assess(run)
    assert (assessment.result, assessment.exit_code) == ("cannot tell", 3)
    assert assessment.leading.kind is KINDS[how]
    said, tests, _, content = outputs(assessment)
    assert said.startswith(f"cannot tell: {assessment.leading.reason}\n")
    assert tests.get("errors") == "1"
    assert (content["verdict"], content["exit_code"]) == ("inconclusive", 3)


@pytest.mark.parametrize("how", DEAD)
@pytest.mark.parametrize("allowed", [None, 9e9])
def test_a_death_is_one_answer_everywhere(tmp_path, how, allowed):
    names = ("fds", "connections", "threads", "rss_bytes")
    thresholds = None if allowed is None else dict.fromkeys(names, allowed)
    run = load_run(DEAD[how](write_run(tmp_path)))
    assessment = assess(run, thresholds=thresholds)
    assert (assessment.result, assessment.exit_code) == ("died", 1)
    (death,) = of_kind(assessment, Kind.DIED)
    assert re.search("after (30|30.1|29.8) s$", death.reason)
    said, tests, text, content = outputs(assessment)
    assert said.startswith(f"died: {death.reason}\n")
    assert tests.find(".//testcase[@name='target died']/failure") is not None
    assert tests.get("failures") == "1"
    assert "### shared: DIED" in text
    assert (content["verdict"], content["result"]) == ("inconclusive", "died")


def test_how_it_died_is_said(tmp_path):
    dead = [load_run(DEAD[how](write_run(tmp_path / how))) for how in list(DEAD)[:3]]
    assert [assess(run).because for run in dead] == [
        "the target was killed by SIGKILL after 30.1 s",
        "the target exited with code 1 after 30 s",
        "the target was killed by SIGKILL after 30 s",
    ]


@pytest.mark.parametrize(
    "later",
    [(30.5, "target_restarted", {"pid": 300}), (29.9, "worker_killed", {"pid": 100})],
)
def test_what_came_back_or_was_asked_for_is_no_death(tmp_path, later):
    path = told(write_run(tmp_path), killed(30.0), later)
    assert not of_kind(assess(load_run(path)), Kind.DIED)


def test_an_end_after_the_load_is_no_death(tmp_path):
    assert assess(load_run(told(write_run(tmp_path), killed(LOAD_S + 5)))).exit_code == 0


def test_descriptors_that_ran_out_unseen_fail(tmp_path):
    assessment = assess(load_run(ended(write_run(tmp_path), outcome="exhausted")))
    assert (assessment.result, assessment.exit_code) == ("exhausted", 1)
    assert assessment.verdict.verdict != "clean"


def test_a_run_that_was_to_go_on_is_judged_on_what_it_recorded(tmp_path):
    stopped = write_run(tmp_path / "long", outcome="aborted")
    assert assess(load_run(stopped)).exit_code == 0
    short = write_run(tmp_path / "short", outcome="aborted", requests=24)
    assert assess(load_run(short)).leading.kind is Kind.CUT_OFF
    assert assess(load_run(ended(stopped, load={"run_time_s": LOAD_S}))).exit_code == 0


def test_what_is_only_watched_is_judged_per_hour(tmp_path):
    path = write_run(tmp_path, with_requests=False, outcome=None)
    assessment = assess(load_run(path))
    assert assessment.exit_code == 0
    assert assessment.verdict.resources["fds"].per_request is None
    assert assess(load_run(rewritten(path, "samples.csv", no_fds))).result == "not a test"


@pytest.mark.parametrize("gap", [None, (10.0, 13.0), (5.0, 20.0)])
def test_a_gap_that_leaves_enough_is_borne(tmp_path, gap):
    run = load_run(write_run(tmp_path, gap=gap))
    assert assess(run).exit_code == 0


@pytest.mark.parametrize(("source", "code"), [("netlink", 3), ("agent", 0)])
def test_no_run_is_clean_whose_sampler_died(tmp_path, source, code):
    """What goes on with an agent's recording has missed nothing, unlike another sampler."""
    path = write_run(tmp_path, gap=(10.0, 13.0))
    started = (13.0, "sampler_started", {"source": source})
    told(path, (10.0, "sampler_lost", {"reason": "killed"}), started)
    assessment = assess(load_run(path))
    assert assessment.exit_code == code
    if code:
        reason = "the sampler was lost after 10 s of 37.4 s of load (killed), and started again"
        assert assessment.leading.reason == reason


def test_a_broker_that_was_taken_down_on_purpose_is_not_lost(tmp_path):
    path = told(write_run(tmp_path), (30.0, "broker_down", {"action": "kill"}))
    assert not of_kind(assess(load_run(path)), Kind.BROKER_LOST)


def test_a_process_that_is_not_confirmed_is_warned_of_once(tmp_path):
    path = told(write_run(tmp_path), (0.0, "target_unconfirmed", {"pid": 100, "reason": "no ss"}))
    assessment = assess(load_run(path))
    (warning,) = [text for text in assessment.verdict.warnings if "confirmed" in text]
    assert warning.endswith("the one that answers: no ss")
    assert f"warning     {warning}" in outputs(assessment)[0]


# -- another run beside it -------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path):
    return [
        load_run(write_run(tmp_path / "a")),
        load_run(write_run(tmp_path / "b", rate=50.0, requests=1900)),
    ]


def test_a_baseline_of_another_load_is_not_the_same(pair):
    assessment = assess(pair[1], baseline=pair[0])
    assert (assessment.result, assessment.exit_code) == ("cannot tell", 3)
    assert "request rate: 8.0 and 50.0" in assessment.because
    assert {change.change for change in assessment.changes} == {"cannot tell"}
    said, tests, text, _ = outputs(assessment)
    assert "before" in said
    assert not re.search("same$", said, re.MULTILINE)
    assert "--baseline-anyway" in said
    assert tests.find(".//testcase[@name='baseline unlike']/error") is not None
    assert "| Resource | Before | Now | Per | Change |" in text


def test_it_is_compared_with_all_the_same_when_that_is_asked_for(pair):
    assessment = assess(pair[1], baseline=pair[0], baseline_anyway=True)
    assert assessment.exit_code == 0
    assert {change.change for change in assessment.changes} == {"same"}
    assert any("request rate: 8.0 and 50.0" in text for text in assessment.verdict.warnings)


def test_another_strategy_is_another_service(tmp_path):
    shared, pooled = (load_run(write_run(tmp_path, strategy=n)) for n in ("shared", "pooled"))
    assert "strategy: shared and pooled" in assess(pooled, baseline=shared).because


def test_newer_libraries_are_what_a_baseline_is_for(tmp_path):
    run, old = (load_run(write_run(tmp_path / name, kernel=name)) for name in ("7.0", "6.0"))
    assessment = assess(run, baseline=old)
    assert assessment.exit_code == 0
    assert "kernel: 6.0 and 7.0" in assessment.verdict.warnings[-1]


def test_what_was_no_test_is_no_baseline_and_no_control(tmp_path):
    run, void = load_run(write_run(tmp_path / "a")), load_run(failing(write_run(tmp_path / "b")))
    assert "requests failed" in assess(run, baseline=void, baseline_anyway=True).because
    assert "the control run is left out" in assess(run, control=void).verdict.warnings[0]


# -- what has no limit -----------------------------------------------------------------------------


def test_what_cannot_be_told_is_named_beside_what_is_clean(tmp_path):
    run = load_run(write_run(tmp_path))
    verdict = clean(run)
    resources = dict(verdict.resources)
    memory = dataclasses.replace(resources["rss_bytes"], verdict="inconclusive", limit=None)
    resources["rss_bytes"] = memory
    assessment = weigh(run, dataclasses.replace(verdict, resources=resources))
    said, _, text, content = outputs(assessment)
    named = "clean but for resident memory, which cannot be told"
    assert assessment.exit_code == 0
    assert said.startswith(named)
    assert f"### shared: {named}" in text
    assert assessment.headline.endswith("but for resident memory, which cannot be told")
    assert "but for resident memory" in content["headline"]
    assert "but for resident memory" in content["reason"]


# -- several of them -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (lambda path: path, 0),
        (UNTESTED["all failed"], 3),
        (UNTOLD["sampler lost"], 3),
        (DEAD["told by its code"], 1),
    ],
)
def test_a_comparison_fails_by_what_no_verdict_rests_on(tmp_path, how, code):
    """A leak and the death of it are what a comparison is there to show."""
    dead = load_run(write_run(tmp_path, strategy="per-request-leaked"))
    run = load_run(how(write_run(tmp_path)))
    assert comparison_exit_code([assess(dead), assess(run)]) == code


# -- whatever is recorded --------------------------------------------------------------------------


@st.composite
def spoilt(draw):
    """How a run is spoilt, in up to three ways."""
    ways = {**UNTESTED, **UNTOLD, **DEAD}
    names = draw(st.lists(st.sampled_from(sorted(ways)), min_size=1, max_size=3, unique=True))
    return draw(st.sampled_from(["shared", "pooled", "per-request-leaked"])), names, ways


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(spoilt())
def test_no_run_passes_without_an_answer_or_a_living_process(tmp_path_factory, drawn):
    strategy, names, ways = drawn
    path = write_run(tmp_path_factory.mktemp("spoilt"), strategy=strategy)
    for name in names:
        path = ways[name](path)
    try:
        run = load_run(path)
        assessment = assess(run, thresholds=dict.fromkeys(("fds", "threads"), 1e9))
    except UnusableRunError:
        return
    assert assessment.exit_code != 0
    assert assessment.verdict.verdict != "clean"
    _, tests, text, content = outputs(assessment)
    assert int(tests.get("failures")) > 0 or assessment.exit_code == 3
    assert content["exit_code"] == assessment.exit_code
    assert assessment.result.lower() in text.lower()
