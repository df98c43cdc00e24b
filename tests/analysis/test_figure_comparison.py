import dataclasses

import pytest
from matplotlib.text import Text

from tests.analysis.rundirs import STRATEGIES, write_comparison, write_run
from tests.analysis.verdicts import clean, leak
from tidemark.analysis.figures import style
from tidemark.analysis.figures.comparison_figure import draw_comparison
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import Finding, Kind, Severity, weigh
from tidemark.analysis.verdict.summary import Latency
from tidemark.record.events import Emfile, FaultEnded, FaultStarted, Recorded


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    runs = [load_run(path) for path in write_comparison(tmp_path_factory.mktemp("all"))]
    return [weigh(run, leak(run) if "leaked" in run.strategy else clean(run)) for run in runs]


@pytest.fixture(scope="module")
def figure(judged):
    return draw_comparison(judged)


def panel(figure, key):
    return next(axes for axes in figure.axes if axes.get_label() == key)


def named(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


def test_the_title_states_what_the_comparison_shows(figure):
    assert figure.texts[0].get_text() == (
        "per-request-leaked: 7.8 descriptors a request, dead after 129 requests; shared stays at 51"
    )


def test_the_panels(figure):
    assert [axes.get_label() for axes in figure.axes] == [
        "fds",
        "established",
        "time_wait",
        "threads",
        "rss_bytes",
        "cpu_s_per_request",
        "cpu_s",
        "latency",
        "requests",
    ]


def test_response_times_of_nothing_are_on_no_logarithmic_axis(judged):
    at_once = Latency(0.0, 0.0, approximate=False)
    summary = dataclasses.replace(judged[0].summary, latency=at_once)
    drawn = draw_comparison([dataclasses.replace(judged[0], summary=summary)])
    assert style.png(drawn)
    axes = panel(drawn, "latency")
    assert (axes.get_xscale(), axes.get_xlabel()) == ("linear", "ms")


@pytest.mark.parametrize("key", ["fds", "established", "time_wait", "threads", "rss_bytes"])
def test_strategies_differ_in_colour_dashes_or_width_and_marker(figure, key):
    drawn = [line for name in STRATEGIES for line in named(panel(figure, key), name)]
    assert len(drawn) == 5
    assert len({line.get_color() for line in drawn}) == 5
    assert len({line.get_marker() for line in drawn}) == 5
    assert len({line.get_linewidth() for line in drawn}) == 5


def test_every_strategy_is_named_beside_its_line_in_its_colour(figure):
    axes = panel(figure, "fds")
    for name in STRATEGIES:
        (label,) = [text for text in axes.texts if text.get_text().startswith(f"{name} ")]
        (line,) = named(axes, name)
        assert label.get_color() == style.darker(line.get_color())


def test_names_do_not_overlap(figure):
    renderer = figure.canvas.get_renderer()
    for axes in figure.axes:
        # An annotation's own extent includes its leader; the words alone must not overlap.
        for text in axes.texts:
            text.update_positions(renderer)
        boxes = [Text.get_window_extent(text, renderer) for text in axes.texts]
        for i, one in enumerate(boxes):
            for other in boxes[i + 1 :]:
                overlap = min(one.y1, other.y1) - max(one.y0, other.y0)
                if min(one.x1, other.x1) > max(one.x0, other.x0):
                    assert overlap < 0.35 * one.height, axes.get_label()


def test_nothing_is_clipped_at_the_edges(figure):
    renderer = figure.canvas.get_renderer()
    width, _ = figure.canvas.get_width_height()
    drawn = [t for axes in figure.axes for t in (*axes.texts, *axes.get_yticklabels())]
    for text in [*figure.texts, *drawn]:
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0, text.get_text()
        assert box.x1 <= width, text.get_text()


def test_limit_and_emfile_are_marked(judged, figure):
    axes = panel(figure, "fds")
    assert named(axes, "limit")[0].is_dashed()
    (mark,) = named(axes, "EMFILE")
    event = judged[0].run.first(Emfile)
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (event.elapsed_s, 1024.0)


def test_requests_answered_and_failed_are_bars(judged, figure):
    bars = panel(figure, "requests").patches
    lengths = [bar.get_width() for bar in bars]
    last = judged[0].run.requests.iloc[-1]
    assert last["requests"] - last["failures"] in lengths
    assert last["failures"] in lengths


def test_unlike_runs_are_compared_with_a_warning(tmp_path):
    paths = [
        write_run(tmp_path / "a"),
        write_run(tmp_path / "b", strategy="pooled", rate=4.0, kernel="5.10.0"),
    ]
    runs = [load_run(path) for path in paths]
    figure = draw_comparison([weigh(run, clean(run)) for run in runs])
    warning = figure.texts[1].get_text()
    assert "not alike" in warning
    assert "request rate: 8.0 and 4.0" in warning
    assert "kernel: 6.1.0 and 5.10.0" in warning
    assert "requests/s each" not in warning


def test_two_runs_of_one_strategy_go_by_their_directories(tmp_path):
    runs = []
    for name in ("before", "after"):
        path = write_run(tmp_path / name)
        runs.append(load_run(path.rename(tmp_path / f"{name}-run")))
    figure = draw_comparison([weigh(run, clean(run)) for run in runs])
    (before,) = named(panel(figure, "fds"), "before-run")
    (after,) = named(panel(figure, "fds"), "after-run")
    assert before.get_color() != after.get_color()
    assert before.get_marker() != after.get_marker()


def test_a_panel_without_figures_is_left_out(tmp_path):
    run = load_run(write_run(tmp_path, with_requests=False, outcome=None))
    figure = draw_comparison([weigh(run, clean(run))])
    shown = [axes.get_label() for axes in figure.axes]
    assert shown == ["fds", "established", "threads", "rss_bytes", "cpu_s"]


def test_nine_runs_get_distinct_looks():
    found = style.looks(9)
    assert len({look.colour for look in found}) == 9
    assert len({look.marker for look in found}) == 9


def test_what_a_request_uses_up_is_a_bar_for_each_run(judged, figure):
    axes = panel(figure, "cpu_s_per_request")
    used = [1000 * one.summary.per_request["cpu_s"] for one in judged]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(used)
    assert axes.get_xlabel() == "ms"


def test_a_long_name_is_cut_in_the_middle_and_stays_inside(tmp_path):
    runs = []
    for version in ("2.4.1", "2.4.2"):
        path = write_run(tmp_path / version, requests=40)
        runs.append(load_run(path.rename(tmp_path / f"a-service-with-a-long-name-{version}")))
    figure = draw_comparison([weigh(run, clean(run)) for run in runs])
    names = [text.get_text().rpartition(" ")[0] for text in panel(figure, "fds").texts]
    assert {"a-service-…name-2.4.1", "a-service-…name-2.4.2"} <= set(names)
    test_nothing_is_clipped_at_the_edges(figure)


def faulty(run, start, end):
    about = ("outage@10+6", "outage")
    events = (
        Recorded(start, start, FaultStarted(*about)),
        Recorded(end, end, FaultEnded(*about)),
    )
    return dataclasses.replace(run, events=(*run.events, *events))


def test_a_fault_is_shaded_in_every_panel_with_time_and_named_once(judged):
    moved = [
        weigh(faulty(one.run, 10.0 + 0.2 * n, 16.0 + 0.2 * n), one.verdict)
        for n, one in enumerate(judged)
    ]
    drawn = draw_comparison(moved)
    for key in ("fds", "established", "time_wait", "threads", "rss_bytes"):
        (shade,) = [p for p in panel(drawn, key).patches if p.get_label() == "_span"]
        assert (shade.get_x(), shade.get_x() + shade.get_width()) == pytest.approx((10.8, 16.0))
    for key in ("latency", "requests"):
        assert not [p for p in panel(drawn, key).patches if p.get_label() == "_span"]
    texts = [text.get_text() for axes in drawn.axes for text in axes.texts]
    assert [text for text in texts if "outage" in text] == ["outage 11 s to 16 s"]
    test_names_do_not_overlap(drawn)
    test_nothing_is_clipped_at_the_edges(drawn)


def test_limits_far_above_all_runs_are_told_and_not_drawn(tmp_path):
    runs = [load_run(write_run(tmp_path, strategy=name)) for name in ("shared", "pooled")]
    drawn = draw_comparison([weigh(run, clean(run)) for run in runs])
    axes = panel(drawn, "fds")
    assert not named(axes, "limit")
    assert axes.get_ylim()[1] < 200
    assert "↑ limit 1,024, above the chart" in [text.get_text() for text in axes.texts]
    small = panel(drawn, "threads")
    assert "↑ limit 15,000, above the chart" in [text.get_text() for text in small.texts]


def test_a_run_that_failed_otherwise_is_named_at_the_top(tmp_path):
    runs = [load_run(write_run(tmp_path, strategy=name)) for name in ("shared", "pooled")]
    sound, other = (weigh(run, clean(run)) for run in runs)
    death = Finding(Kind.FAULT, "the target", Severity.FAIL, "killed by SIGKILL after 41 s")
    title, below = draw_comparison([sound, dataclasses.replace(other, findings=(death,))]).texts
    assert title.get_text() == "No leak seen; fault: pooled"
    assert "pooled: fault: killed by SIGKILL after 41 s" in below.get_text().splitlines()
