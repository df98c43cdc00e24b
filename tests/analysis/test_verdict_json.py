import json

import numpy as np
import pytest

from tests.analysis.made import make_run, steady, ticks
from tests.analysis.rundirs import write_run
from tests.analysis.verdicts import leak
from tidemark.analysis.reports import verdict_json
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import assess, weigh
from tidemark.record.metrics import RESOURCES

SINCE_THE_FIRST_VERSION = {
    "verdict",
    "reason",
    "per_request",
    "per_request_interval",
    "per_hour",
    "baseline",
    "last",
    "limit",
    "requests_to_limit",
    "exhaustion_elapsed_s",
    "exhaustion_interval_s",
}


@pytest.fixture
def told():
    at = ticks()
    run = make_run(at, 30 + np.floor(0.02 * steady(at)), requests=steady(at))
    return verdict_json.content(assess(run))


def test_fields_are_added_and_never_taken_away(told):
    assert told["format"] == 1
    assert list(told["resources"]) == list(RESOURCES)
    assert all(found.keys() >= SINCE_THE_FIRST_VERSION for found in told["resources"].values())
    first = {"format", "run", "verdict", "reason", "resources", "first_to_exhaust", "exhausted"}
    assert told.keys() >= first | {"messages"}
    assert set(told["messages"]) == {"accepted", "delivered", "lost", "duplicated", "undecided"}


def test_it_says_what_the_run_amounts_to(told):
    assert (told["verdict"], told["result"], told["exit_code"]) == ("leak", "leak", 1)
    found = {finding["subject"]: finding for finding in told["findings"]}
    assert found["fds"]["kind"] == "leak"
    assert found["fds"]["severity"] == "fail"
    assert found["fds"]["evidence"]["per_request"] == pytest.approx(0.02, rel=0.05)
    assert found["threads"]["kind"] == "clean"
    assert told["resources"]["fds"]["scope"] == "process 10"
    assert told["resources"]["fds"]["forecast_check"]["subject"] == "level"


def test_ports_warnings_and_what_is_used_up_are_there(tmp_path):
    run = load_run(write_run(tmp_path, strategy="per-request-leaked"))
    told = verdict_json.content(weigh(run, leak(run, warnings=("careful",))))
    assert told["warnings"] == ["careful"]
    assert told["local_ports"][0]["endpoint"] == "127.0.0.1:40001"
    assert told["used"]["cpu_s"] > 0
    assert told["exhausted"]["requests"] == 129


def test_what_is_infinite_or_undefined_is_null():
    assert verdict_json.plain({"a": float("inf"), "b": [float("nan"), 1.5]}) == {
        "a": None,
        "b": [None, 1.5],
    }


def test_the_text_is_json(tmp_path):
    run = load_run(write_run(tmp_path))
    text = verdict_json.render(weigh(run, leak(run)))
    assert json.loads(text)["run"] == run.name
    assert text.endswith("\n")
