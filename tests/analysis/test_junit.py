import dataclasses
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.rundirs import write_run
from tests.analysis.verdicts import leak
from tidemark.analysis.reports import junit
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import weigh
from tidemark.analysis.verdict.baseline import ResourceChange
from tidemark.analysis.verdict.model import Interval, ResourceVerdict, Verdict


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(write_run(tmp_path_factory.mktemp("run"), strategy="per-request-leaked"))


@pytest.fixture(scope="module")
def verdict(run):
    return leak(run)


def written(run, verdict, **how):
    return ET.fromstring(junit.render(weigh(run, verdict, **how)))


def test_each_resource_is_a_test(run, verdict):
    root = written(run, verdict)
    names = [case.get("name").split()[0] for case in root.iter("testcase")]
    assert names == list(verdict.resources)
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("4", "3", "1")
    assert root.find("testsuite").get("errors") == "0"


def test_a_leak_fails_with_its_reason_and_figures(run, verdict):
    root = written(run, verdict)
    failure = root.find(".//testcase[@name='fds exhausted']/failure")
    assert failure.get("message") == f"File descriptors: {verdict.resources['fds'].reason}"
    assert failure.get("type") == "exhausted"
    assert "per request: 7.8\nper request low: 7.75\nper request high: 7.84" in failure.text
    assert root.find(".//testcase[@name='connections']/failure").get("type") == "leak"


def test_what_cannot_be_told_is_skipped_with_its_reason(run, verdict):
    skipped = written(run, verdict).find(".//testcase[@name='threads']/skipped")
    assert skipped.get("message").lower() == verdict.resources["threads"].reason


@given(name=st.text(), reason=st.text())
def test_any_text_gives_well_formed_xml(run, name, reason):
    found = {"fds": ResourceVerdict("fds", "leak", reason)}
    root = written(run, Verdict(name, "leak", reason, found))
    assert len(list(root.iter("testcase"))) == 2, "what ran out has one of its own"


def test_markup_is_text(run, verdict):
    hostile = dataclasses.replace(verdict, run="</testsuite><evil a=\"'&\x00]]>")
    root = written(run, hostile)
    assert root.find(".//evil") is None
    assert root.find("testsuite").get("name") == "tidemark.</testsuite><evil a=\"'&\ufffd]]>"


def change(resource, verdict, reason):
    return ResourceChange(resource, verdict, 8.0, 7.8, 0.2, Interval(0.1, 0.3), True, reason)


def test_a_threshold_stands_in_place_of_the_verdict(run, verdict):
    alive = dataclasses.replace(verdict, exhausted=None)
    root = written(run, alive, thresholds={"fds": 10.0, "connections": 1.0, "threads": 4.0})
    within = ".//testcase[@name='{} within its threshold']/{}"
    assert root.find(within.format("fds", "failure")) is None
    failure = root.find(within.format("connections", "failure"))
    assert failure.get("type") == "threshold"
    assert root.find(within.format("threads", "system-out")) is not None
    assert root.find(".//testcase[@name='fds']") is None
    assert root.find(".//testcase[@name='rss_bytes']/failure").get("type") == "leak"


def test_what_ran_out_fails_whatever_growth_is_allowed(run, verdict):
    root = written(run, verdict, thresholds={"fds": 10.0})
    assert root.find(".//testcase[@name='fds exhausted']/failure") is not None


def test_what_got_worse_since_a_baseline_fails(run, verdict):
    found = [change("fds", "worse", "faster"), change("threads", "same", "as before")]
    root = written(run, verdict, changes=[*found, change("rss_bytes", "cannot tell", "unknown")])
    assert root.get("tests") == "7"
    failure = root.find(".//testcase[@name='fds since the baseline']/failure")
    assert (failure.get("type"), failure.get("message")) == ("regression", "worse: faster")
    assert root.find(".//testcase[@name='threads since the baseline']/failure") is None
    assert root.find(".//testcase[@name='rss_bytes since the baseline']/skipped") is not None
