"""The page of metrics is what readers of Prometheus pages read."""

from tidemark.agent.exporting import metrics_page
from tidemark.agent.shelf import Shelf
from tidemark.record.directory import RunDirectory
from tidemark.record.layout import SAMPLES
from tidemark.sampler.exported import figures_of
from tidemark.sampler.exposition import samples_of


def read(page):
    """Name -> values of all its label sets."""
    found = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            name, value = line.partition("{")[0].split(" ")[0], line.rpartition(" ")[2]
            found.setdefault(name, []).append(float(value))
    return found


def test_the_last_tick_under_conventional_names(folder):
    page = metrics_page(Shelf(folder), {200: 3})
    assert "# TYPE process_cpu_seconds_total counter" in page
    values = read(page)
    assert values["process_open_fds"] == [72.0, 82.0]
    assert values["tidemark_agent_http_requests_total"] == [3.0]
    assert values["tidemark_last_sample_timestamp_seconds"] == [1002.0]
    assert "process_threads" not in values  # unread is missing, never 0


def test_a_label_cannot_break_out(folder):
    page = metrics_page(Shelf(folder), {})
    assert 'process="a\\"b\\\\c"' in page


def test_what_it_exports_is_what_the_sampler_reads(folder):
    alone = "\n".join(
        line for line in metrics_page(Shelf(folder), {}).splitlines() if 'pid="8"' not in line
    )
    figures = figures_of(samples_of(alone.encode()))
    assert (figures["fds"], figures["fds_limit"], figures["cpu_s"]) == (72, 1024, 0.5)


def test_connections_are_those_that_were_read_last(folder):
    times = {"time_s": 1003.0, "elapsed_s": 3.0, "target": "t"}
    with RunDirectory(folder).writer(SAMPLES) as writer:
        writer.append({**times, "pid": 7, "process": "p", "fds": 1})
    values = read(metrics_page(Shelf(folder), {}))
    assert values["process_open_fds"] == [1.0]
    assert values["tidemark_connections"] == [7.0, 8.0]


def test_before_the_first_tick_there_is_nothing_to_tell(tmp_path):
    assert "process_" not in metrics_page(Shelf(tmp_path), {})
