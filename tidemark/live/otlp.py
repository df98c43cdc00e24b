"""A run under way sent to a collector of OpenTelemetry: the metrics of the page of Prometheus.

Needs the packages of the extra `otel`. Protocol: https://opentelemetry.io/docs/specs/otlp/
(protobuf over HTTP).
"""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tidemark.live.exporting import EXPORTED, Exported, snapshot
from tidemark.live.watching import Watched
from tidemark.record.errors import OptionError

try:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
except ImportError as error:
    what = "--otlp-endpoint needs more packages: pip install 'tidemark-soak[otel]'"
    raise OptionError(what) from error

EVERY_S = 10.0
TIMEOUT_S = 5.0
PATH = "/v1/metrics"


@contextmanager
def sending(watched: Watched, endpoint: str) -> Iterator[None]:
    """Send them every ten seconds for as long as the context lasts, and at its end.

    A collector that does not answer is complained of once, and tried again each time.

    Args:
        watched: The run.
        endpoint: The collector's URL, with or without the path of metrics.

    Raises:
        OptionError: The URL is none.
    """
    exporter = OTLPMetricExporter(endpoint=_url(endpoint), timeout=TIMEOUT_S)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=EVERY_S * 1000)
    about = Resource.create({"service.name": "tidemark", "service.instance.id": watched.run.name})
    with _complaining_once(endpoint):
        provider = MeterProvider([reader], about, shutdown_on_exit=False)
        meter = provider.get_meter("tidemark")
        for metric in EXPORTED:
            _observe(meter, metric, watched)
        try:
            yield
        finally:
            provider.shutdown(timeout_millis=TIMEOUT_S * 1000)


def _url(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        what = f"--otlp-endpoint: {endpoint[:80]!r} is no URL: give one as http://127.0.0.1:4318"
        raise OptionError(what)
    base = endpoint.rstrip("/")
    return base if base.endswith(PATH) else base + PATH


def _observe(meter: Meter, metric: Exported, watched: Watched) -> None:
    callbacks = [_reader(metric, watched)]
    if metric.kind == "counter":
        name = metric.name.removesuffix("_total")  # that ending is one of Prometheus
        meter.create_observable_counter(name, callbacks, description=metric.help)
    else:
        meter.create_observable_gauge(metric.name, callbacks, description=metric.help)


def _reader(
    metric: Exported, watched: Watched
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: [Observation(value, about) for about, value in metric.known(snapshot(watched))]


class _Once(logging.Handler):
    """Says the first complaint, in one line."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(logging.WARNING)
        self._endpoint = endpoint
        self._is_said = False

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        if not self._is_said:
            self._is_said = True
            why = record.getMessage().partition("\n")[0][:200]
            sys.stderr.write(f"tidemark: {self._endpoint}: {why}\n")


@contextmanager
def _complaining_once(endpoint: str) -> Iterator[None]:
    log = logging.getLogger("opentelemetry")
    handler, propagates = _Once(endpoint), log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagates
