"""What a collector of OpenTelemetry gets of a run under way."""

import http.server
import threading

import pytest
from click.testing import CliRunner
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from tests.analysis.rundirs import write_run
from tests.eventually import eventually
from tidemark.commands.watch import watch
from tidemark.live.exporting import metrics_page
from tidemark.live.otlp import sending
from tidemark.live.watching import Watched
from tidemark.record.errors import OptionError


@pytest.fixture
def collector():
    """A collector's URL, and what it was sent: path and message."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.headers["Content-Type"] == "application/x-protobuf"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, ExportMetricsServiceRequest.FromString(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


def points(message):
    """`name{labels}` -> value, as a page of Prometheus has them."""
    found = {}
    for metric in message.resource_metrics[0].scope_metrics[0].metrics:
        is_sum = metric.HasField("sum")
        for one in (metric.sum if is_sum else metric.gauge).data_points:
            told = ",".join(f'{name.key}="{name.value.string_value}"' for name in one.attributes)
            name = metric.name + ("_total" if is_sum else "") + (f"{{{told}}}" if told else "")
            found[name] = one.as_double if one.HasField("as_double") else one.as_int
    return found


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("otlp"), strategy="per-request-leaked")


@pytest.mark.long  # a verdict, and the SDK: some seconds
def test_a_collector_gets_what_a_prometheus_server_reads(ended, collector):
    url, got = collector
    watched = Watched(ended)
    with sending(watched, url), watched.followed():
        eventually(lambda: watched.is_over, "the verdict", timeout_s=90)
    path, message = got[-1]
    assert path == "/v1/metrics"
    about = {
        one.key: one.value.string_value for one in message.resource_metrics[0].resource.attributes
    }
    assert (about["service.name"], about["service.instance.id"]) == ("tidemark", ended.name)
    lines = [one for one in metrics_page(watched).splitlines() if not one.startswith("#")]
    values = {name: float(value) for name, _, value in (one.rpartition(" ") for one in lines)}
    assert points(message) == values
    assert values['tidemark_verdict{verdict="leak"}'] == 1


def test_the_command_sends_them(ended, collector):
    url, got = collector
    done = CliRunner().invoke(watch, [str(ended), "--otlp-endpoint", f"{url}/v1/metrics/"])
    assert done.exit_code == 0, done.output
    assert points(got[-1][1])["tidemark_run_under_way"] == 0


@pytest.mark.long
def test_a_collector_that_is_not_there_is_one_line(ended, capfd):
    with sending(Watched(ended), "http://127.0.0.1:9"):
        pass
    told = capfd.readouterr().err
    assert told.startswith("tidemark: http://127.0.0.1:9: ")
    assert told.count("\n") == 1


@pytest.mark.parametrize("url", ["", "127.0.0.1:4318", "ftp://x", "http://", "http://x:y"])
def test_what_is_no_url_is_refused(ended, url):
    with pytest.raises(OptionError, match="is no URL: give one as"), sending(Watched(ended), url):
        pass
