import base64
import dataclasses
import json
import re
from html.parser import HTMLParser

import pytest

from tests.analysis.rundirs import write_comparison, write_run
from tests.analysis.verdicts import clean, leak
from tidemark.analysis.reports.html import render, render_comparison
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import Finding, Kind, Severity, weigh
from tidemark.analysis.verdict.baseline import compare_verdicts
from tidemark.analysis.verdict.faults import left_text
from tidemark.analysis.verdict.model import Messages
from tidemark.analysis.verdict.summary import summarise
from tidemark.record.events import (
    Emfile,
    FaultEnded,
    FaultFailed,
    FaultStarted,
    Recorded,
    TargetUnconfirmed,
    Unknown,
)

PICTURE = b"\x89PNG\r\n\x1a\n picture"
PICTURED = (PICTURE, None)
HOSTILE = "<script>alert(1)</script>\"'&{{ 7 * 7 }}<img src=x onerror=alert(1)>"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects what a page holds and complains about tags that do not match."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(" ".join(data.split()))

    @property
    def words(self):
        return " ".join(filter(None, self.text))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(write_run(tmp_path_factory.mktemp("run"), strategy="per-request-leaked"))


@pytest.fixture(scope="module")
def page(run):
    return Page(render(weigh(run, leak(run)), PICTURE))


def test_it_says_verdict_reason_and_finding(run, page):
    assert "per-request-leaked: 7.8 descriptors a request, dead after 129 requests" in page.words
    assert leak(run).resources["fds"].reason in page.words
    assert ("span", "class", "badge leak") in page.attributes


@pytest.mark.parametrize(
    "figure",
    [
        "7.8",
        "7.75 to 7.84",
        "1,024",
        "310 KiB",
        "process 101",
        "The early forecast against what happened",
        "131 requests",
        "122 requests to 141 requests",
        "129 requests",
        "+1.6 %",
        "28,232",
        "rdk:broker*",
        "OSError: [Errno 24] Too many open files",
        "host.versions.librdkafka",
        "2.16.1",
    ],
)
def test_it_holds_what_a_reader_looks_for(page, figure):
    assert figure in page.words


def test_it_needs_nothing_from_anywhere(page):
    sources = [value for _, name, value in page.attributes if name in {"src", "href", "action"}]
    assert sources == ["data:image/png;base64," + base64.b64encode(PICTURE).decode()]
    assert {"script", "link", "iframe", "object", "form"}.isdisjoint(page.tags)
    policy = [v for _, n, v in page.attributes if n == "content" and "default-src" in (v or "")]
    (rules,) = (re.sub("'sha256-[^']+'", "HASH", one).split("; ") for one in policy)
    assert rules == [
        "default-src 'none'",
        "img-src data:",
        "style-src HASH",
        "script-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_the_style_loads_nothing(run):
    text = render(weigh(run, leak(run)), PICTURE)
    assert "url(" not in text
    assert "@import" not in text


def test_it_is_made_for_phones_print_and_the_dark(run):
    text = render(weigh(run, leak(run)), PICTURE)
    assert 'name="viewport"' in text
    assert "@media print" in text
    assert "prefers-color-scheme: dark" in text


def test_pictures_are_described(page):
    described = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert described == ["per-request-leaked: 7.8 descriptors a request, dead after 129 requests"]


def hostile_run(tmp_path):
    path = write_run(tmp_path)
    document = json.loads((path / "run.json").read_text())
    document |= {"strategy": HOSTILE, HOSTILE: HOSTILE, "brokers": [HOSTILE]}
    (path / "run.json").write_text(json.dumps(document))
    composition = path / "composition.csv"
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    composition.write_text(composition.read_text().replace("rdk:main", quoted))
    run = load_run(path)
    events = (Recorded(1.0, 1.0, Emfile(HOSTILE)), Recorded(2.0, 2.0, Unknown(HOSTILE)))
    return dataclasses.replace(run, events=events)


def test_everything_is_escaped(tmp_path):
    run = hostile_run(tmp_path)
    verdict = clean(run)
    resources = {
        name: dataclasses.replace(found, reason=HOSTILE, scope=HOSTILE)
        for name, found in verdict.resources.items()
    }
    verdict = clean(run, run=HOSTILE, reason=HOSTILE, resources=resources, warnings=(HOSTILE,))
    for text in (
        render(weigh(run, verdict), PICTURE),
        render_comparison([weigh(run, verdict)], HOSTILE, PICTURED, [PICTURED]),
    ):
        page = Page(text)
        assert "script" not in page.tags
        assert not [name for _, name, _ in page.attributes if name.startswith("on")]
        assert page.tags.count("img") == text.count("data:image/png;base64,")
        assert page.words.count("{{ 7 * 7 }}") >= 10


def test_what_looks_like_a_secret_is_not_shown(tmp_path):
    path = write_run(tmp_path)
    document = json.loads((path / "run.json").read_text())
    document["kafka"] = {
        "sasl.password": "hunter2",
        "ssl": {"key.Password": "hunter2"},
        "acks": "all",
    }
    document["sasl_secret"] = {"inner": "hunter2"}
    (path / "run.json").write_text(json.dumps(document))
    run = load_run(path)
    text = render(weigh(run, clean(run)), PICTURE)
    assert "hunter2" not in text
    assert "kafka.acks" in text


def test_messages_of_the_ledger_are_shown(run):
    found = leak(run, messages=Messages(accepted=391, delivered=387, lost=4))
    words = Page(render(weigh(run, found), PICTURE)).words
    assert "391 387 4" in words


def test_a_bare_run_is_reported_too(tmp_path):
    path = write_run(tmp_path, with_requests=False, with_composition=False, outcome=None)
    (path / "events.jsonl").unlink()
    run = load_run(path)
    words = Page(render(weigh(run, clean(run)), PICTURE)).words
    assert "What grew, by name" not in words
    assert "Events" not in words


def test_a_comparison_holds_every_run(tmp_path):
    runs = [load_run(path) for path in write_comparison(tmp_path, requests=20)]
    judged = [weigh(run, clean(run)) for run in runs]
    page = Page(render_comparison(judged, "the finding", PICTURED, [PICTURED] * 5))
    assert page.tags.count("section") == 5
    anchors = {value for tag, name, value in page.attributes if (tag, name) == ("section", "id")}
    links = {value for tag, name, value in page.attributes if (tag, name) == ("a", "href")}
    assert links == {f"#{anchor}" for anchor in anchors}
    assert page.tags.count("img") == 6
    for run in runs:
        assert run.strategy in page.words


def test_unlike_runs_are_compared_with_a_warning(tmp_path):
    runs = [
        load_run(write_run(tmp_path / str(rate), rate=rate, requests=20)) for rate in (4.0, 8.0)
    ]
    judged = [weigh(run, clean(run)) for run in runs]
    words = Page(render_comparison(judged, "x", PICTURED, [PICTURED] * 2)).words
    assert "request rate: 4.0 and 8.0" in words


def with_faults(run):
    about = ("outage@10+6", "outage")
    events = (
        Recorded(10.0, 10.0, FaultStarted(*about)),
        Recorded(16.0, 16.0, FaultEnded(*about)),
        Recorded(20.0, 20.0, FaultFailed("target-kill@20", HOSTILE)),
    )
    return dataclasses.replace(run, events=(*run.events, *events))


def test_faults_are_a_table_of_their_own_and_a_run_without_has_none(tmp_path):
    run = load_run(write_run(tmp_path))
    found = with_faults(run)
    page = Page(
        render(weigh(found, clean(found, messages=Messages(lost=7, duplicated=5))), PICTURE)
    )
    assert "Faults Fault Began at" in page.words
    left = left_text(summarise(found, clean(found)).faults[0].fds_left)
    assert f"outage@10+6 10 s 16 s 0 0 s {left} 0 \u2013 7 5" in page.words
    assert "target-kill@20 20 s" in page.words
    assert f"target-kill@20 failed: {HOSTILE}" in page.words
    assert "script" not in page.tags
    assert "Faults" not in Page(render(weigh(run, clean(run)), PICTURE)).words


def test_the_faults_of_a_comparison_stand_together_by_fault(tmp_path):
    runs = [load_run(path) for path in write_comparison(tmp_path, requests=200)][-2:]
    judged = [weigh(with_faults(run), clean(run)) for run in runs]
    page = Page(render_comparison(judged, "two", PICTURED, [PICTURED, PICTURED]))
    order = [
        page.words.index(f"{fault} {name} ")
        for fault, name in (
            ("outage@10+6", "pooled"),
            ("outage@10+6", "shared"),
            ("target-kill@20", "pooled"),
            ("target-kill@20", "shared"),
        )
    ]
    assert order == sorted(order)


def test_the_head_says_the_result_in_the_words_of_every_output(run):
    assessment = weigh(run, clean(run), {"fds": 0.0})
    worse = dataclasses.replace(
        assessment,
        findings=(
            Finding(
                Kind.FAULT, "the target", Severity.FAIL, "killed by SIGKILL", remedy="see its log"
            ),
        ),
    )
    page = Page(render(worse, PICTURE))
    head = page.words[: page.words.index("Findings")]
    assert "fault" in head
    assert "killed by SIGKILL" in head
    assert "see its log" in page.words
    assert ("span", "class", "badge leak") in page.attributes
    assert ("span", "class", "badge clean") not in page.attributes[:20]


def test_all_findings_stand_with_their_severity(run):
    assessment = weigh(run, leak(run), {"threads": 100.0})
    words = Page(render(assessment, PICTURE)).words
    for finding in assessment.findings:
        assert finding.severity.value in words
        assert " ".join(finding.reason.split()) in words


def test_what_was_before_stands_beside_what_is_now(run):
    before, now = clean(run), leak(run)
    page = Page(render(weigh(run, now, changes=compare_verdicts(now, before)), PICTURE))
    assert "Growth before and after" in page.words
    assert "worse 0 7.8" in page.words
    assert "Growth before and after" not in Page(render(weigh(run, now), PICTURE)).words


def test_a_target_that_was_not_confirmed_is_told(run):
    event = Recorded(1.0, 1.0, TargetUnconfirmed(reason="its sockets cannot be read"))
    changed = dataclasses.replace(run, events=(*run.events, event))
    words = Page(render(weigh(changed, leak(changed)), PICTURE)).words
    assert "not confirmed that the watched process is the one that answers" in words
    assert "its sockets cannot be read" in words


def test_half_a_level_and_long_values_are_not_shown(run):
    found = clean(run)
    fds = dataclasses.replace(found.resources["fds"], last=873.5)
    resources = {**found.resources, "fds": fds}
    event = Recorded(1.0, 1.0, Unknown("odd", {"text": "z" * 100_000 + "\ud800"}))
    changed = dataclasses.replace(run, events=(event,))
    text = render(weigh(changed, clean(run, resources=resources)), PICTURE)
    assert "873.5" not in text
    assert "874" in text
    assert "z" * 600 not in text
    assert text.encode()
