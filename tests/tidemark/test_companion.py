"""The companion of a run: what it says, to whom, how often, and that it is there."""

import json
import os
import signal
import urllib.error
import urllib.request

import psutil
import pytest

from tests.analysis.rundirs import write_run
from tests.eventually import eventually
from tidemark.run import companion as module
from tidemark.run.children import Nursery
from tidemark.run.companion import Companion

SLOW_S = 90.0


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("companion"), strategy="per-request-leaked")


@pytest.fixture
def started(path, monkeypatch):
    """Starts companions, and ends them."""
    nursery, found = Nursery(), []
    monkeypatch.setattr(module, "NURSERY", nursery)

    def start(where=path, **given):
        found.append(Companion(where, **given))
        found[-1].start()
        return found[-1]

    yield start
    for one in found:
        one.stop()
    nursery.close()


def asked(address, path="live.json", token=None):
    request = urllib.request.Request(address.url + path)
    request.add_header("X-Tidemark-Token", address.token if token is None else token)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def process_of(companion):
    return eventually(lambda: companion._process, "that it is started")


def test_it_is_asked_with_the_token_and_judges_for_who_looks(started):
    companion = started()
    address = companion.address(SLOW_S)
    assert address.url.startswith("http://127.0.0.1:")
    assert b"uPlot" in asked(address, "page/live.css") + asked(address, "")
    for token in ("", "x", address.token[:-1]):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            asked(address, token=token)
    eventually(
        lambda: json.loads(asked(address))["facts"]["is_final"], "the verdict", timeout_s=SLOW_S
    )
    assert companion.facts is None, "nobody wanted to be told"
    assert psutil.Process(process_of(companion).pid).nice() >= 10


def test_it_says_what_it_knows_and_judges_nothing_that_nobody_wants(started):
    plain, judging = started(facts_every_s=0.2), started(facts_every_s=0.2, judge_every_s=60.0)
    eventually(lambda: judging.facts and judging.facts["is_final"], "the verdict", SLOW_S)
    assert judging.facts["verdict"] == "exhausted"
    eventually(lambda: plain.facts and plain.facts["levels"], "the levels", SLOW_S)
    assert plain.facts["levels"]["target"]["fds_limit"] == 1024
    assert plain.facts["verdict"] == "no verdict yet"


@pytest.mark.long
def test_one_that_is_killed_is_started_again_and_that_is_said_once(started, monkeypatch, capsys):
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    companion = started(facts_every_s=0.2)
    first = companion.address(SLOW_S)
    for _ in range(2):
        process = companion._process
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda process=process: companion._process is not process, "another one")
        eventually(lambda: companion.address(1.0), "that it listens", SLOW_S)
    assert companion.address(0.0).token != first.token
    assert capsys.readouterr().err.count("\n") == 1
    companion.stop()
    assert not psutil.pid_exists(companion._process.pid)
    assert not companion.is_given_up


@pytest.mark.long
def test_one_that_cannot_work_is_given_up_and_says_why(started, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    monkeypatch.setattr(module, "MOST_STARTS", 2)
    companion = started(tmp_path)
    assert companion.address(SLOW_S) is None
    eventually(lambda: companion.is_given_up, "that it is given up", SLOW_S)
    first, second = capsys.readouterr().err.splitlines()
    assert "run.json" in first
    assert first.endswith("is started again; it goes on")
    assert second.endswith("there is no live view any more")


def test_no_other_is_started_when_all_are_ended(started, capsys):
    companion = started()
    assert companion.address(SLOW_S)
    module.NURSERY.close()
    eventually(lambda: companion.is_given_up, "that it is given up")
    assert capsys.readouterr().err == ""


def test_one_that_is_stopped_before_it_is_up_leaves_nothing(started):
    companion = started()
    process = process_of(companion)
    companion.stop()
    assert companion.address(0.0) is None
    assert process.returncode is not None


@pytest.mark.long
def test_one_that_was_stopped_can_be_started_again(started):
    companion = started()
    first = companion.address(SLOW_S)
    companion.stop()
    assert companion.address(0.0) is None
    companion.start()
    assert companion.address(SLOW_S).token != first.token
