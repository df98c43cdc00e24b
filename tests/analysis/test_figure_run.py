import dataclasses
import json

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

from tests.analysis.rundirs import Shape, write_run
from tests.analysis.verdicts import clean, leak
from tidemark.analysis.figures import style
from tidemark.analysis.figures.run_figure import draw_run
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import weigh
from tidemark.record.events import Emfile

ALL = ["fds", "connections", "threads", "rss_bytes", "cpu_s", "requests", "latency"]


@pytest.fixture(scope="module")
def leaked(tmp_path_factory):
    run = load_run(write_run(tmp_path_factory.mktemp("leaked"), strategy="per-request-leaked"))
    return run, draw_run(weigh(run, leak(run)))


def panel(figure, key):
    return next(axes for axes in figure.axes if axes.get_label() == key)


def lines(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def said(figure):
    return [text.get_text() for text in figure.texts]


def test_the_title_states_the_finding(leaked):
    _, figure = leaked
    assert (
        said(figure)[0] == "per-request-leaked: 7.8 descriptors a request, dead after 129 requests"
    )


def test_all_panels_share_one_time_axis_with_its_unit(leaked):
    run, figure = leaked
    assert [axes.get_label() for axes in figure.axes] == ALL
    assert {axes.get_xlim() for axes in figure.axes} == {(0.0, run.duration_s)}
    assert figure.axes[-1].get_xlabel() == "time since the run began, seconds"


def test_every_axis_has_a_unit(leaked):
    _, figure = leaked
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "descriptors",
        "connections",
        "threads",
        "MiB",
        "% of a core",
        "per second",
        "ms (log)",
    ]


def test_the_descriptors_drawn_are_the_recorded_ones(leaked):
    run, figure = leaked
    worker = run.samples[run.samples["pid"] == 101]
    (line,) = lines(panel(figure, "fds"), "gunicorn 101")
    assert np.array_equal(line.get_xdata(), worker["elapsed_s"])
    assert np.array_equal(line.get_ydata(), worker["fds"])


def test_the_limit_is_a_dashed_line_inside_the_panel(leaked):
    _, figure = leaked
    axes = panel(figure, "fds")
    (limit,) = lines(axes, "limit")
    assert set(limit.get_ydata()) == {1024.0}
    assert limit.is_dashed()
    assert axes.get_ylim()[1] > 1024
    assert "limit 1,024" in texts(axes)


def test_emfile_is_marked_through_all_panels_and_named(leaked):
    run, figure = leaked
    at = run.first(Emfile).elapsed_s
    for axes in figure.axes:
        assert at in [line.get_xdata()[0] for line in lines(axes, "_mark")]
    assert any(text.startswith("EMFILE at 16") for text in texts(figure.axes[0]))


def test_fit_forecast_and_band_are_drawn_from_the_verdict(leaked):
    run, figure = leaked
    found = leak(run).resources["fds"]
    axes = panel(figure, "fds")
    forecast = found.forecast_check.forecast
    (line,) = lines(axes, "forecast")
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (
        forecast.made_at_elapsed_s,
        forecast.level,
    )
    assert line.get_ydata()[-1] == forecast.limit
    (band,) = [patch for patch in axes.patches if patch.get_label() == "forecast band"]
    at_limit = band.get_xy()[band.get_xy()[:, 1] == forecast.limit][:, 0]
    assert at_limit.min() < line.get_xdata()[-1] < at_limit.max()
    (fit,) = lines(axes, "fit")
    assert fit.get_ydata()[0] == found.fit.against_elapsed_s.at(fit.get_xdata()[0])
    said_of_it = "early forecast, limit after 131 requests (90 %: 122 to 141)"
    assert any(said_of_it in text for text in texts(axes))


def test_an_early_forecast_is_drawn_over_the_requests_that_came(leaked):
    run, figure = leaked
    (line,) = lines(panel(figure, "fds"), "forecast")
    times = line.get_xdata()
    answered = np.interp(times, run.requests["elapsed_s"], run.requests["requests"])
    before = times < run.first(Emfile).elapsed_s - 0.5
    heights = np.interp(line.get_ydata(), line.get_ydata()[[0, -1]], [32.0, 131.0])
    assert answered[before][5:] == pytest.approx(heights[before][5:], abs=4.0)


def test_a_last_forecast_leads_straight_from_the_end_to_the_limit(tmp_path):
    run = load_run(write_run(tmp_path, strategy="per-request-leaked", requests=80))
    verdict = leak(run, dead=False)
    forecast = verdict.resources["fds"].forecast
    axes = panel(draw_run(weigh(run, verdict)), "fds")
    (line,) = lines(axes, "forecast")
    assert list(line.get_xdata()) == [forecast.made_at_elapsed_s, forecast.elapsed_s]
    assert list(line.get_ydata()) == [forecast.level, forecast.limit]
    (band,) = [patch for patch in axes.patches if patch.get_label() == "forecast band"]
    ends = {tuple(corner) for corner in band.get_xy()}
    assert (forecast.interval_s.low, forecast.limit) in ends
    assert (forecast.interval_s.high, forecast.limit) in ends


def test_time_wait_is_told_apart_from_the_leak(leaked):
    _, figure = leaked
    axes = panel(figure, "connections")
    assert lines(axes, "TIME_WAIT")
    assert not lines(axes, "CLOSE_WAIT")
    assert any("not a leak" in text for text in texts(axes))


def test_threads_are_stacked_by_name(leaked):
    _, figure = leaked
    names = {collection.get_label() for collection in panel(figure, "threads").collections}
    assert {"rdk:broker*", "rdk:main", "gunicorn"} <= names


def test_memory_is_in_mebibytes(leaked):
    run, figure = leaked
    (line,) = lines(panel(figure, "rss_bytes"), "all processes")
    total = run.samples[run.samples["pid"] > 0].groupby("elapsed_s")["rss_bytes"].sum()
    assert line.get_ydata() == pytest.approx(total.to_numpy() / 2**20)


def test_cpu_time_is_a_share_of_a_core_and_told_per_request(leaked):
    run, figure = leaked
    (line,) = lines(panel(figure, "cpu_s"), "all processes")
    used = run.samples.groupby("pid")["cpu_s"].agg(lambda cpu: cpu.max() - cpu.min()).sum()
    mean = 100 * used / run.duration_s
    assert np.nanmean(line.get_ydata()) == pytest.approx(mean, rel=0.1)
    assert any(text.endswith("of CPU time a request") for text in texts(panel(figure, "cpu_s")))


def test_swap_has_a_panel_only_where_something_was_swapped_out(tmp_path):
    run = load_run(write_run(tmp_path))
    run.samples["swap_bytes"] = 0.0
    assert "swap_bytes" not in [axes.get_label() for axes in draw_run(weigh(run, clean(run))).axes]
    run.samples.loc[run.samples["pid"] == 101, "swap_bytes"] = 3.0 * 2**20
    axes = panel(draw_run(weigh(run, clean(run))), "swap_bytes")
    assert lines(axes, "all processes")[0].get_ydata() == pytest.approx(3.0)


def test_failures_and_answers_are_counted(leaked):
    run, figure = leaked
    last = run.requests.iloc[-1]
    shown = texts(panel(figure, "requests"))
    assert f"{int(last['failures'])} failed" in shown
    assert f"{int(last['requests'] - last['failures'])} answered" in shown


def test_a_wide_range_of_response_times_is_logarithmic(leaked):
    _, figure = leaked
    assert panel(figure, "latency").get_yscale() == "log"


def test_text_is_readable_at_1200_pixels(leaked):
    _, figure = leaked
    pixels_per_point = 1200 / figure.get_figwidth() / 72
    drawn = [t for axes in figure.axes for t in (*axes.texts, axes.title, axes.yaxis.label)]
    sizes = [text.get_fontsize() for text in [*figure.texts, *drawn] if text.get_text()]
    assert min(sizes) * pixels_per_point >= 11


def test_nothing_is_clipped_at_the_edges(leaked):
    _, figure = leaked
    renderer = figure.canvas.get_renderer()
    width, height = figure.canvas.get_width_height()
    for text in [*figure.texts, *(t for axes in figure.axes for t in axes.texts)]:
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0, text.get_text()
        assert box.x1 <= width, text.get_text()
        assert box.y0 >= 0, text.get_text()
        assert box.y1 <= height, text.get_text()


def test_without_what_was_not_recorded_the_panels_are_left_out(tmp_path):
    path = write_run(tmp_path, with_requests=False, with_composition=False)
    run = load_run(path)
    figure = draw_run(weigh(run, clean(run)))
    assert [axes.get_label() for axes in figure.axes] == ALL[:5]
    assert figure.axes[-1].get_xlabel()


def test_what_was_not_read_is_a_hole_and_no_zero(tmp_path):
    run = load_run(write_run(tmp_path, gap=(10.0, 14.0)))
    figure = draw_run(weigh(run, clean(run)))
    (line,) = lines(panel(figure, "fds"), "gunicorn 101")
    hole = np.isnan(line.get_ydata())
    assert hole.sum() == 1
    assert 10.0 < line.get_xdata()[hole][0] < 14.0
    assert np.nanmin(line.get_ydata()) > 0


def test_outages_and_gaps_are_shaded_and_named(tmp_path):
    run = load_run(write_run(tmp_path, outage=(10.0, 20.0), gap=(25.0, 28.0)))
    figure = draw_run(weigh(run, clean(run)))
    spans = [patch for patch in figure.axes[2].patches if patch.get_label() == "_span"]
    assert len(spans) == 2
    assert spans[0].get_x() == 10.0
    assert spans[0].get_width() == 10.0
    assert {"broker 127.0.0.1:40001 down", "not sampled"} <= set(texts(figure.axes[0]))


def test_three_samples_are_drawn_with_their_dots(tmp_path):
    run = load_run(write_run(tmp_path, requests=3))
    figure = draw_run(weigh(run, clean(run, verdict="inconclusive")))
    (line,) = lines(panel(figure, "fds"), "gunicorn 101")
    assert line.get_marker() == "o"
    assert said(figure)[0].startswith("shared: cannot tell")


def test_a_limit_far_above_is_told_and_does_not_flatten_the_line(tmp_path):
    run = load_run(write_run(tmp_path, fds_limit=1_048_576))
    verdict = clean(run)
    fds = verdict.resources["fds"]
    far = {**verdict.resources, "fds": type(fds)(**{**_fields(fds), "limit": 1_048_576.0})}
    axes = panel(draw_run(weigh(run, clean(run, resources=far))), "fds")
    assert not lines(axes, "limit")
    assert axes.get_ylim()[1] < 100
    assert "↑ limit 1,048,576, above the chart" in texts(axes)


def _fields(found):
    return {name: getattr(found, name) for name in type(found).__dataclass_fields__}


def test_the_time_axis_reaches_a_death_that_is_near(tmp_path):
    run = load_run(write_run(tmp_path, strategy="per-request-leaked", requests=80))
    verdict = leak(run, dead=False)
    figure = draw_run(weigh(run, verdict))
    assert figure.axes[0].get_xlim()[1] > verdict.resources["fds"].forecast.elapsed_s
    assert "end of the run" in texts(figure.axes[0])
    assert "in about 49 requests" in said(figure)[0]


def test_the_process_that_leaks_stands_out_of_the_others(tmp_path):
    path = write_run(tmp_path, strategy="per-request-leaked", workers=4, leaking_workers=1, rate=20)
    run = load_run(path)
    axes = panel(draw_run(weigh(run, leak(run))), "fds")
    colours = {line.get_label(): to_hex(line.get_color()).upper() for line in axes.lines}
    assert colours["gunicorn 101"] == style.VERMILION
    assert {colours[f"gunicorn {pid}"] for pid in (100, 102, 103, 104)} == {style.FAINT.upper()}


def test_a_replaced_worker_keeps_the_colour_of_the_one_before(tmp_path):
    path = write_run(tmp_path, restarts=(10.0, 20.0), shape=Shape(fds_per_request=0.2))
    run = load_run(path)
    axes = panel(draw_run(weigh(run, clean(run))), "fds")
    colours = {line.get_label(): to_hex(line.get_color()).upper() for line in axes.lines}
    assert {colours[f"gunicorn {pid}"] for pid in (101, 201, 301)} == {style.VERMILION}
    assert "restart (first of 2)" in texts(axes)


def test_a_day_is_drawn_with_few_points_and_every_peak(tmp_path):
    path = write_run(tmp_path, requests=86_400, rate=1, interval_s=1.0)
    run = load_run(path)
    run.samples.loc[run.samples["elapsed_s"].between(40_000, 40_001), "fds"] = 900.0
    figure = draw_run(weigh(run, clean(run)))
    axes = panel(figure, "fds")
    assert sum(len(line.get_xdata()) for axes in figure.axes for line in axes.lines) < 20_000
    highest = max(c.get_datalim(axes.transData).y1 for c in axes.collections)
    assert highest == pytest.approx(900.0)
    assert figure.axes[-1].get_xlabel() == "time since the run began, hours"


def test_an_aborted_run_says_so(tmp_path):
    run = load_run(write_run(tmp_path, outcome=None, requests=60))
    assert said(draw_run(weigh(run, clean(run))))[0].endswith(
        "cannot tell: the run was cut off after 7.4 s of load: nobody lived to end it"
    )


def test_the_picture_does_not_depend_on_the_machines_settings(tmp_path):
    run = load_run(write_run(tmp_path, requests=40))
    expected = style.png(draw_run(weigh(run, clean(run))))
    with matplotlib.rc_context({"font.size": 22.0, "axes.grid": False, "lines.linewidth": 9.0}):
        assert style.png(draw_run(weigh(run, clean(run)))) == expected


def test_a_name_with_markup_is_drawn_as_it_is(tmp_path):
    run = load_run(write_run(tmp_path, requests=40))
    raw = {**run.metadata.raw, "strategy": "a$x^2$_{b} & <i>"}
    (run.path / "run.json").write_text(json.dumps(raw))
    run = load_run(run.path)
    figure = draw_run(weigh(run, clean(run)))
    assert said(figure)[0].startswith("a$x^2$_{b} & <i>: flat")
    assert style.png(figure).startswith(b"\x89PNG")


def test_long_names_and_large_counts_stay_inside_the_picture(tmp_path):
    path = write_run(tmp_path, strategy="per-request-leaked", workers=4, rate=40, fds_limit=8192)
    composition = path / "composition.csv"
    long = "a-thread-with-a-very-long-name-indeed"
    composition.write_text(composition.read_text().replace("rdk:broker*", long))
    samples = path / "samples.csv"
    samples.write_text(samples.read_text().replace("gunicorn", "a-process-with-a-long-name"))
    run = load_run(path)
    run.composition["count"] *= 1000.0
    figure = draw_run(weigh(run, leak(run)))
    renderer = figure.canvas.get_renderer()
    width, _ = figure.canvas.get_width_height()
    for text in [*figure.texts, *(t for axes in figure.axes for t in axes.texts)]:
        assert text.get_window_extent(renderer).x1 <= width, text.get_text()


def test_only_what_grows_after_the_warm_up_is_in_colour(tmp_path, leaked):
    run = load_run(write_run(tmp_path))
    axes = panel(draw_run(weigh(run, clean(run))), "threads")
    flat = {to_hex(layer.get_facecolor()[0]) for layer in axes.collections}
    assert flat <= {"#b8bcc2", "#d3d6da"}
    layers = panel(leaked[1], "threads").collections
    grown = {layer.get_label(): to_hex(layer.get_facecolor()[0]).upper() for layer in layers}
    assert grown["rdk:broker*"] == style.VERMILION


def with_fds(run, level, limit, forecast=None):
    """What is found on a run that is level, with another limit."""
    fds = dataclasses.replace(clean(run).resources["fds"], limit=limit, forecast=forecast)
    return clean(run, resources={**clean(run).resources, "fds": fds})


@pytest.mark.parametrize(("limit", "drawn"), [(1024.0, False), (150.0, True)])
def test_a_limit_is_drawn_where_the_data_come_near_and_told_where_they_do_not(
    tmp_path, limit, drawn
):
    run = load_run(write_run(tmp_path))
    axes = panel(draw_run(weigh(run, with_fds(run, 52, limit))), "fds")
    assert bool(lines(axes, "limit")) is drawn
    assert (axes.get_ylim()[1] < 100) is not drawn
    told = f"limit {limit:,.0f}" if drawn else f"↑ limit {limit:,.0f}, above the chart"
    assert told in texts(axes)


def test_threads_and_memory_say_where_their_limits_are(tmp_path):
    run = load_run(write_run(tmp_path))
    figure = draw_run(weigh(run, clean(run)))
    assert "↑ limit 15,000, above the chart" in texts(panel(figure, "threads"))
    assert "↑ limit 2 GiB, above the chart" in texts(panel(figure, "rss_bytes"))
    run.samples["rss_bytes"] *= 20
    near = panel(draw_run(weigh(run, clean(run))), "rss_bytes")
    assert "limit 2 GiB" in texts(near)
    assert set(lines(near, "limit")[0].get_ydata()) == {2048.0}


def test_only_what_leads_has_its_forecast_drawn(tmp_path):
    run = load_run(write_run(tmp_path, strategy="per-request-leaked", requests=80))
    verdict = leak(run, dead=False)
    last = verdict.resources["fds"].forecast
    memory = dataclasses.replace(last, level=6e7, limit=2.0**31)
    resources = {
        **verdict.resources,
        "rss_bytes": dataclasses.replace(verdict.resources["rss_bytes"], forecast=memory),
    }
    for first, other in (("fds", "rss_bytes"), ("rss_bytes", "fds")):
        shown = leak(run, dead=False, resources=resources, first_to_exhaust=first)
        figure = draw_run(weigh(run, shown))
        assert lines(panel(figure, first), "forecast")
        assert not lines(panel(figure, other), "forecast")
    assert lines(panel(figure, "rss_bytes"), "forecast")[0].get_ydata()[-1] == 2048.0


def test_the_result_and_what_it_rests_on_stand_below_the_title(tmp_path):
    run = load_run(write_run(tmp_path))
    assessment = weigh(run, clean(run, verdict="inconclusive"))
    first = said(draw_run(assessment))[1].splitlines()[0]
    assert first.startswith(f"{assessment.result}: {assessment.because}"[:80])


def test_the_threads_are_open_where_nothing_was_sampled(tmp_path):
    run = load_run(write_run(tmp_path, gap=(10.0, 16.0)))
    layers = panel(draw_run(weigh(run, clean(run))), "threads").collections
    for layer in layers:
        assert len(layer.get_paths()) == 2
        edges = [path.get_extents() for path in layer.get_paths()]
        assert edges[0].x1 <= 10.0
        assert edges[1].x0 >= 16.0


@pytest.mark.parametrize(
    "name",
    [
        "x" * 255,
        "two\nlines\r\tand \x1b[31mred\x00",
        "\u202eevil \u05e9\u05dc\u05d5",
        "🔥",
        "\ud800",
    ],
)
def test_no_name_breaks_the_picture(tmp_path, name):
    run = load_run(write_run(tmp_path, requests=40))
    raw = {**run.metadata.raw, "strategy": name}
    (run.path / "run.json").write_text(json.dumps(raw))
    run = load_run(run.path)
    figure = draw_run(weigh(run, clean(run)))
    assert style.png(figure).startswith(b"\x89PNG")  # warnings, of missing letters too, are errors
    assert said(figure)[0].endswith("flat, 52 descriptors after 39 requests")
    assert len(said(figure)[0]) < 120


def test_a_title_that_does_not_fit_is_cut():
    figure = style.new_figure(3.0)
    style.headings(figure, "a long finding " * 40, "", 0.95)
    (title, _) = figure.texts
    assert title.get_text().endswith("…")
    assert title.get_window_extent().x1 <= figure.canvas.get_width_height()[0]


@pytest.mark.parametrize("spoilt", [{"elapsed_s": 1.0}, {"requests": np.nan}])
def test_requests_that_have_no_rate_have_no_panel(tmp_path, spoilt):
    run = load_run(write_run(tmp_path, requests=40))
    panels = len(draw_run(weigh(run, clean(run))).axes)
    run = dataclasses.replace(run, requests=run.requests.assign(**spoilt))
    assert len(draw_run(weigh(run, clean(run))).axes) == panels - 1


def test_a_failure_count_that_was_not_always_read_is_drawn(tmp_path):
    run = load_run(write_run(tmp_path, requests=40))
    failures = run.requests["failures"].where(run.requests.index > 3)
    run = dataclasses.replace(run, requests=run.requests.assign(failures=failures))
    assert draw_run(weigh(run, clean(run))).axes
