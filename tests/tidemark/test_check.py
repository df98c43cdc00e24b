"""`tidemark check`: what the gate says, and with which code it ends."""

import io
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.text import Text

from tests.analysis.made import make_run, steady, ticks
from tests.analysis.rundirs import write_run
from tidemark.analysis.reports import terminal
from tidemark.analysis.run import load_run
from tidemark.analysis.units import amount
from tidemark.analysis.verdict import assessment, one_target
from tidemark.analysis.verdict.model import Exhaustion, Interval, ResourceVerdict, Verdict
from tidemark.commands.check import check as command
from tidemark.record.errors import UnusableRunError
from tidemark.record.metrics import RESOURCES


def verdict(decision="clean", *, exhausted=None, **resources):
    """A verdict in which every resource is clean unless said otherwise; growth is 1 a request."""
    found = {}
    for name in RESOURCES:
        said = resources.get(name, "clean")
        slope = 0.0 if said == "clean" else 1.0
        found[name] = ResourceVerdict(
            name,
            said,
            f"{name} {said}",
            per_request=slope,
            per_request_interval=Interval(slope - 0.5, slope + 0.5),
            limit=1024.0 if name == "fds" else None,
        )
    return Verdict("made", decision, "because", found, exhausted=exhausted)


@pytest.fixture
def check(monkeypatch):
    """Runs the command on verdicts made by hand: of the run, the control and the baseline."""
    at = ticks(20.0)
    run = make_run(at, np.full(len(at), 30.0), requests=steady(at))

    def invoke(judged, *arguments, baseline=None):
        made = {"run": judged, "old": baseline}
        monkeypatch.setattr(
            assessment, "load_run", lambda path, target=None: replace(run, path=path)
        )
        monkeypatch.setattr(
            one_target, "judge", lambda one, control=None: made[(control or one).path.name]
        )
        done = CliRunner().invoke(command, ["run", *arguments], standalone_mode=False)
        if done.exception:
            raise done.exception
        return done.return_value, done.output

    return invoke


@pytest.mark.parametrize(("decision", "code"), [("clean", 0), ("leak", 1), ("inconclusive", 3)])
def test_the_code_tells_the_verdict(check, decision, code):
    ended, said = check(verdict(decision, fds=decision))
    assert ended == code
    word = {"inconclusive": "cannot tell"}.get(decision, decision)
    assert said.startswith(f"{word}: because" if decision == "clean" else f"{word}: File desc")


def test_the_run_is_judged_beside_its_control(check):
    ended, _ = check(verdict("leak", fds="leak"), "--control", "old", baseline=verdict())
    assert ended == 0


@pytest.mark.parametrize(("allowed", "code"), [("0.4", 1), ("0.6", 3), ("1", 0)])
def test_a_threshold_stands_in_place_of_the_verdict_on_its_resource(check, allowed, code):
    ended, said = check(verdict("leak", fds="leak"), "--max-per-request", f"fds={allowed}")
    assert ended == code
    word = {0: "pass", 1: "threshold", 3: "cannot tell"}[code]
    assert said.startswith(
        f"{word}: file descriptors: growth of 1 (0.5 to 1.5) descriptors a request"
    )
    assert said.count("\n") == (1 if code == 0 else 2)
    assert ("leak" in said) is False


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ({"threads": "leak"}, 1),
        ({"fds": "leak"}, 1),
        ({"fds": "inconclusive"}, 3),
        ({"fds": "inconclusive", "threads": "leak"}, 1),
        ({"fds": "leak", "threads": "inconclusive"}, 1),
        ({"threads": "inconclusive"}, 0),
        ({}, 0),
    ],
)
def test_beside_a_threshold_a_leak_of_another_resource_outweighs_a_doubt(check, others, code):
    ended, _ = check(verdict("leak", **others), "--max-per-request", "rss_bytes=10")
    assert ended == code


def test_a_sure_violation_outweighs_one_that_is_not_sure(check):
    both = ("--max-per-request", "fds=0.6", "--max-per-request", "threads=0.4")
    ended, said = check(verdict("leak", fds="leak", threads="leak"), *both)
    assert ended == 1
    assert said.startswith("threshold: threads: growth of 1")
    assert "cannot tell file descriptors: growth of 1" in " ".join(said.split())


def test_what_ran_out_fails_whatever_is_allowed(check):
    dead = verdict("leak", fds="leak", exhausted=Exhaustion("fds", 10.0, 100.0))
    assert check(dead, "--max-per-request", "fds=9")[0] == 1


@pytest.mark.parametrize(("now", "then", "code"), [("leak", "clean", 1), ("clean", "leak", 0)])
def test_growth_that_got_worse_fails_and_growth_that_got_better_does_not(check, now, then, code):
    sure = [
        replace(
            made,
            resources={
                name: replace(found, per_request_interval=Interval(*2 * [found.per_request]))
                for name, found in made.resources.items()
            },
        )
        for made in (verdict("clean", threads=now), verdict("clean", threads=then))
    ]
    ended, said = check(sure[0], "--baseline", "old", baseline=sure[1])
    assert ended == code
    assert ("worse: threads" in said) == (code == 1)
    assert ("better: threads" in said) == (code == 0)


def test_the_result_is_written_where_it_is_asked_for(check, tmp_path):
    junit, markdown = tmp_path / "junit.xml", tmp_path / "result.md"
    check(verdict("leak", fds="leak"), "--junit", str(junit), "--markdown", str(markdown))
    assert "fds leak" in junit.read_text()
    assert "made: LEAK" in markdown.read_text()


def test_a_doubt_about_one_resource_is_not_lifted_by_a_threshold_on_another(check):
    judged = verdict("inconclusive", rss_bytes="inconclusive", fds="inconclusive")
    for name in ("threads", "connections", "rss_bytes"):
        ended, said = check(judged, "--max-per-request", f"{name}=1.1")
        assert ended == 3
        assert said.startswith("cannot tell: ")


def test_a_leak_within_its_threshold_is_not_called_one(check):
    ended, said = check(verdict("leak", threads="leak"), "--max-per-request", "threads=2")
    assert ended == 0
    first = said.splitlines()[0]
    assert first.startswith("pass: threads: growth of 1")
    assert first.endswith("within the threshold of 2 threads a request")
    assert "leak" not in first


def test_a_folder_of_several_runs_is_told_by_their_names(tmp_path):
    for name in ("pooled", "shared"):
        write_run(tmp_path, strategy=name, requests=40)
    with pytest.raises(UnusableRunError) as caught:
        CliRunner().invoke(command, [str(tmp_path)], standalone_mode=False, catch_exceptions=False)
    assert str(caught.value) == (
        f"{tmp_path}: holds 2 runs, and is none itself: pooled, shared; "
        f"name one of them, as in {tmp_path / 'pooled'}"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("width", [30, 60, 79])
def test_in_a_narrow_terminal_no_figure_is_cut(tmp_path, width):
    paths = [write_run(tmp_path, strategy=name) for name in ("per-request-leaked", "shared")]
    leaking, sound = (assessment.assess(load_run(path)) for path in paths)
    changed = assessment.assess(load_run(paths[0]), baseline=load_run(paths[1]))
    console = Console(width=width, file=io.StringIO(), force_terminal=True, no_color=True)
    terminal.print_run(console, leaking)
    terminal.print_comparison(console, [leaking, sound], tmp_path)
    terminal.print_check(console, changed)
    said = Text.from_ansi(console.file.getvalue()).plain
    assert "\N{HORIZONTAL ELLIPSIS}" not in said
    files = ("picture", "report", "run", str(tmp_path))
    lines = [line for line in said.splitlines() if not line.strip().startswith(files)]
    assert max(map(len, lines)) <= width
    fds = leaking.verdict.resources["fds"]
    for figure in (amount(fds.metric, fds.per_hour), "1,024", "82.11 MiB", "310 KiB"):
        assert figure in said


def test_a_log_has_a_line_per_finding(check):
    _, said = check(verdict("leak", fds="leak", threads="leak", rss_bytes="leak"))
    assert [line.split()[0] for line in said.splitlines()] == [
        "leak:",
        "fail",
        "fail",
        "next",
    ]
