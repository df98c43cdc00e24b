"""Which response times are not to be trusted, and that every output says so."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.analysis.rundirs import write_comparison, write_run
from tidemark.analysis.figures.comparison_figure import draw_comparison
from tidemark.analysis.figures.run_figure import draw_run
from tidemark.analysis.reports import html, junit, markdown, terminal, verdict_json
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import assess
from tidemark.analysis.verdict.latency import DOUBTED, Latency, doubted, overall_latency

LATE = {"p50": 0.1, "p95": 5.0, "p99": 9.0, "max": 30.0}
"""Of the response times of a made run, 1.4 and 2.6 ms, this leaves the median alone."""


def late_run(folder, lateness=LATE):
    path = write_run(folder)
    document = json.loads((path / "run.json").read_text()) | {"lateness_ms": lateness}
    (path / "run.json").write_text(json.dumps(document))
    return load_run(path)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_fifth_is_the_most(latency, late):
    assert bool(doubted(latency, late)) == (late > latency * 0.2)


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_what_is_not_known_is_not_doubted(unknown):
    assert not doubted(unknown, 1.0)
    assert not doubted(1.0, unknown)


def test_each_percentile_is_held_against_the_same_of_lateness():
    latency = Latency(10.0, 20.0, False, late_p50_ms=2.1, late_p99_ms=4.0)
    assert (latency.p50, latency.p99) == (f"10 ms{DOUBTED}", "20 ms")
    assert latency.warning is not None
    assert "the median (10 ms), the generator was late by 2.1 ms;" in latency.warning
    assert "p99" not in latency.warning


def test_without_doubt_there_is_no_warning(tmp_path):
    run = load_run(write_run(tmp_path))
    assert overall_latency(run).warning is None
    assert not any("response times" in text for text in assess(run).verdict.warnings)


def test_the_lateness_of_ticks_stands_in_for_that_of_the_run(tmp_path):
    run = load_run(write_run(tmp_path))
    run.requests["late_p99_ms"] = 7.0
    latency = overall_latency(run)
    assert (latency.late_p50_ms, latency.late_p99_ms) == (0.1, 7.0)
    assert latency.p99_doubted


def test_an_older_run_doubts_nothing(tmp_path):
    path = write_run(tmp_path)
    rows = (path / "requests.csv").read_text().splitlines()
    kept = [",".join(row.split(",")[:9]) for row in rows]
    (path / "requests.csv").write_text("\n".join(kept) + "\n")
    latency = overall_latency(load_run(path))
    assert (latency.late_p50_ms, latency.warning) == (None, None)


def printed(tell, *given):
    console = Console(width=250, record=True, force_terminal=False)
    tell(console, *given)
    return console.export_text()


def test_every_output_of_a_run_says_so(tmp_path):
    assessment = assess(late_run(tmp_path))
    says = "the p99 (2.6 ms), the generator was late by 9 ms"
    said = {
        "terminal": printed(terminal.print_run, assessment),
        "check": printed(terminal.print_check, assessment),
        "markdown": markdown.render(assessment),
        "html": html.render(assessment, b""),
        "junit": junit.render(assessment).decode(),
        "json": verdict_json.render(assessment),
    }
    assert [name for name, text in said.items() if says not in " ".join(text.split())] == []
    assert f"2.6 ms{DOUBTED}" in said["html"]
    assert '<property name="latency_p99" value="2.6 ms (?)"' in said["junit"]
    told = json.loads(said["json"])["latency"]
    assert (told["p50_doubted"], told["p99_doubted"], told["late_p99_ms"]) == (False, True, 9.0)


def test_a_comparison_marks_the_figure(tmp_path):
    paths = write_comparison(tmp_path, requests=20)
    document = json.loads((paths[0] / "run.json").read_text()) | {
        "lateness_ms": LATE | {"p99": 999}
    }
    (paths[0] / "run.json").write_text(json.dumps(document))
    assessed = [assess(load_run(path)) for path in paths]
    table = printed(terminal.print_comparison, assessed, tmp_path)
    assert table.count(f"{DOUBTED} ") == 1
    page = html.render_comparison(assessed, "title", (b"", None), [(b"", None)] * len(assessed))
    assert f"{assessed[0].summary.latency.p99}</td>" in page
    axes = next(one for one in draw_comparison(assessed).axes if one.get_label() == "latency")
    assert "not to be trusted" in axes.get_title("left")
    assert sum(DOUBTED in text.get_text() for text in axes.texts) == 1


def test_the_picture_of_a_run_marks_the_figure_and_the_ticks(tmp_path):
    run = late_run(tmp_path)
    run.requests["late_p99_ms"] = 0.0
    run.requests.loc[run.requests["p99_ms"].dropna().index[5:9], "late_p99_ms"] = 500.0
    axes = next(one for one in draw_run(assess(run)).axes if one.get_label() == "latency")
    hollow = next(line for line in axes.lines if line.get_label() == "p99, late")
    assert sum(map(math.isfinite, hollow.get_ydata())) == 4
    assert any(text.get_text() == f"p99 2.6 ms{DOUBTED}" for text in axes.texts)
