"""The metrics page of a target: what is read of it, and what is not waited for."""

import itertools
import json
import math
import os
import shutil
import subprocess
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.events import RuntimeSeen, Unread
from tidemark.sampler import metrics_endpoint
from tidemark.sampler.errors import MetricsError
from tidemark.sampler.exposition import heap_of, parse_samples
from tidemark.sampler.figures import ProcessFigures
from tidemark.sampler.heap import HeapFigures
from tidemark.sampler.metrics_endpoint import MetricsEndpoint, fetch
from tidemark.sampler.runtime_watch import RuntimeWatch
from tidemark.sampler.tree import ProcessTree, identify
from tidemark.sampler.unreadable import Unreadable

GO = b"""\
# HELP go_gc_duration_seconds A summary of the wall-time pause (stop-the-world) duration.
# TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile="0"} 0.000355396
go_gc_duration_seconds{quantile="1"} 0.005525502
go_gc_duration_seconds_sum 0.006970422
go_gc_duration_seconds_count 3
# TYPE go_gc_gogc_percent gauge
go_gc_gogc_percent 100
# TYPE go_gc_gomemlimit_bytes gauge
go_gc_gomemlimit_bytes 9.223372036854776e+18
go_memstats_heap_alloc_bytes 1.0643608e+07
# TYPE go_memstats_next_gc_bytes gauge
go_memstats_next_gc_bytes 2.1403066e+07
"""
"""What client_golang 1.25 shows of a program built with Go 1.26, shortened."""

GO_LIVE = b"""\
go_gc_cycles_automatic_gc_cycles_total 2
go_gc_cycles_total_gc_cycles_total 3
go_gc_heap_live_bytes 1.0578616e+07
"""

EXPVAR = b"""{
"cmdline": ["./service"],
"memstats": {"Alloc":10903680,"HeapAlloc":10903680,"NextGC":21403066,"NumGC":3,"EnableGC":true}
}"""

MICROMETER = b"""\
# TYPE jvm_gc_live_data_size_bytes gauge
jvm_gc_live_data_size_bytes{application="a \\"}\\" b",} 4.49792E7
# TYPE jvm_gc_pause_seconds summary
jvm_gc_pause_seconds_count{action="end of minor GC",cause="G1 Evacuation Pause",} 11.0
jvm_gc_pause_seconds_sum{action="end of minor GC",cause="G1 Evacuation Pause",} 0.066
jvm_gc_pause_seconds_count{action="end of major GC",cause="Metadata GC Threshold",} 2.0
"""

NODE = b"""\
nodejs_heap_size_used_bytes 6011936
nodejs_gc_duration_seconds_count{kind="major"} 2
"""

DERIVED = 10_701_533


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (GO, HeapFigures(DERIVED, 3)),
        (GO + GO_LIVE, HeapFigures(10_578_616, 3)),
        (GO_LIVE, HeapFigures(10_578_616, 3)),
        (EXPVAR, HeapFigures(DERIVED, 3)),
        (MICROMETER, HeapFigures(44_979_200, 13)),
        (GO.replace(b"percent 100", b"percent 300"), HeapFigures(5_350_766, 3)),
        (GO.replace(b"percent 100", b"percent 1.8446744073709552e+19"), HeapFigures(None, 3)),
        (GO.replace(b"9.223372036854776e+18", b"6.7108864e+07"), HeapFigures(None, 3)),
        (GO.replace(b"_count 3", b"_count 0"), HeapFigures(None, 0)),
        (GO.replace(b"_count 3", b"_count 3 1700000000000"), HeapFigures(DERIVED, 3)),
        (GO.replace(b"\n", b"\r\n"), HeapFigures(DERIVED, 3)),
        (GO + b'go_memstats_next_gc_bytes{job="b"} 5\n', HeapFigures(None, 3)),
        (GO.replace(b"_count 3", b"_count NaN"), None),
        (MICROMETER.replace(b"4.49792E7", b"0.0"), HeapFigures(None, 13)),
        (MICROMETER.replace(b"jvm_gc_live", b"jvm_gc_dead"), None),
        (NODE, None),
        (b"<html>not found</html>", None),
        (b'{"memstats": 3}', None),
        (b'{"memstats": {"NumGC": true}}', None),
        (b"{", None),
        (b"", None),
    ],
)
def test_the_heap_that_a_page_tells(page, expected):
    assert heap_of(page) == expected


@given(st.binary(max_size=200))
def test_no_page_is_an_error(page):
    for whole in (page, GO[: len(page) * 3] + page, b"go_gc_duration_seconds_count" + page):
        found = heap_of(whole)
        assert found is None or found.collections >= 0


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.dictionaries(st.sampled_from(["memstats", "NextGC", "NumGC"]), inner),
        max_leaves=8,
    )
)
def test_no_json_is_an_error(value):
    found = heap_of(json.dumps({"memstats": value}).encode())
    assert found is None or found.collections >= 0


@given(st.floats(0, 1e12), st.text(st.characters(codec="utf-8"), max_size=20), st.booleans())
def test_values_round_trip_whatever_the_labels(value, label, has_labels):
    shown = label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    labels = f'{{job="{shown}",}}' if has_labels else ""
    page = f"go_gc_heap_live_bytes{labels} {value!r}\nother 1\n".encode()
    if any(mark in shown for mark in "\r\v\f\x1c\x1d\x1e\x85"):
        return  # a damaged line
    (found,) = parse_samples(page)["go_gc_heap_live_bytes"]
    assert math.isclose(found, value)


# -- fetching ---------------------------------------------------------------------------------


@pytest.fixture
def page():
    """A server; `serve.handle` answers."""

    @contextmanager
    def serve(handle):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                handle(self)

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

    return serve


def answer(status, body=b"", **headers):
    def handle(request):
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return handle


def test_a_page_is_fetched(page):
    with page(answer(200, GO)) as url:
        assert fetch(url) == GO


@pytest.mark.parametrize("status", [204, 302, 401, 404, 500])
def test_only_a_page_is_one(page, status):
    with (
        page(answer(status, Location="http://127.0.0.1:9/")) as url,
        pytest.raises(MetricsError, match=f"/metrics answers {status}: "),
    ):
        fetch(url)


def test_a_page_without_an_end_is_not_read(page, monkeypatch):
    monkeypatch.setattr(metrics_endpoint, "MOST_BYTES", 1 << 20)
    with (
        page(answer(200, b"x" * (3 << 20))) as url,
        pytest.raises(MetricsError, match="larger than 1 MiB"),
    ):
        fetch(url)


def test_a_page_that_does_not_come_is_not_waited_for(page, monkeypatch):
    monkeypatch.setattr(metrics_endpoint, "TIMEOUT_S", 0.1)
    may_end = threading.Event()
    with page(lambda request: may_end.wait(20)) as url:
        with pytest.raises(MetricsError, match="timed out"):
            fetch(url)
        may_end.set()


def test_a_page_that_drips_is_not_waited_for(page, monkeypatch):
    monkeypatch.setattr(metrics_endpoint, "TIMEOUT_S", 0.2)
    may_end = threading.Event()

    def drip(request):
        answer(200)(request)
        while not may_end.wait(0.02):
            try:
                request.wfile.write(b"x")
            except OSError:
                return

    with page(drip) as url:
        with pytest.raises(MetricsError, match="takes longer than"):
            fetch(url)
        may_end.set()


def test_nobody_there_and_no_secret_told():
    with pytest.raises(MetricsError, match="refused") as found:
        fetch("http://me:hunter2@127.0.0.1:9/metrics")
    assert "hunter2" not in str(found.value)


# -- the thread -------------------------------------------------------------------------------


@pytest.fixture
def reading():
    """Makes an endpoint that reads pages which the test gives."""
    made = []

    def make(*pages):
        left = list(pages)

        def read(url):
            page = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(page, Exception):
                raise page
            return page

        made.append(MetricsEndpoint("http://localhost/metrics", read, every_s=0.01))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_figures_are_those_of_the_latest_collection(reading, eventually):
    later = GO.replace(b"2.1403066e+07", b"3e+07")
    endpoint = reading(GO, later, later.replace(b"_count 3", b"_count 4"))
    seen = set()

    def look():
        seen.add(endpoint.heap())
        return HeapFigures(15_000_000, 4) in seen

    eventually(look)
    assert seen <= {None, HeapFigures(DERIVED, 3), HeapFigures(15_000_000, 4)}


def fails(endpoint):
    try:
        endpoint.heap()
    except MetricsError as error:
        return str(error)
    return None


def test_a_page_that_cannot_be_read_any_more_leaves_nothing(reading, eventually):
    endpoint = reading(GO, MetricsError("http://localhost/metrics", "answers 500"))
    assert "answers 500" in eventually(lambda: fails(endpoint))


def test_a_page_of_something_else_says_so(reading, eventually):
    endpoint = reading(NODE)
    assert "tells of no collections" in eventually(lambda: fails(endpoint))


def test_what_nobody_else_can_tell_is_told_as_long_as_it_is_true(eventually, closed):
    is_gone = threading.Event()

    def read(url):
        if is_gone.is_set():
            raise MetricsError(url, "answers 500")
        return NODE + b"nodejs_active_handles_total 5\nprocess_open_fds 9\n"

    endpoint = closed(MetricsEndpoint("http://localhost/metrics", read, every_s=0.01))
    eventually(lambda: endpoint.beside() == {"handles": 5})
    is_gone.set()
    eventually(lambda: endpoint.beside() == {})


def test_old_figures_are_not_told(monkeypatch, eventually, closed):
    monkeypatch.setattr(metrics_endpoint, "_PATIENCE_S", 0.05)
    may_end = threading.Event()

    def read(url, pages=[GO]):  # noqa: B006 (it remembers)
        if not pages:
            may_end.wait(20)
        return pages.pop() if pages else GO

    endpoint = closed(MetricsEndpoint("http://localhost/metrics", read, every_s=0.01))
    assert "has not been read for" in eventually(lambda: fails(endpoint))
    may_end.set()


# -- a real program ---------------------------------------------------------------------------

SERVICE = """
package main

import (
	_ "expvar"
	"fmt"
	"net"
	"net/http"
	"runtime"
)

var kept [][]byte
var sink []byte

func main() {
	http.HandleFunc("/churn", func(w http.ResponseWriter, r *http.Request) {
		for at := 0; at < 4000; at++ {
			sink = make([]byte, 10240)
			if r.URL.RawQuery == "leak" && at%4 == 0 {
				kept = append(kept, sink)
			}
		}
		runtime.GC()
	})
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	fmt.Println(listener.Addr())
	http.Serve(listener, nil)
}
"""


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("go"), reason="needs the go command")
def test_a_go_program_of_garbage_stays_and_one_that_leaks_grows(tmp_path):
    (tmp_path / "main.go").write_text(SERVICE)
    build = ["go", "build", "-o", "service", "main.go"]
    subprocess.run(build, cwd=tmp_path, check=True, env={**os.environ, "GOFLAGS": "-mod=mod"})
    with subprocess.Popen([tmp_path / "service"], stdout=subprocess.PIPE, text=True) as service:
        try:
            host = f"http://{service.stdout.readline().strip()}"
            kept = {}
            for query in ("garbage", "leak"):
                found = []
                for _ in range(5):
                    with urlopen(f"{host}/churn?{query}", timeout=20):
                        found.append(heap_of(fetch(f"{host}/debug/vars")))
                counts = [one.collections for one in found]
                assert counts == sorted(set(counts)), "each round collects"
                kept[query] = [one.heap_bytes for one in found]
        finally:
            service.kill()
    assert max(kept["garbage"]) - min(kept["garbage"]) < 2**20
    steps = [later - former for former, later in itertools.pairwise(kept["leak"])]
    assert all(step == pytest.approx(1000 * 10240, rel=0.1) for step in steps), "what it keeps"


# -- the columns ------------------------------------------------------------------------------


class Told:
    """Tells what it was given."""

    def __init__(self, given):
        self.given = given
        self.is_closed = False

    def beside(self):
        return {"goroutines": 9}

    def heap(self):
        if isinstance(self.given, Exception):
            raise self.given
        return self.given

    def close(self):
        self.is_closed = True


def heaps(pid, told):
    """The figures of each process, twice, and what is said."""
    said = []
    tree = ProcessTree(identify(pid))
    watch = RuntimeWatch(tree, "api", said.append, Unreadable(said.append), told)
    rows = []
    with closing(watch):
        for now_s in (0.0, 1.0):
            tree.refresh(now_s)
            watch.look(now_s)
            found = [ProcessFigures(one, "x") for one in tree.members]
            watch.add_heaps(found)
            rows.append({one.pid: one.figures for one in found})
    return rows, said


def test_they_are_those_of_the_root(puppet):
    child = puppet.do("result = fork()")
    told = Told(HeapFigures(5000, 3))
    rows, _ = heaps(puppet.pid, told)
    root = {"goroutines": 9, "heap_bytes": 5000, "collections": 3}
    assert rows[1] == {puppet.pid: root, child: {}}
    assert told.is_closed


def test_a_page_that_is_not_there_is_told_once(puppet):
    told = Told(MetricsError("http://localhost/metrics", "answers 404"))
    rows, said = heaps(puppet.pid, told)
    assert rows == [{puppet.pid: {"goroutines": 9}}] * 2
    (unread,) = (event for event in said if isinstance(event, Unread))
    assert unread.pid == puppet.pid
    assert "answers 404" in unread.reason


def test_the_sampler_reads_the_page_it_is_given(puppet, samplers, address, page, eventually):
    child = puppet.do("result = fork()")
    with page(answer(200, GO)) as url:
        given = ("--interval", "0.05", "--metrics-url", url)
        sampler = samplers(puppet.pid, address, *given)
        sampler.ready()
        told = ("heap_bytes", "collections")

        def rows_of(pid):
            mine = (row for row in sampler.rows() if row["pid"] == str(pid))
            return [tuple(row[column] for column in told) for row in mine]

        eventually(lambda: (str(DERIVED), "3") in rows_of(puppet.pid))
        assert set(rows_of(child)) == {("", "")}
        assert sampler.stop() == (0, "")
    assert {event.runtime for event in sampler.events(RuntimeSeen)} == {"cpython"}


def test_the_sampler_goes_on_without_a_page(puppet, samplers, address, eventually):
    given = ("--interval", "0.05", "--metrics-url", "http://127.0.0.1:9/metrics")
    sampler = samplers(puppet.pid, address, *given)
    sampler.ready()
    (unread,) = eventually(lambda: sampler.events(Unread))
    assert "http://127.0.0.1:9/metrics cannot be read" in unread.reason
    assert sampler.stop() == (0, "")
    assert len(sampler.events(Unread)) == 1
    assert {row["heap_bytes"] for row in sampler.rows()} == {""}
    assert all(row["rss_anon_bytes"] for row in sampler.rows() if row["pid"] == str(puppet.pid))
