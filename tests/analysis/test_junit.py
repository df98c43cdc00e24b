import dataclasses
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.rundirs import write_run
from tests.analysis.verdicts import leak
from tidemark.analysis.reports.junit import write_junit
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.baseline import ResourceChange
from tidemark.analysis.verdict.model import Interval, ResourceVerdict, Verdict
from tidemark.record.errors import UnusableRunError


@pytest.fixture(scope="module")
def verdict(tmp_path_factory):
    return leak(load_run(write_run(tmp_path_factory.mktemp("run"), strategy="per-request-leaked")))


def written(verdict, folder):
    path = folder / "junit.xml"
    write_junit(verdict, path)
    return ET.parse(path).getroot()


def test_each_resource_is_a_test(verdict, tmp_path):
    root = written(verdict, tmp_path)
    assert [case.get("name") for case in root.iter("testcase")] == list(verdict.resources)
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("4", "3", "1")
    assert root.find("testsuite").get("errors") == "0"


def test_a_leak_fails_with_its_reason_and_figures(verdict, tmp_path):
    root = written(verdict, tmp_path)
    failure = root.find(".//testcase[@name='fds']/failure")
    assert failure.get("message") == verdict.resources["fds"].reason
    assert failure.get("type") == "exhausted"
    assert "7.8 (90 %: 7.75 to 7.84)" in failure.text
    assert root.find(".//testcase[@name='connections']/failure").get("type") == "leak"


def test_what_cannot_be_told_is_skipped_with_its_reason(verdict, tmp_path):
    skipped = written(verdict, tmp_path).find(".//testcase[@name='threads']/skipped")
    assert skipped.get("message") == verdict.resources["threads"].reason


@given(name=st.text(), reason=st.text())
def test_any_text_gives_well_formed_xml(tmp_path_factory, name, reason):
    found = {"fds": ResourceVerdict("fds", "leak", reason)}
    root = written(Verdict(name, "leak", reason, found), tmp_path_factory.mktemp("any"))
    assert len(list(root.iter("testcase"))) == 1


def test_markup_is_text(verdict, tmp_path):
    hostile = dataclasses.replace(verdict, run="</testsuite><evil a=\"'&\x00]]>")
    root = written(hostile, tmp_path)
    assert root.find(".//evil") is None
    assert root.find("testsuite").get("name") == "tidemark.</testsuite><evil a=\"'&\ufffd]]>"


def test_a_file_that_cannot_be_written_is_one_clear_line(verdict, tmp_path):
    with pytest.raises(UnusableRunError, match="cannot be written") as caught:
        write_junit(verdict, tmp_path / "missing" / "junit.xml")
    assert "\n" not in str(caught.value)


def change(resource, verdict, reason):
    return ResourceChange(resource, verdict, 8.0, 7.8, 0.2, Interval(0.1, 0.3), True, reason)


def test_a_threshold_stands_in_place_of_the_verdict(verdict, tmp_path):
    path = tmp_path / "junit.xml"
    write_junit(verdict, path, thresholds={"fds": 10.0, "connections": 1.0, "threads": 3.8})
    root = ET.parse(path).getroot()
    assert root.find(".//testcase[@name='fds']/failure") is None
    assert root.find(".//testcase[@name='connections']/failure").get("type") == "threshold"
    assert root.find(".//testcase[@name='threads']/skipped") is None
    assert root.find(".//testcase[@name='rss_bytes']/failure").get("type") == "leak"


def test_what_got_worse_since_a_baseline_fails(verdict, tmp_path):
    path = tmp_path / "junit.xml"
    found = [change("fds", "worse", "faster"), change("threads", "same", "as before")]
    write_junit(verdict, path, changes=[*found, change("rss_bytes", "cannot tell", "unknown")])
    root = ET.parse(path).getroot()
    assert root.get("tests") == "7"
    failure = root.find(".//testcase[@name='fds since the baseline']/failure")
    assert (failure.get("type"), failure.get("message")) == ("worse", "faster")
    assert root.find(".//testcase[@name='threads since the baseline']/failure") is None
    assert root.find(".//testcase[@name='rss_bytes since the baseline']/skipped") is not None
