"""`tidemark sample --metrics-url` without `--pid`: where no sampler can go."""

import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.sampler.conftest import Sampler
from tidemark.record import layout
from tidemark.record.errors import OptionError
from tidemark.record.events import RuntimeSeen, SamplerStarted, TargetRestarted, Unread
from tidemark.record.options import read_all
from tidemark.sampler.errors import MetricsError, PageError
from tidemark.sampler.exported import figures_of, is_failure, runtime_of
from tidemark.sampler.exposition import parse_requests, parse_samples
from tidemark.sampler.live import Glance, describe
from tidemark.sampler.options import OPTIONS, Options
from tidemark.sampler.page_source import AnsweredCount, PageSource

URL = "http://service:9090/metrics"

GO = """\
# HELP process_open_fds Number of open file descriptors.
# TYPE process_open_fds gauge
process_open_fds 11
process_max_fds 4096
process_resident_memory_bytes 1.7e+07
process_cpu_seconds_total 0.25
process_start_time_seconds 1.79568540012e+09
process_virtual_memory_bytes 1.2e+09
go_info{version="go1.26"} 1
go_goroutines 9
go_threads 6
go_gc_duration_seconds_count 3
go_memstats_next_gc_bytes 8e+06
http_requests_total{code="200",handler="/a"} 100
http_requests_total{code="503",handler="/a"} 4
promhttp_metric_handler_requests_total{code="200"} 900
"""
PYTHON = """\
process_virtual_memory_bytes 1.0e+09
process_resident_memory_bytes 2.5e+07
process_start_time_seconds 1.79568540012e+09
process_cpu_seconds_total 0.57
process_open_fds 8.0
process_max_fds 1024.0
python_info{implementation="CPython",major="3"} 1.0
flask_http_request_total{method="GET",status="200"} 12.0
"""
NODE = """\
process_cpu_seconds_total 0.3
process_start_time_seconds 1795685400
process_resident_memory_bytes 54571008
process_open_fds 21
process_max_fds 1048576
nodejs_active_handles_total 5
nodejs_version_info{version="v22.1.0",major="22"} 1
"""
RUST = """\
process_cpu_seconds_total 1
process_max_fds 1024
process_open_fds 15
process_resident_memory_bytes 8384512
process_start_time_seconds 1795685400
process_threads 5
"""
SPRING = """\
jvm_threads_live_threads{application="a"} 24.0
process_files_open_files{application="a"} 61.0
process_files_max_files{application="a"} 1048576.0
process_cpu_time_ns_total{application="a"} 1.5E9
http_server_requests_seconds_count{status="200",uri="/a",outcome="SUCCESS"} 7
"""
DOTNET = """\
process_num_threads 22
process_working_set_bytes 51884032
process_cpu_seconds_total 0.4
"""
UNLIMITED = "process_open_fds 3\nprocess_max_fds 1.8446744073709552e+19\n"
SEVERAL = 'process_open_fds{pid="1"} 3\nprocess_open_fds{pid="2"} 3\nprocess_max_fds 9\n'


@pytest.mark.parametrize(
    ("page", "runtime", "expected"),
    [
        (
            GO,
            "go",
            {
                "fds": 11,
                "fds_limit": 4096,
                "threads": 6,
                "rss_bytes": 17_000_000,
                "cpu_s": 0.25,
                "goroutines": 9,
            },
        ),
        (
            PYTHON,
            "cpython",
            {"fds": 8, "fds_limit": 1024, "rss_bytes": 25_000_000, "cpu_s": 0.57},
        ),
        (
            NODE,
            "node",
            {
                "fds": 21,
                "fds_limit": 1_048_576,
                "rss_bytes": 54_571_008,
                "cpu_s": 0.3,
                "handles": 5,
            },
        ),
        (
            RUST,
            None,
            {"fds": 15, "fds_limit": 1024, "threads": 5, "rss_bytes": 8_384_512, "cpu_s": 1.0},
        ),
        (SPRING, "jvm", {"fds": 61, "fds_limit": 1_048_576, "threads": 24, "cpu_s": 1.5}),
        (DOTNET, None, {"threads": 22, "rss_bytes": 51_884_032, "cpu_s": 0.4}),
        (UNLIMITED, None, {"fds": 3}),
        (SEVERAL, None, {"fds_limit": 9}),
    ],
    ids=["go", "python", "node", "rust", "spring", "dotnet", "unlimited", "several"],
)
def test_what_client_libraries_export(page, runtime, expected):
    values = parse_samples(page.encode())
    assert figures_of(values) == expected
    assert runtime_of(values) == runtime


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"code": "500"}, True),
        ({"status": "5xx"}, True),
        ({"status_code": "404"}, False),
        ({"method": "GET"}, None),
    ],
)
def test_which_requests_failed(labels, expected):
    assert is_failure(labels) is expected


def test_labels_are_read_whatever_is_in_them():
    page = rb'http_requests_total{path="a\"},{",code="500",} 3' + b"\n"
    ((name, labels, value),) = parse_requests(page)
    assert (name, labels["code"], value) == ("http_requests_total", "500", 3.0)


# -- requests ---------------------------------------------------------------------------------


def counted(*values, name="http_requests_total"):
    return [(name, {"code": code}, value) for code, value in values]


def test_requests_are_counted_from_the_first_look_and_over_a_restart():
    count = AnsweredCount()
    looks = [
        (counted(("200", 100)), {"requests": 0, "failures": 0}),
        (counted(("200", 110), ("500", 2)), {"requests": 12, "failures": 2}),
        (counted(("200", 3), ("500", 1)), {"requests": 16, "failures": 3}),
    ]
    assert [count.look(one, is_new=False) for one, _ in looks] == [row for _, row in looks]
    # The new process has counted more than the former had.
    assert count.look(counted(("200", 500)), is_new=True) == {"requests": 516, "failures": 3}


def test_a_counter_that_is_not_there_at_first_had_counted_nothing():
    count = AnsweredCount()
    assert count.look([], is_new=True) is None
    assert count.look(counted(("200", 10)), is_new=False) == {"requests": 10, "failures": 0}


def test_the_best_counter_is_taken_and_kept():
    count = AnsweredCount()
    flask = [("flask_http_request_total", {}, 50.0)]
    assert count.look(flask, is_new=True) == {"requests": 0, "failures": None}
    both = [*counted(("200", 7)), ("flask_http_request_total", {}, 53.0)]
    assert count.look(both, is_new=False) == {"requests": 3, "failures": None}


# -- the source -------------------------------------------------------------------------------


def source(*pages, **given):
    """A source that reads pages one after the other, the last again and again."""
    left = list(pages)

    def read(url):
        page = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(page, Exception):
            raise page
        return page.encode()

    return PageSource(URL, "api", read, **given)


def test_a_page_becomes_a_row():
    sample = source(GO).take(0.0)
    (row,) = sample.process_rows(0.001)
    assert (row["pid"], row["process"], row["fds"]) == (1, "service:9090", 11)
    assert (row["heap_bytes"], row["collections"]) == (4_000_000, 3)
    assert "established" not in row
    assert sample.requests == {"requests": 0, "failures": 0}
    (seen,) = sample.events
    assert seen == RuntimeSeen(1, "service:9090", "go", target="api")


def test_the_heap_is_that_of_the_latest_collection():
    pages = source(GO, GO, GO.replace("8e+06", "9e+06"), GO.replace("count 3", "count 4"))
    heaps = [pages.take(0.0).processes[0].figures["heap_bytes"] for _ in range(3)]
    assert heaps == [4_000_000] * 3


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (GO, GO.replace("1.79568540012e+09", "1.79568549912e+09").replace("0.25", "0.5")),
        (SPRING, SPRING.replace("1.5E9", "1.0E9")),
    ],
    ids=["start", "cpu"],
)
def test_another_process_is_a_restart(before, after):
    pages = source(before, before, after)
    assert pages.take(0.0).processes[0].pid == 1
    sample = pages.take(1.0)
    assert sample.processes[0].pid == 2
    assert sample.events[0] == TargetRestarted(2, "service:9090", 1, "api")


def test_a_start_that_moves_with_the_clock_is_none():
    pages = source(GO, GO, GO.replace("540012e", "540112e"))
    assert [pages.take(0.0).processes[0].pid for _ in range(2)] == [1, 1]


def test_a_page_that_is_not_there_leaves_no_row_and_is_told_once():
    gone = MetricsError(URL, "answers 500")
    pages = source(GO, GO, gone, gone, GO)
    samples = [pages.take(0.0) for _ in range(4)]
    assert [len(one.processes) for one in samples] == [1, 0, 0, 1]
    told = [event for one in samples for event in one.events if isinstance(event, Unread)]
    assert [event.reason for event in told] == [f"{URL} answers 500; check --metrics-url"]
    assert samples[3].processes[0].pid == 1


@pytest.mark.parametrize(
    "page", ["", "<html>", "up 1\n", '{"memstats": {"NextGC": 5, "NumGC": 1}}']
)
def test_a_page_of_no_process_is_refused(page):
    with pytest.raises(PageError, match="says nothing of its process"):
        source(page)


def test_the_live_line_has_a_dash_for_what_the_page_does_not_say():
    glance = Glance()
    glance.update(3.0, [source(PYTHON.replace("process_res", "other_res")).take(0.0)], 0.0)
    assert "1 processes  fds 8  threads -  rss -  connections -" in describe(glance)


def test_where_a_load_generator_counts_nothing_is():
    assert source(GO, counts=False).take(0.0).requests is None


# -- the command ------------------------------------------------------------------------------


@contextmanager
def serving(page):
    """A server of pages that a function makes; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def page_samplers(tmp_path):
    with ExitStack() as stack:

        def make(*arguments):
            sampler = Sampler(tmp_path / "run", *arguments)
            stack.callback(sampler.process.communicate)
            stack.callback(sampler.process.kill)
            return sampler

        yield make


def test_the_sampler_watches_a_page_alone(page_samplers, eventually):
    state = {"requests": 100}

    def page():
        state["requests"] += 5
        return GO.replace("} 100", f"}} {state['requests']}").encode()

    with serving(page) as url:
        sampler = page_samplers("--metrics-url", url, "--interval", "0.05", "--target", "api")
        sampler.ready()
        eventually(lambda: len(sampler.rows()) >= 5)
        assert sampler.stop() == (0, "")
    first = sampler.rows()[0]
    assert (first["target"], first["pid"], first["fds"], first["goroutines"]) == (
        "api",
        "1",
        "11",
        "9",
    )
    assert {row["established"] for row in sampler.rows()} == {""}
    counts = [int(row["requests"]) for row in sampler.rows(layout.REQUESTS)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] >= 20
    assert sampler.events(SamplerStarted)[0].source == "metrics page"
    metadata = sampler.directory.read_metadata()
    assert metadata.outcome == "completed"
    assert metadata.target["metrics_url"] == url
    assert metadata.targets[0].pids == ()


def options(**given):
    wanted = {"out": "x", "metrics_url": URL, **given}
    values = read_all(OPTIONS, wanted)
    return Options(**values)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metrics_url": None}, "--pid must be given, or --metrics-url"),
        ({"brokers": "h:1"}, "--brokers does not apply to --metrics-url without --pid"),
        ({"source": "procfs"}, "--source does not apply"),
        ({"budget": 2}, "--budget does not apply"),
        ({"no_follow": True}, "--no-follow does not apply"),
        ({"pid_file": "x"}, "--pid-file does not apply"),
    ],
)
def test_what_does_not_apply_is_refused(given, message):
    with pytest.raises(OptionError, match=message):
        options(**given)


def test_a_page_alone_is_enough():
    assert options().pid == ()


def test_nobody_there_is_one_line_and_leaves_nothing(tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "tidemark.sampler", "--out", str(out)]
    command += ["--metrics-url", "http://me:hunter2@127.0.0.1:9/metrics"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "127.0.0.1:9/metrics cannot be read: " in done.stderr
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr
    assert not out.exists()
