"""The charts of a report: the series of its picture, few figures of them, and nothing foreign."""

import base64
import dataclasses
import hashlib
import json
import re

import numpy as np
import pytest

from tests.analysis.rundirs import write_run
from tests.analysis.several import write_several
from tests.analysis.test_html import HOSTILE, Page
from tests.analysis.verdicts import clean, leak
from tidemark.analysis.figures.charts import Band, Chart, View
from tidemark.analysis.figures.curves import Curve, processes
from tidemark.analysis.figures.run_figure import depict_run
from tidemark.analysis.figures.targets_figure import depict_targets
from tidemark.analysis.figures.thinning import thinned
from tidemark.analysis.reports import chart_data
from tidemark.analysis.reports.drawn import page_script, page_style
from tidemark.analysis.reports.html import render, render_comparison
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import assess, weigh
from tidemark.charts.parts import part
from tidemark.record.metrics import metric

PICTURE = b"\x89PNG"
DATA = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(write_run(tmp_path_factory.mktemp("run"), strategy="per-request-leaked"))


@pytest.fixture(scope="module")
def view(run):
    return depict_run(weigh(run, leak(run))).view


@pytest.fixture(scope="module")
def text(run, view):
    return render(weigh(run, leak(run)), PICTURE, view)


@pytest.fixture(scope="module")
def data(text):
    (found,) = DATA.findall(text)
    return json.loads(found)


def times_of(given):
    if isinstance(given, list):
        return np.array(given)
    return given["first"] + given["step"] * np.arange(given["count"])


def chart(*lines, **options):
    return Chart("fds", "Descriptors", "descriptors", lines, metric=metric("fds"), **options)


def test_each_panel_of_the_picture_has_its_chart(run, view, data):
    panels = [axes.get_label() for axes in depict_run(weigh(run, leak(run))).figure.axes]
    assert [one.key for one in view.charts] == panels
    assert sorted(data["charts"]) == sorted(panels)


def test_a_chart_has_what_was_recorded(run, data):
    recorded = max(processes(run.samples, "fds"), key=lambda curve: curve.highest)
    drawn = data["charts"]["fds"]
    line = next(one for one in drawn["lines"] if one["name"] == recorded.name)
    read = np.isfinite(recorded.values)
    known = [value for value in line["last"] if value is not None]
    assert known == recorded.values[read].tolist()
    at = times_of(drawn["times"])[[value is not None for value in line["last"]]]
    assert at == pytest.approx(recorded.time_s[read], abs=2e-3)


def test_limit_fit_and_forecast_are_drawn(data):
    fds = data["charts"]["fds"]
    assert (fds["limit"], fds["limitText"]) == (1024, "limit 1,024")
    assert fds["fit"][1][1] > fds["fit"][1][0]
    assert {path: fds["forecast"][path][1][-1] for path in ("middle", "low", "high")} == {
        "middle": 1024,
        "low": 1024,
        "high": 1024,
    }
    assert "dotted: fitted growth" in fds["note"]


def test_a_peak_of_one_reading_survives(run):
    at = np.arange(260_000.0)
    values = np.full(at.size, 40.0)
    values[123_456], values[200_000] = 4000.0, 3.0
    _, (line,) = thinned(chart(Curve("worker", at, values)), 1000)
    assert (np.nanmax(line.high), np.nanmin(line.low)) == (4000.0, 3.0)
    assert set(line.middle) == {40.0}


def test_a_hole_stays_a_hole():
    at = np.arange(100_000.0)
    values = np.where((at > 40_000) & (at < 60_000), np.nan, 7.0)
    times, (line,) = thinned(chart(Curve("worker", at, values)), 500)
    inside = (times > 40_300) & (times < 59_700)
    assert np.isnan(line.middle[inside]).all()
    assert np.isfinite(line.middle[~inside & ((times < 39_700) | (times > 60_300))]).all()


def test_lines_of_other_times_are_put_over_common_ones():
    often, seldom = np.arange(10.0), np.array([2.5, 7.0])
    times, lines = thinned(chart(Curve("a", often, often), Curve("b", seldom, seldom)), 100)
    assert times.tolist() == sorted({*often, *seldom})
    for line, own in zip(lines, (often, seldom), strict=True):
        assert line.middle[np.isfinite(line.middle)].tolist() == own.tolist()


@pytest.mark.parametrize("lines", [1, 8, 60])
def test_the_data_stays_small_however_long_the_run_was(lines):
    rng = np.random.default_rng(3)
    at = np.arange(120_000.0)
    many = [Curve(f"p{n}", at, rng.normal(5000, 900, at.size).round()) for n in range(lines)]
    content = chart_data.content(0.0, View((chart(*many),), (0.0, 120_000.0)))
    assert len(json.dumps(content)) < 800_000
    figures = sum(len(one[key]) for one in content["charts"]["fds"]["lines"] for key in one)
    assert figures > 2000 * min(lines, 10)


def test_a_band_is_drawn_from_lowest_to_highest():
    at = np.arange(50.0)
    _, (line,) = thinned(chart(bands=(Band("15 others", at, at, at + 4),)), 100)
    assert ((line.high - line.low) == 4).all()


def test_the_policy_allows_its_own_script_and_style_alone(text):
    def hashed(content):
        return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()

    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    policy = policy.replace("&#39;", "'")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert f"script-src 'sha256-{hashed(script)}';" in policy
    assert f"style-src 'sha256-{hashed(style)}';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert (script, style) == (page_script(), page_style())


def test_the_library_comes_with_its_licence(text):
    assert text.count(part("uPlot.min.js")) == 1
    assert "Permission is hereby granted" in text
    assert "</script" not in page_script()


def test_the_page_asks_nobody_for_anything(text):
    page = Page(text)
    assert {"link", "iframe", "object", "form", "base"}.isdisjoint(page.tags)
    assert not [name for tag, name, _ in page.attributes if tag == "script" and name == "src"]
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert not re.search(
        r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import)\(", text
    )


def test_the_picture_stays_for_print_and_without_script(text):
    assert '<div class="picture"><img src="data:image/png' in text
    assert ".charts { display: none; }" in text


def test_numbers_stand_beside_each_chart(text, data):
    page = Page(text)
    assert page.tags.count("caption") == len(data["charts"])
    for figure in ("Growth a request", "7.75 to 7.84", "Limit reached at", "99th percentile"):
        assert figure in page.words
    scopes = {value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")}
    assert scopes == {"row", "col"}


def test_what_a_run_is_called_cannot_break_out(run, view):
    lines = (Curve(HOSTILE, np.arange(3.0), np.arange(3.0)), Curve("</script>", *2 * [np.ones(1)]))
    hostile = dataclasses.replace(view.charts[0], title=HOSTILE, lines=lines, notes=(HOSTILE,))
    whole = dataclasses.replace(view, charts=(hostile,))
    text = render(weigh(run, clean(run)), PICTURE, whole)
    assert Page(text).tags.count("script") == 2
    assert "onerror=alert(1)>" not in text.replace("\\u003e", "")
    (found,) = DATA.findall(text)
    assert json.loads(found)["charts"]["fds"]["title"] == HOSTILE


def test_a_comparison_has_the_charts_of_all_and_of_each(run, view):
    assessed = [weigh(run, leak(run)), weigh(run, clean(run))]
    text = render_comparison(assessed, "two", (PICTURE, view), [(PICTURE, view), (PICTURE, None)])
    ids = [value for tag, name, value in Page(text).attributes if (tag, name) == ("div", "id")]
    assert ids == ["all-charts", "run-1-charts"]
    assert text.count(part("uPlot.min.js")) == 1


def test_of_several_targets_each_has_a_line(tmp_path):
    plans = {f"web{number}": {"strategy": "shared"} for number in range(3)}
    assessment = assess(load_run(write_several(tmp_path, plans)))
    found = depict_targets(assessment).view
    assert [curve.name for curve in found.charts[0].lines] == ["web0", "web1", "web2"]
    words = Page(render(assessment, PICTURE, found)).words
    assert "File descriptors, all targets together; the limit is that of web" in words
