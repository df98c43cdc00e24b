"""Which route leaks, as every output says it, and thresholds on single routes."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pandas as pd
import pytest

from tests.analysis.rundirs import write_run
from tests.analysis.verdicts import leak
from tidemark.analysis.figures.run_figure import draw_run
from tidemark.analysis.reports import html, junit, markdown, terminal, verdict_json
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import weigh
from tidemark.analysis.verdict.model import Interval, ResourceVerdict, RouteGrowth
from tidemark.analysis.verdict.thresholds import check_route, parse_thresholds
from tidemark.record.errors import OptionError

LEAKS = RouteGrowth("leaks", 100.0, 0.2, Interval(0.15, 0.25), 0.25)
EXCLUDED = RouteGrowth("excluded", 900.0, 0.0, Interval(-0.01, 0.01), 0.01)
UNSURE = RouteGrowth("cannot tell", 5.0)
ROUTES = {"POST /ingest": LEAKS, "GET /query": EXCLUDED, "GET /rare|one": UNSURE}
TOLD = {name: one for name, one in ROUTES.items() if one is not UNSURE}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(
        write_run(tmp_path_factory.mktemp("run"), strategy="per-request-leaked", requests=80)
    )


def assessed(run, routes=ROUTES, thresholds=()):
    """A run whose descriptors leak, by several routes, and nothing else."""
    judged = leak(run, dead=False)
    found = replace(
        judged.resources["fds"], routes=routes, routes_reason="there are too few requests of it"
    )
    resources = {"fds": found}
    judged = replace(judged, resources=resources, exhausted=None)
    return weigh(run, judged, parse_thresholds(thresholds))


def printed(capsys, assessment, how):
    how(terminal.make_console(), assessment)
    return capsys.readouterr().out


def test_the_terminal_has_a_row_for_each_route(run, capsys):
    said = printed(capsys, assessed(run), terminal.print_run)
    rows = [" ".join(line.split()) for line in said.splitlines()]
    assert "route fds/req" in rows
    assert "POST /ingest 0.2 (0.15 to 0.25)" in rows
    assert "GET /query below 0.01" in rows
    assert "GET /rare|one cannot tell" in rows


def test_a_single_route_has_no_table(run, capsys):
    only = {"POST /ingest": LEAKS}
    assert "route" not in printed(capsys, assessed(run, only), terminal.print_run)
    assert "Route" not in markdown.render(assessed(run, only))


def test_markdown_tells_routes_apart(run):
    said = markdown.render(assessed(run))
    assert "| Route | File descriptors a request (90 %) |" in said
    assert "| POST /ingest | **0.2 (0.15 to 0.25)** |" in said
    assert "| GET /rare\\|one | cannot tell |" in said


def test_html_says_it_beside_the_requests_of_each_route(run):
    rows = run.requests.iloc[[-1]][["time_s", "elapsed_s", "requests", "failures"]]
    parts = [rows.assign(route=name) for name in ROUTES]
    routes = pd.concat(parts).astype({"route": "category"})
    assessment = assessed(replace(run, routes=routes))
    page = html.render(assessment, b"png")
    assert "a request (90 % interval)</th>" in page
    assert "<strong>0.2 (0.15 to 0.25)</strong>" in page
    assert ">below 0.01</td>" in page


def test_the_picture_names_the_route_within_its_panel(run):
    figure = draw_run(assessed(run))
    (axes,) = [axes for axes in figure.axes if axes.get_label() == "fds"]
    said = [text.get_text() for text in axes.texts]
    assert any(text.startswith("by route: POST /ingest 0.2 (0.15 to 0.25)") for text in said)


def test_verdict_json_has_every_route(run):
    told = verdict_json.content(assessed(run))["resources"]["fds"]
    assert told["routes"]["POST /ingest"] == {
        "verdict": "leaks",
        "requests": 100.0,
        "per_request": 0.2,
        "per_request_interval": [0.15, 0.25],
        "excluded_per_request": 0.25,
    }
    assert told["routes"]["GET /rare|one"]["per_request"] is None
    assert told["routes_reason"] == "there are too few requests of it"


@pytest.mark.parametrize(
    ("text", "name", "allowed"),
    [
        ("fds@ingest=0.01", "fds@ingest", 0.01),
        ("fds@POST /v1/events=0.01", "fds@POST /v1/events", 0.01),
        (" threads @ GET /a?b=c@d = 2 ", "threads@GET /a?b=c@d", 2.0),
    ],
)
def test_a_threshold_may_be_for_a_route(text, name, allowed):
    assert parse_thresholds([text]) == {name: allowed}


@pytest.mark.parametrize("text", ["fds@=1", "@ingest=1", "files@ingest=1", "fds@ingest", "fds@a="])
def test_a_malformed_threshold_for_a_route_is_refused(text):
    with pytest.raises(OptionError, match=r"RESOURCE@ROUTE=GROWTH"):
        parse_thresholds([text])


@pytest.mark.parametrize(
    ("threshold", "code", "said"),
    [
        ("fds@POST /ingest=0.1", 1, "growth of 0.2 (0.15 to 0.25) a request, above the threshold"),
        ("fds@POST /ingest=0.18", 3, "a request, which may be above the threshold of 0.18"),
        ("fds@POST /ingest=0.3", 0, "a request, within the threshold of 0.3 descriptors"),
        ("fds@ingest=0.3", 0, "file descriptors of POST /ingest: growth of 0.2"),
    ],
)
def test_a_threshold_on_the_route_that_leaks_stands_for_the_resource(
    run, capsys, threshold, code, said
):
    assessment = assessed(run, TOLD, [threshold])
    assert assessment.exit_code == code
    assert said in printed(capsys, assessment, terminal.print_check)
    assert [finding.subject for finding in assessment.findings] == ["fds"]


@pytest.mark.parametrize(
    ("threshold", "severity", "said"),
    [
        ("fds@GET /query=0.01", "pass", "no growth above 0.01 descriptors a request, within"),
        ("fds@GET /query=0.001", "cannot tell", "only growth above 0.01 descriptors a request is"),
        ("fds@rare|one=9", "cannot tell", "unknown growth (there are too few requests of it)"),
        ("fds@/nowhere=1", "cannot tell", "no route is called /nowhere; there are POST /ingest,"),
    ],
)
def test_beside_a_threshold_on_another_route_a_leak_fails(run, threshold, severity, said):
    assessment = assessed(run, ROUTES, [threshold])
    held, judged = assessment.findings
    assert (held.kind.value, held.severity.value) == ("threshold", severity)
    assert said in held.reason
    assert "\n" not in held.reason
    assert (judged.kind.value, assessment.exit_code) == ("leak", 1)


@pytest.mark.parametrize("routes", [{}, TOLD])
def test_of_a_clean_resource_an_unknown_route_cannot_be_told(run, routes):
    judged = leak(run, dead=False)
    clean = ResourceVerdict("fds", "clean", "level", per_request=0.0, routes=routes)
    judged = replace(judged, verdict="clean", resources={"fds": clean}, exhausted=None)
    assessment = weigh(run, judged, {"fds@/nowhere": 1.0})
    assert assessment.exit_code == 3
    assert "/nowhere" in assessment.because


def test_a_leak_whose_route_is_in_doubt_is_not_lifted_by_thresholds_on_the_others(run):
    thresholds = ["fds@ingest=9", "fds@query=9"]
    assert assessed(run, ROUTES, thresholds).exit_code == 1
    assert assessed(run, TOLD, thresholds).exit_code == 0


def test_what_is_surely_less_than_allowed_passes_even_in_doubt():
    unsure = RouteGrowth("cannot tell", 50.0, 0.02, Interval(-0.1, 0.1), 0.1)
    found = ResourceVerdict("fds", "inconclusive", "", per_request=0.0, routes={"a": unsure})
    assert [check_route(found, "a", allowed).kept for allowed in (0.2, 0.05)] == [True, None]


def test_junit_names_the_route(run):
    root = ET.fromstring(junit.render(assessed(run, TOLD, ["fds@ingest=0.1", "fds@query=1"])))
    failed, passed = root.iter("testcase")
    assert failed.get("name") == "fds@POST /ingest within its threshold"
    assert failed.find("failure").get("type") == "threshold"
    assert "per request: 0.2" in failed.find("failure").text
    assert passed.get("name") == "fds@GET /query within its threshold"
    assert passed.find("system-out") is not None


def test_memory_is_in_its_unit():
    leaks = RouteGrowth("leaks", 100.0, 65536.0, Interval(60e3, 70e3), 70e3)
    found = ResourceVerdict("rss_bytes", "leak", "", per_request=1.0, routes={"POST /a": leaks})
    said = check_route(found, "a", 1024.0)
    assert said.kept is False
    assert "growth of 64 KiB (58.6 KiB to 68.4 KiB) a request, above" in said.reason
