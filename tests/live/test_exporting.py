"""A run under way as a Prometheus server reads it, and what is written about that."""

import json
import re
from pathlib import Path

import pytest

from tests.analysis.rundirs import write_run
from tests.eventually import eventually
from tidemark.analysis.verdict.model import FAR
from tidemark.live.demand import Demand
from tidemark.live.exporting import EXPORTED, metrics_page
from tidemark.live.server import TOKEN_HEADER, make_app
from tidemark.live.watching import Watched

HERE = {"Host": "127.0.0.1:8090"}
DOCS = Path(__file__).parents[2] / "docs"
NAMES = [one.name for one in EXPORTED]


def read(page):
    """`name{labels}` -> value."""
    lines = (one.rpartition(" ") for one in page.splitlines() if not one.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_what_it_holds_grows_by_and_dies_of(judged):
    page = metrics_page(judged)
    values = read(page)
    facts = judged.facts()
    level, fds = facts.levels[0], judged.judge.judged.assessment.verdict.resources["fds"]
    of = f'{{target="{level.target}"}}'
    assert values[f"tidemark_target_open_fds{of}"] == level.fds
    assert values[f"tidemark_target_max_fds{of}"] == 1024
    assert values["tidemark_requests_total"] == facts.requests
    assert values['tidemark_verdict{verdict="leak"}'] == 1
    assert values['tidemark_verdict{verdict="clean"}'] == 0
    assert values['tidemark_severity{severity="fail"}'] == 1
    assert values["tidemark_run_under_way"] == 1
    of = f'{{target="{level.target}",resource="fds"}}'
    assert values[f"tidemark_resource_growth_per_request{of}"] == fds.per_request
    low, high = (values[f"tidemark_resource_growth_per_hour_{end}{of}"] for end in ("low", "high"))
    assert low < values[f"tidemark_resource_growth_per_hour{of}"] < high
    left = values[f"tidemark_exhaustion_seconds{of}"]
    # Counted down from now, which goes on while the test looks.
    assert 0 < left <= fds.forecast.elapsed_s - 12 + 1 < FAR * 12
    assert values[f"tidemark_exhaustion_low_seconds{of}"] <= left
    assert {one.partition("{")[0] for one in values} == set(NAMES)
    for name in NAMES:
        kind = "counter" if name.endswith("_total") else "gauge"
        assert f"# TYPE {name} {kind}\n" in page


def test_a_run_that_has_ended_dies_no_more(judged, writer):
    writer.end()
    eventually(lambda: judged.is_over, "the last verdict", timeout_s=90)
    values = read(metrics_page(judged))
    assert values["tidemark_run_under_way"] == 0
    assert values['tidemark_verdict{verdict="leak"}'] == 1
    assert not [name for name in values if name.startswith("tidemark_exhaustion")]


def test_before_anything_is_known_nothing_is_said_of_it(writer):
    writer.begin()
    values = read(metrics_page(Watched(writer.path)))
    assert set(values) == {
        'tidemark_run_info{run="run",strategy="per-request-leaked"}',
        "tidemark_run_under_way",
        "tidemark_run_elapsed_seconds",
    }


def test_a_name_cannot_break_out_of_its_label(writer):
    writer.begin()
    path = writer.path.rename(writer.path.with_name('a"b\\c\nd'))
    assert 'run="a\\"b\\\\c\\nd"' in metrics_page(Watched(path))


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory):
    return Watched(write_run(tmp_path_factory.mktemp("at-rest")))


def test_a_scrape_is_a_look_and_guarded_as_the_page_is(at_rest, monkeypatch):
    looks = []
    monkeypatch.setattr(Demand, "looked", lambda _: looks.append(1))
    client = make_app(at_rest, "token").test_client()
    assert client.get("/metrics", headers=HERE).status_code == 403
    given = HERE | {TOKEN_HEADER: "token"}
    evil = given | {"Host": "evil.test"}
    assert client.get("/metrics", headers=evil).status_code == 403
    assert not looks
    answer = client.get("/metrics", headers=given)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'tidemark_run_info{run="shared"' in answer.text
    assert looks == [1]


def test_the_documentation_lists_what_there_is():
    text = (DOCS / "dashboards.md").read_text()
    rows = re.findall(r"^\| `(tidemark_\w+)(?:\{[^`]*\})?` \|", text, re.MULTILINE)
    assert rows == NAMES


def test_the_dashboard_asks_for_nothing_else():
    found = json.loads((DOCS / "grafana" / "tidemark.json").read_text())
    asked = [one["expr"] for panel in found["panels"] for one in panel["targets"]]
    names = {name for expr in asked for name in re.findall(r"tidemark_\w+", expr)}
    assert names
    assert names <= set(NAMES)
    sources = [panel["datasource"]["uid"] for panel in found["panels"]]
    assert set(sources) == {"${datasource}"}
