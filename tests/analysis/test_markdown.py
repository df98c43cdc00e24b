import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.rundirs import write_run
from tests.analysis.verdicts import clean_assessment, leak, leak_assessment
from tidemark.analysis.reports.markdown import escape, render
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import weigh
from tidemark.analysis.verdict.baseline import ResourceChange
from tidemark.analysis.verdict.findings import Finding, Kind, Severity
from tidemark.analysis.verdict.model import Interval, ResourceVerdict, Verdict
from tidemark.record.metadata import COMPLETED


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(write_run(tmp_path_factory.mktemp("run"), strategy="per-request-leaked"))


def tables(text):
    """Return the rows of all tables, each as its cells."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]


def test_a_verdict_is_a_heading_a_reason_and_a_table(run):
    text = render(leak_assessment(run))
    assert "### per-request-leaked: EXHAUSTED" in text
    assert "File descriptors: Descriptors grow by 7.8 a request" in text
    rows = tables(text)
    assert len(rows) == 2 + 4
    assert rows[2][0].strip() == "File descriptors"
    assert rows[2][2].strip() == "7.8 (7.75 to 7.84)"
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("File descriptors: level at 9", "File descriptors: level at 9"),
        ("file descriptors: growth of 0.1", "file descriptors: growth of 0.1"),
        ("level at 9", "File descriptors: level at 9"),
        ("", "File descriptors: "),
    ],
)
def test_a_finding_names_its_resource_once(reason, said):
    finding = Finding(Kind.THRESHOLD, "fds", Severity.PASS, reason)
    assert finding.statement == said


def test_a_bullet_names_its_resource_once(run):
    text = render(clean_assessment(run))
    bullets = [line for line in text.splitlines() if line.startswith("- ")]
    assert bullets
    assert not [line for line in bullets if re.search(r"([A-Z][\w ]+): \1:", line, re.IGNORECASE)]


def test_several_verdicts_begin_with_an_overview(run):
    alive = dataclasses.replace(run, metadata=dataclasses.replace(run.metadata, outcome=COMPLETED))
    text = render([leak_assessment(run), clean_assessment(alive, run="other")], title="Two runs")
    assert text.startswith("## Two runs\n")
    assert [cell.strip() for cell in tables(text)[2][:2]] == ["per-request-leaked", "EXHAUSTED"]
    assert [cell.strip() for cell in tables(text)[3][:2]] == ["other", "clean"]


def test_warnings_are_quoted(run):
    assert "> Only 3 samples\\_" in render(clean_assessment(run, warnings=("Only 3 samples_",)))


@given(st.text())
def test_no_text_breaks_a_table_or_becomes_markup(run, text):
    found = {"fds": ResourceVerdict("fds", "leak", text)}
    verdict = Verdict(text, "leak", text, found)
    other = dataclasses.replace(verdict, run="x")
    rows = tables(render([weigh(run, verdict), weigh(run, other)]))
    assert {len(row) for row in rows} == {3, 9}


def test_markup_is_escaped():
    assert escape("a|b\n<script>`x`*y*[z](u)") == ("a\\|b &lt;script&gt;\\`x\\`\\*y\\*\\[z\\](u)")


def test_thresholds_and_changes_are_told(run):
    changes = [ResourceChange("fds", "worse", 8, 7, 1, Interval(0.5, 1.5), True, "fds: a|b")]
    thresholds = {"fds": 0.01, "connections": 99.0}
    text = render(weigh(run, leak(run), thresholds, changes))
    assert "above the threshold of 0.01 descriptors a request" in text
    assert "within the threshold of 99 connections a request" in text
    assert "| File descriptors | 7 | 8 | request | **WORSE** |" in text
    assert "- **regression**, File descriptors: worse: fds: a\\|b" in text
