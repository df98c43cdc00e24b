"""The picture of a run of very many targets: what leaks stands out, and is named."""

from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.made import make_run, metadata, steady, ticks
from tests.analysis.several import leaking
from tidemark.analysis.figures import style
from tidemark.analysis.figures.overview_figure import MOST_NAMED, draw_overview
from tidemark.analysis.verdict.assessment import assess_results
from tidemark.analysis.verdict.one_target import assess_one
from tidemark.analysis.verdict.targets import result_of
from tidemark.record.metadata import Target


def result(run, target):
    return result_of(assess_one(run), target)


@pytest.fixture(scope="module")
def clean():
    return result(leaking(0.0), "clean")


@pytest.fixture(scope="module")
def bad():
    return result(leaking(0.5), "bad")


def overview(results):
    at = ticks(300.0)
    run = make_run(at, np.full(len(at), 30.0), requests=steady(at))
    told = metadata(strategy="service", targets=tuple(Target(one.id) for one in results))
    bare = replace(run, metadata=told, samples=run.samples.iloc[:0], watched_until_s=300.0)
    return draw_overview(assess_results(bare, results))


def named(results, ids):
    return [replace(results, id=one) for one in ids]


def axes_of(figure, name):
    (found,) = [axes for axes in figure.axes if axes.get_label() == name]
    return found


def texts(axes):
    return [text.get_text() for text in axes.texts]


@pytest.fixture(scope="module")
def figure(clean, bad):
    quiet = named(clean, [f"r{number:03}" for number in range(300)])
    return overview([*quiet[:100], *named(bad, ["leaky"]), *quiet[100:]])


def test_the_title_says_how_many_of_how_many(figure):
    assert figure.texts[0].get_text() == "service: 301 targets: 1 leak, 300 clean"


def test_each_target_has_a_cell_in_the_order_of_run_json(figure):
    strip = axes_of(figure, "targets")
    cells = {one.get_label(): one for one in strip.collections}
    assert set(cells) == {"clean", "leak"}
    assert len(cells["clean"].get_segments()) == 300
    (segment,) = cells["leak"].get_segments()
    assert segment[0][0] == 100.5
    assert {"1 leak", "300 clean"} <= set(texts(strip))


def test_growth_rises_to_what_leaks_which_is_named(figure):
    panel = axes_of(figure, "fds")
    lines = {line.get_label(): line for line in panel.lines}
    assert len(lines["clean"].get_xdata()) == 300
    assert lines["leak"].get_xdata().tolist() == [300.5]
    assert lines["leak"].get_ydata()[0] == pytest.approx(18_000, rel=0.05)
    assert [text for text in texts(panel) if "leaky" in text]
    assert not [text for text in texts(axes_of(figure, "threads")) if "leaky" in text]
    assert panel.get_yscale() == "symlog"


def test_of_many_that_leak_some_are_named_and_the_others_counted(clean, bad):
    figure = overview([*named(bad, [f"l{at}" for at in range(20)]), *named(clean, ["a", "b"])])
    said = [text for text in texts(axes_of(figure, "fds")) if text.startswith("l")]
    assert len(said) == MOST_NAMED
    assert "and 12 more leaks" in texts(axes_of(figure, "fds"))


@pytest.mark.parametrize("count", [2, 1000])
def test_targets_that_are_all_clean_are_drawn(clean, count):
    figure = overview(named(clean, [f"r{number}" for number in range(count)]))
    assert style.png(figure).startswith(b"\x89PNG")
