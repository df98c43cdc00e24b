"""Whatever a run directory can hold, its report is drawn or the input is refused in one line."""

import json

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidemark.analysis.figures import style
from tidemark.analysis.figures.comparison_figure import depict_comparison
from tidemark.analysis.figures.run_figure import depict_run
from tidemark.analysis.reports import html, junit, markdown, verdict_json
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import assess
from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import COMPOSITION, FORMAT, ONLY_TARGET, REQUESTS, SAMPLES
from tidemark.record.metrics import TCP_STATES

FIGURES = st.one_of(st.none(), st.integers(0, 3), st.sampled_from([1024, 180_234, 2**50]))
EVENTS = st.sampled_from(
    ["emfile", "gap", "broker_down", "broker_up", "target_restarted", "stalled", "run_ended", "?"]
)
MEASURED = ["fds", "fds_limit", "threads", "rss_bytes", "cpu_s", *TCP_STATES, "sample_cost_s"]


@st.composite
def runs(draw):
    """Draw the content of a run directory: times, and a table for each file."""
    steps = draw(st.lists(st.sampled_from([0.2, 0.2, 0.2, 1.0, 600.0]), min_size=1, max_size=40))
    times = np.cumsum(steps)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    pids = draw(st.lists(st.sampled_from([0, 1, 7, 12, 99]), min_size=1, max_size=4, unique=True))
    samples = pd.DataFrame([(at, at, pid) for at in times for pid in pids])
    samples.columns = ["time_s", "elapsed_s", "pid"]
    samples = samples.reindex(columns=list(SAMPLES.columns))
    samples["target"] = ONLY_TARGET
    samples["process"] = np.where(samples["pid"] == 0, "kernel", "a|<b> $x$")
    for column in MEASURED:
        samples[column] = _column(draw, random, len(samples))
    requests = pd.DataFrame({"time_s": times, "elapsed_s": times}, columns=list(REQUESTS.columns))
    requests["users"] = 1
    for column in ("requests", "failures", "messages_accepted"):
        requests[column] = np.cumsum(random.integers(0, draw(st.integers(1, 9)), len(times)))
    requests["requests"] += requests["failures"]
    for column in ("p50_ms", "p95_ms", "p99_ms"):
        requests[column] = _column(draw, random, len(times))
    names = draw(st.lists(st.text("ab*|<$", min_size=1), max_size=9, unique=True))
    rows = [
        (at, at, ONLY_TARGET, 7, "thread", name, random.integers(0, 9))
        for at in times
        for name in names
    ]
    composition = pd.DataFrame(rows, columns=list(COMPOSITION.columns))
    events = draw(st.lists(st.tuples(EVENTS, st.sampled_from(list(times))), max_size=12))
    return samples, draw(st.sampled_from([requests, None])), composition, events


def _column(draw, random, size):
    base, noise = draw(FIGURES), draw(st.sampled_from([0, 5]))
    values = np.full(size, np.nan if base is None else float(base))
    values += random.integers(0, noise + 1, size)
    values[random.random(size) < draw(st.sampled_from([0.0, 0.5]))] = np.nan
    return values


def write(path, drawn):
    samples, requests, composition, events = drawn
    path.mkdir()
    (path / "run.json").write_text(json.dumps({"format": FORMAT}))
    samples.to_csv(path / "samples.csv", index=False)
    composition.to_csv(path / "composition.csv", index=False)
    if requests is not None:
        requests.to_csv(path / "requests.csv", index=False)
    lines = [
        json.dumps({"time_s": at, "elapsed_s": at, "event": name, "broker": "b", "missed_ticks": 3})
        for name, at in events
    ]
    (path / "events.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return path


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=runs())
def test_every_run_is_reported_or_refused(tmp_path_factory, drawn):
    path = write(tmp_path_factory.mktemp("odd") / "run", drawn)
    try:
        run = load_run(path)
        assessment = assess(run)
    except UnusableRunError:
        return
    drawn = depict_run(assessment)
    picture = style.png(drawn.figure)
    together = depict_comparison([assessment, assessment])
    both = (style.png(together.figure), together.view)
    assert picture.startswith(b"\x89PNG")
    assert html.render(assessment, picture, drawn.view)
    assert html.render_comparison([assessment], "x", both, [(picture, drawn.view)])
    assert junit.render(assessment)
    assert markdown.render(assessment)
    json.loads(verdict_json.render(assessment))
