"""What the outputs say of a run of several targets."""

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.console import Console

from tests.analysis.rundirs import Shape
from tests.analysis.several import leaking, together, write_several
from tidemark.analysis.figures.target_curves import band, of_targets
from tidemark.analysis.figures.targets_figure import COLOURS, draw_targets, looks_of
from tidemark.analysis.reports import html, junit, markdown, terminal, verdict_json
from tidemark.analysis.reports.files import folder_of, write_comparison
from tidemark.analysis.reports.target_rows import target_table
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import assess
from tidemark.cli import cli
from tidemark.record.errors import OptionError, UnusableRunError
from tidemark.record.metrics import metric

LEAKS = Shape(fds_per_request=0.2)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A run on disk of two targets, one of which leaks."""
    plans = {"ingest-1": {"seed": 1}, "ingest-2": {"shape": LEAKS, "seed": 1}}
    return write_several(tmp_path_factory.mktemp("several"), plans)


@pytest.fixture(scope="module")
def assessed(several):
    return assess(load_run(several))


@pytest.fixture(scope="module")
def many():
    """Forty targets of which one leaks; those that are clean were judged once."""
    run = together({"t00": leaking(0.3, seed=4, fds_limit=1024), "t01": leaking(0)})
    found = assess(run)
    names = [f"t{n:02}" for n in range(1, 40)]
    clean = next(one for one in found.targets if one.id == "t01")
    samples = together(dict.fromkeys(names, leaking(0)) | {"t00": leaking(0.3, seed=4)}).samples
    return replace(
        found,
        run=replace(run, samples=samples),
        targets=(found.targets[0], *(replace(clean, id=name) for name in names)),
    )


def printed(show, assessment):
    out = io.StringIO()
    show(Console(file=out, width=200), assessment)
    return out.getvalue()


@pytest.mark.parametrize("show", [terminal.print_check, terminal.print_run])
def test_the_terminal_has_a_row_per_target_the_worst_first(assessed, show):
    text = printed(show, assessed)
    lines = text.splitlines()
    (heading,) = [at for at, line in enumerate(lines) if line.startswith("target")]
    assert lines[heading].split() == [
        *("target", "verdict", "fds/req", "conns/req", "threads/req", "memory/req"),
        *("dies", "at"),
    ]
    assert lines[heading + 1].split()[:3] == ["ingest-2", "leak", "0.2"]
    assert lines[heading + 2].split()[:3] == ["ingest-1", "clean", "0"]
    assert "which 2 targets share" in lines[heading + 3]
    assert "leak" in text[: text.index("target ")]


def test_no_more_than_twenty_targets_are_listed(many):
    text = printed(terminal.print_check, many)
    assert text.count("\nt") == 21  # with the heading
    assert "\nand 20 more, clean\n" in text
    assert target_table(many.targets, 39).more == "and 1 more, clean"
    assert target_table(many.targets, 0).more == "and 40 more: 1 leak, 39 clean"
    assert target_table(many.targets, 40).more == ""


def test_verdict_json_has_the_targets(assessed):
    told = json.loads(verdict_json.render(assessed))
    assert list(told["targets"]) == ["ingest-2", "ingest-1"]
    found = told["targets"]["ingest-2"]
    assert (found["verdict"], found["result"]) == ("leak", "leak")
    assert found["resources"]["fds"]["per_request"] == pytest.approx(0.2, rel=0.1)
    assert found["reason"].startswith("file descriptors: grow by ")
    (leak,) = [one for one in told["findings"] if one["kind"] == "leak"]
    assert leak["target"] == "ingest-2"
    assert all("target" not in one for one in found["findings"])


def test_verdict_json_of_one_target_has_none():
    told = json.loads(verdict_json.render(assess(leaking(0.3))))
    assert "targets" not in told
    assert "target" not in told
    assert all("target" not in one for one in told["findings"])


def test_junit_has_a_suite_per_target(assessed):
    root = ET.fromstring(junit.render(assessed))
    names = [suite.get("name") for suite in root]
    assert names == ["tidemark.several", "tidemark.several.ingest-2", "tidemark.several.ingest-1"]
    assert [suite.get("failures") for suite in root] == ["0", "1", "0"]
    assert (root.get("tests"), root.get("failures")) == ("8", "1")


def test_junit_tells_what_is_about_the_run_once():
    run = together({"a": leaking(0), "b": leaking(0, seed=9)}, outcome="aborted")
    run = replace(run, metadata=replace(run.metadata, ended_at=None))
    root = ET.fromstring(junit.render(assess(run)))
    assert [suite.get("errors") for suite in root] == ["1", "0", "0"]


def test_markdown_has_the_same_table(assessed):
    text = markdown.render(assessed)
    assert "| Target | Verdict | Fds/req |" in text
    assert "| ingest-2 | LEAK | 0.2 |" in text
    assert "which 2 targets share." in text


def test_the_page_has_a_table_of_targets(assessed):
    page = html.render(assessed, b"")
    assert "<h3>Targets</h3>" in page
    assert "What grew, by name, in ingest-2" in page
    assert "Resources of all targets together" in page
    assert "<h3>Targets</h3>" not in html.render(assess(leaking(0)), b"")


def test_the_id_of_a_target_is_escaped():
    run = together({"<b>": leaking(0), "b|c": leaking(0, seed=9)})
    found = assess(run)
    assert "<b>" not in html.render(found, b"")
    assert "b\\|c" in markdown.render(found)


def labels(axes):
    return [text.get_text() for text in axes.texts]


def test_the_picture_names_the_worst_and_draws_the_others_as_a_band(many):
    figure = draw_targets(many)
    fds = next(axes for axes in figure.axes if axes.get_label() == "fds")
    drawn = [line.get_label() for line in fds.lines if not line.get_label().startswith("_")]
    assert set(drawn) == {"t00", "fit", "forecast", "limit"}
    assert [one.get_label() for one in fds.collections if one.get_label() == "others"] == ["others"]
    assert any(text.startswith("t00: ") for text in labels(fds))
    assert any(text.startswith("39 others: ") for text in labels(fds))
    assert fds.get_title(loc="left") == "File descriptors by target"


def test_a_handful_of_targets_all_have_a_colour(assessed):
    assert looks_of(assessed.targets) == {"ingest-2": COLOURS[0], "ingest-1": COLOURS[1]}
    figure = draw_targets(assessed)
    keys = [axes.get_label() for axes in figure.axes]
    assert keys == ["fds", "connections", "threads", "rss_bytes", "requests", "latency"]
    (threads,) = [axes for axes in figure.axes if axes.get_label() == "threads"]
    assert {text.split(":")[0] for text in labels(threads)} >= {"ingest-1", "ingest-2"}


def test_of_many_well_targets_one_stands_for_them(many):
    assert looks_of(many.targets[1:]) == {"t01": COLOURS[0]}
    assert len(looks_of(many.targets[:1] * 9)) == 1  # by id


def test_a_target_without_samples_is_not_drawn():
    found = assess(together({"a": leaking(0)}, unsampled=["b"]))
    fds = draw_targets(found).axes[0]
    assert not any(text.startswith("b: ") for text in labels(fds))


def test_what_each_process_may_hold_is_drawn_of_the_fullest_one(several):
    run = load_run(several)
    highest = of_targets(run.samples, metric("fds"))["ingest-2"]
    assert highest.last == run.samples.query("target == 'ingest-2' and pid == 101")["fds"].iloc[-1]
    total = of_targets(run.samples, metric("threads"))["ingest-2"]
    rows = run.samples.query("target == 'ingest-2' and pid != 0")
    last = rows[rows["elapsed_s"] == rows["elapsed_s"].max()]
    assert total.last == last["threads"].sum()


def test_a_band_holds_every_curve(many):
    found = of_targets(many.run.samples, metric("fds"))
    _, low, high = band([curve for name, curve in found.items() if name != "t00"])
    assert low.min() >= 40
    assert high.max() <= 42


def test_a_comparison_draws_the_worst_target(several, tmp_path):
    found = write_comparison([several, several.parent / "parts" / "0" / "shared"], tmp_path / "out")
    assert "ingest-2" in (tmp_path / "out" / "report.html").read_text()
    assert found[0].targets[0].id == "ingest-2"


def run_cli(*arguments):
    return CliRunner().invoke(cli, list(map(str, arguments)), standalone_mode=False)


def test_one_target_alone_has_a_report_of_its_own(several):
    done = run_cli("report", several, "--target", "ingest-1")
    assert done.exception is None
    assert "several, ingest-1: clean" in done.output
    told = json.loads((several / "targets" / "ingest-1" / "verdict.json").read_text())
    assert (told["target"], told["verdict"]) == ("ingest-1", "clean")
    assert "shared, ingest-1" in (several / "targets" / "ingest-1" / "report.html").read_text()
    printed_json = run_cli("report", several, "--target", "ingest-1", "--json").output
    assert json.loads(printed_json) == told


@pytest.mark.parametrize(("target", "code"), [(None, 1), ("ingest-1", 0), ("ingest-2", 1)])
def test_the_gate_on_one_target(several, target, code):
    given = [] if target is None else ["--target", target]
    assert run_cli("check", several, *given).return_value == code


@pytest.mark.parametrize("command", ["report", "check"])
def test_an_unknown_target_is_refused_with_those_that_are_known(several, command):
    done = run_cli(command, several, "--target", "nope")
    assert isinstance(done.exception, UnusableRunError)
    assert "has no target 'nope'; name one of ingest-1, ingest-2" in str(done.exception)


def test_one_target_of_several_runs_is_refused(several):
    done = run_cli("report", several, several.parent / "parts" / "0" / "shared", "--target", "x")
    assert isinstance(done.exception, OptionError)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("10.0.0.1:8080", "10.0.0.1:8080"),
        ("../../etc", "..%2F..%2Fetc"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("a b\n", "a b%0A"),
    ],
)
def test_a_target_has_a_folder_below_the_run(several, target, name):
    assert folder_of(several, target) == several / "targets" / name
