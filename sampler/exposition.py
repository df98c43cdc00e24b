"""What a metrics page says of its process, and of the heap after the latest collection.

Two kinds of pages: the text format of Prometheus (version 0.0.4), and the JSON object of Go's
`expvar`. Only the few lines that tell of the process, of collections and of requests are read.
"""

import math
import re
from collections.abc import Iterator, Mapping

from tidemark.record.objects import parse_object
from tidemark.sampler.exported import NAMES, REQUESTS, Values
from tidemark.sampler.heap import HeapFigures

_GO_LIVE = "go_gc_heap_live_bytes"
_GO_NEXT = "go_memstats_next_gc_bytes"
_GO_PERCENT = "go_gc_gogc_percent"
_GO_LIMIT = "go_gc_gomemlimit_bytes"
_GO_COUNTS = ("go_gc_duration_seconds_count", "go_gc_cycles_total_gc_cycles_total")
_JVM_LIVE = "jvm_gc_live_data_size_bytes"
_JVM_COUNT = "jvm_gc_pause_seconds_count"

HEAP = (_GO_LIVE, _GO_NEXT, _GO_PERCENT, _GO_LIMIT, *_GO_COUNTS, _JVM_LIVE, _JVM_COUNT)
"""Metrics that tell of the heap after a collection."""

_STARTS = tuple(name.encode() for name in {*HEAP, *NAMES})
_REQUEST_STARTS = tuple(name.encode() for name in REQUESTS)
_LINE = re.compile(
    rb"([a-z_]+)(?:\{((?:[^\"}]|\"(?:[^\"\\]|\\.)*\")*)\})?"
    rb"[ \t]+([-+.\dA-Za-z]+)(?:[ \t]+-?\d+)?\s*"
)
_LABEL = re.compile(rb"([A-Za-z_]\w*)[ \t]*=[ \t]*\"((?:[^\"\\]|\\.)*)\"")

_USUAL_PERCENT = 100.0
_MOST_PERCENT = 1e6
"""`GOGC=off` is shown as a number beyond all that anybody would set."""
_LARGEST = 2.0**48
"""No heap and no count is larger; Go shows no limit as one that is."""


def parse_samples(page: bytes) -> Values:
    """The values of the metrics of the process; other lines, and damaged ones, are left out.

    Args:
        page: In the text format of Prometheus.
    """
    found: dict[str, list[float]] = {}
    for name, _, value in _lines(page, _STARTS):
        found.setdefault(name, []).append(value)
    return found


def parse_requests(page: bytes) -> list[tuple[str, Mapping[str, str], float]]:
    """The counters of requests on a page: name, labels as they are written there, and value.

    Args:
        page: In the text format of Prometheus.
    """
    return [
        (name, {key.decode(): text.decode(errors="replace") for key, text in labels}, value)
        for name, labels, value in _lines(page, _REQUEST_STARTS)
    ]


def _lines(
    page: bytes, starts: tuple[bytes, ...]
) -> Iterator[tuple[str, list[tuple[bytes, bytes]], float]]:
    for line in page.splitlines():
        match = _LINE.fullmatch(line) if line.startswith(starts) else None
        value = _number(match[3]) if match else None
        if match and value is not None:
            yield match[1].decode(), _LABEL.findall(match[2] or b""), value


def _number(text: bytes) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def heap_of(page: bytes) -> HeapFigures | None:
    """The heap after the latest collection; None if the page does not tell of collections.

    Args:
        page: A whole page: the text format of Prometheus, or a JSON object.
    """
    return heap_in(samples_of(page))


def samples_of(page: bytes) -> Values:
    """The values of the metrics of the process on a page of either kind.

    Args:
        page: A whole page: the text format of Prometheus, or a JSON object.
    """
    return _of_expvar(page) if page.lstrip()[:1] == b"{" else parse_samples(page)


def heap_in(samples: Values) -> HeapFigures | None:
    """The heap after the latest collection; None if these do not tell of collections.

    Args:
        samples: Of one page, or of one scrape.
    """
    return _of_go(samples) or _of_micrometer(samples)


def _of_expvar(page: bytes) -> Values:
    memory = (parse_object(page) or {}).get("memstats")
    if not isinstance(memory, dict):
        return {}
    pairs = ((_GO_NEXT, memory.get("NextGC")), (_GO_COUNTS[0], memory.get("NumGC")))
    return {name: [float(value)] for name, value in pairs if type(value) is int and value >= 0}


def _of_go(samples: Values) -> HeapFigures | None:
    counts = (_only(samples, name) for name in _GO_COUNTS)
    count = next((one for one in counts if one is not None), None)
    if count is None:
        return None
    live = _only(samples, _GO_LIVE)
    return HeapFigures(_whole(_go_live(samples) if live is None else live, count), int(count))


def _go_live(samples: Values) -> float | None:
    """What the latest collection left, from the size at which the next one begins.

    Source: runtime/mgcpacer.go, `NextGC = live + (live + stacks + globals) * GOGC / 100`: a little
    too much, by the stacks and globals, and never less than what `GOGC` makes of 4 MiB.
    With a memory limit the next collection may begin earlier, and says nothing.
    """
    next_bytes, percent = _only(samples, _GO_NEXT), _only(samples, _GO_PERCENT)
    if _GO_PERCENT not in samples:
        percent = _USUAL_PERCENT
    limit = _only(samples, _GO_LIMIT)
    if next_bytes is None or percent is None or percent > _MOST_PERCENT:
        return None
    return None if limit is not None else next_bytes * 100 / (100 + percent)


def _of_micrometer(samples: Values) -> HeapFigures | None:
    """Its counts are by action and cause; the size is one of the old generation alone."""
    live, counts = _only(samples, _JVM_LIVE), samples.get(_JVM_COUNT)
    if live is None or not counts or sum(counts) > _LARGEST:
        return None
    return HeapFigures(_whole(live, sum(counts)), int(sum(counts)))


def _whole(number: float | None, collections: float) -> int | None:
    return int(number) if number and collections else None


def _only(samples: Values, name: str) -> float | None:
    """The value of a metric that has one: several are those of several processes."""
    values = samples.get(name, ())
    return values[0] if len(values) == 1 and values[0] <= _LARGEST else None
