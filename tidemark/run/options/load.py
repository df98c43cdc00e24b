"""The load of a run: how often something is sent, and what."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tidemark.record import options as value
from tidemark.record.options import Option
from tidemark.routes import Route, parse_route, read_headers
from tidemark.routes.reading import expect_apart

WORKLOADS = ("open", "closed")
LONGEST_S = 365 * 86_400
MIN_PAYLOAD_BYTES = 24  # run id, sequence number of up to fourteen digits, and two colons


def routes_of(texts: Iterable[str]) -> tuple[Route, ...]:
    """The routes of the command line; files of bodies are named from the working directory.

    Raises:
        ValueError: one of them is not good.
    """
    routes = tuple(route for text in texts for route in parse_route(text, Path()))
    expect_apart(routes)
    return routes


def _texts(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(map(str, given))


def _route_texts(given: Any) -> tuple[str, ...]:
    """Routes, as they were given once all have been found good."""
    routes_of(texts := _texts(given))
    return texts


def _header_texts(given: Any) -> tuple[str, ...]:
    """Headers, as they were given once all have been found good."""
    read_headers(texts := _texts(given))
    return texts


WORKLOAD = Option(
    "workload",
    value.choice(*WORKLOADS),
    "open",
    "open: Poisson arrivals at --rate, whatever the answers; "
    "closed: each user waits for its answer before the next request",
    "KIND",
    choices=WORKLOADS,
)
RATE = Option(
    "rate", value.number(0, 1e6, exclusive=True), 10.0, "requests per second, all users together"
)
RAMP = Option(
    "ramp",
    value.number(0, LONGEST_S),
    0.0,
    "seconds over which the rate rises from 0 to --rate",
    "S",
)
SETTLE = Option(
    "settle",
    value.number(0, LONGEST_S),
    0.0,
    "seconds of load in which the service may warm up: they are recorded, and not judged",
    "S",
)
BATCH_SIZE = Option(
    "batch_size", value.integer(1, 100_000), 10, "messages in the body of one request"
)
PAYLOAD_BYTES = Option(
    "payload_bytes",
    value.integer(MIN_PAYLOAD_BYTES, 800_000),
    100,
    "bytes of one message, the label that says which one it is included",
)
SEED = Option(
    "seed", value.integer(0), 1, "the same seed gives the same arrival times and payloads"
)
REQUEST_TIMEOUT = Option(
    "request_timeout",
    value.number(0, LONGEST_S, exclusive=True),
    5.0,
    "seconds until a request has failed",
    "S",
)
ROUTE = Option(
    "route",
    _route_texts,
    (),
    "send this instead of batches to /ingest; {batch} as body is such a batch; repeatable",
    "'METHOD PATH [BODY|@FILE]'",
    is_repeatable=True,
    in_form=False,
    holds_spaces=True,
)
HEADER = Option(
    "header",
    _header_texts,
    (),
    "send it with every request; ${NAME} is a variable of the environment; repeatable",
    "'NAME: VALUE'",
    is_repeatable=True,
    in_form=False,
    holds_spaces=True,
)
