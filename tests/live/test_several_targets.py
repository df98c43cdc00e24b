"""A run of two targets under way: each has its own figures, verdict and forecast."""

import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from tests.analysis.several import write_several
from tidemark.live import exporting
from tidemark.live.exporting import metrics_page
from tidemark.live.judging import judge_so_far
from tidemark.live.watching import Watched
from tidemark.record.metrics import RESOURCES

from .conftest import Writer

BAD, GOOD = 'b"a\\d', "good"
OF_TARGETS = re.compile("tidemark_(target|resource|exhaustion)_")
SERIES = re.compile(
    r'(?P<name>\w+)(?:\{(?P<labels>(?:\w+="(?:[^"\\\n]|\\.)*",?)+)\})? (?P<value>\S+)'
)
LABEL = re.compile(r'(\w+)="((?:[^"\\\n]|\\.)*)"')


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    plans = {BAD: {"strategy": "per-request-leaked"}, GOOD: {"strategy": "shared"}}
    return write_several(tmp_path_factory.mktemp("several"), plans)


@pytest.fixture(scope="module")
def judged(source, tmp_path_factory):
    return judge_so_far(written(source, tmp_path_factory.mktemp("judged")).path)


@pytest.fixture
def writer(source, tmp_path):
    return written(shutil.copytree(source, tmp_path / "source"), tmp_path)


def written(source, folder):
    """Has written 10 s of the run."""
    writer = Writer(source, folder / "run")
    writer.begin()
    writer.write_until(10)
    return writer


@pytest.fixture
def watched(writer, judged):
    """The run as it is after 10 s, judged."""
    watched = Watched(writer.path)
    watched.judge.judged = judged
    caught_up(watched)
    return watched


def caught_up(watched):
    while watched.run.look():
        pass


def series(page):
    """(name, labels) -> value: what Prometheus makes of it, which has each series once."""
    found = {}
    for line in page.splitlines():
        if line.startswith("#"):
            continue
        told = SERIES.fullmatch(line)
        assert told, line
        labels = LABEL.findall(told["labels"] or "")
        assert len(labels) == len(dict(labels)), line
        key = told["name"], frozenset((name, _plain(value)) for name, value in labels)
        assert key not in found, f"{line} is there twice"
        found[key] = float(told["value"])
    return found


def _plain(value):
    return re.sub(r"\\(.)", lambda one: {"n": "\n"}.get(one[1], one[1]), value)


def of(found, target, name, **labels):
    return found.get((name, frozenset({"target": target, **labels}.items())))


def test_each_series_is_there_once_and_says_whose_it_is(watched):
    page = metrics_page(watched)
    found = series(page)
    assert {name for name, _ in found} == {one.name for one in exporting.EXPORTED}
    targets = {}
    for name, labels in found:
        targets.setdefault(name, set()).add(dict(labels).get("target"))
    for name, told in targets.items():
        if name.startswith("tidemark_exhaustion"):
            assert told == {BAD}, "the other one leaks nothing"
        else:
            assert told == ({BAD, GOOD} if OF_TARGETS.match(name) else {None}), name
    families = re.findall(r"^# TYPE (\w+) ", page, re.MULTILINE)
    assert len(families) == len(set(families))
    if promtool := shutil.which("promtool"):
        done = subprocess.run(
            [promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_verdict_on_each_is_its_own(watched):
    found = series(metrics_page(watched))
    results = {one.id: one for one in watched.judge.judged.assessment.targets}
    assert set(results) == {BAD, GOOD}
    for target, result in results.items():
        for resource in RESOURCES:
            told = {
                one: of(found, target, "tidemark_resource_verdict", resource=resource, verdict=one)
                for one in exporting.VERDICTS
            }
            own = result.resources[resource]
            assert told == {one: float(one == own.verdict) for one in exporting.VERDICTS}
            growth = of(found, target, "tidemark_resource_growth_per_request", resource=resource)
            assert growth == own.per_request
    assert results[BAD].resources["fds"].verdict == "leak"
    assert results[GOOD].resources["fds"].verdict != "leak"
    assert of(found, BAD, "tidemark_target_open_fds") > 300
    assert of(found, GOOD, "tidemark_target_open_fds") < 100


@pytest.mark.parametrize("is_seen", [True, False], ids=["the kernel has rows", "no rows at all"])
def test_one_that_has_ended_holds_nothing_and_dies_no_more(writer, watched, is_seen):
    assert watched.facts().outlook.startswith("dies in about ")
    assert watched.facts().outlook.endswith(f"descriptors of {BAD}")
    end(writer, keep_kernel=is_seen)
    writer.write_until(14)
    caught_up(watched)
    facts = watched.facts()
    left = {one.target: one for one in facts.levels}
    assert (left[BAD].fds, left[BAD].connections, left[BAD].processes) == (None, None, 0.0)
    assert left[GOOD].fds > 0
    assert facts.foremost[0].target == GOOD
    assert facts.outlook == facts.outlook_in_short == ""
    assert [one["forecast"] for one in facts.resources] == [None] * len(facts.resources)
    found = series(metrics_page(watched))
    assert of(found, BAD, "tidemark_target_processes") == 0
    assert of(found, BAD, "tidemark_target_open_fds") is None
    assert of(found, GOOD, "tidemark_target_open_fds") == left[GOOD].fds
    assert not [name for name, _ in found if name.startswith("tidemark_exhaustion")]


def test_one_that_was_started_again_has_no_forecast_before_it_is_judged_again(writer, watched):
    tell(writer, "target_exited", pid=100)
    tell(writer, "target_restarted", pid=200, former_pid=100)
    writer.write_until(14)
    caught_up(watched)
    facts = watched.facts()
    assert {one.target: one.fds > 0 for one in facts.levels} == {BAD: True, GOOD: True}
    assert facts.outlook == ""
    assert [one["forecast"] for one in facts.resources] == [None] * len(facts.resources)
    found = series(metrics_page(watched))
    assert not [name for name, _ in found if name.startswith("tidemark_exhaustion")]
    watched.judge.judged = replace(watched.judge.judged, until_s=10.4)
    assert watched.facts().outlook.startswith("dies in about ")
    found = series(metrics_page(watched))
    assert of(found, BAD, "tidemark_exhaustion_seconds", resource="fds") > 0


def tell(writer, event, **fields):
    """Something happened to the one that leaks, at 10.2 s."""
    told = {"time_s": 1.0, "elapsed_s": 10.2, "event": event, "target": BAD, **fields}
    with (writer.path / "events.jsonl").open("a") as file:
        file.write(json.dumps(told) + "\n")


def end(writer, *, keep_kernel):
    """Let the one that leaks end at 10 s: what was to be written of it is not."""
    quoted = '"b""a\\d"'
    for name in ("samples.csv", "composition.csv", "endpoints.csv"):
        path = writer.source / name
        lines = path.read_text().splitlines(keepends=True)
        column = lines[0].split(",").index("target")
        kept = [
            line
            for line in lines
            if line.startswith("time_s")
            or float(line.split(",")[1]) <= 10
            or line.split(",")[column] != quoted
            or (keep_kernel and ",0,kernel," in line)
        ]
        path.write_text("".join(kept))
    tell(writer, "target_exited", pid=100)
