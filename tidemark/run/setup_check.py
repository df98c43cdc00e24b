"""A look at what a run would do: everything is started or found, and gets a single request."""

import csv
import http.client
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from tidemark.record.directory import RunDirectory
from tidemark.record.errors import TidemarkError
from tidemark.record.events import (
    LimitsRead,
    PermissionDenied,
    SamplerStarted,
    TargetUnconfirmed,
    Unread,
)
from tidemark.record.layout import SAMPLES
from tidemark.record.metadata import ABORTED
from tidemark.record.secrets import without_secrets
from tidemark.routes import Request, Route
from tidemark.run.journal import Ending
from tidemark.run.load import Load
from tidemark.run.options import RunOptions
from tidemark.run.orders import Orders
from tidemark.run.session import Session

MEASURED = {
    "fds": "file descriptors",
    "established": "connections",
    "threads": "threads",
    "rss_bytes": "resident memory",
}
"""Column -> what is missed where it stays empty."""
BESIDE = {"heap_bytes": "heap", "goroutines": "goroutines", "handles": "handles"}
"""The same of what only some processes tell."""


@dataclass
class Setup:
    """What was found.

    Attributes:
        found: Lines: what it is about, and what was seen.
        missing: What a run would lack; empty if it is all there.
    """

    found: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """What is told."""
        for about, what in self.found:
            yield f"{about:<10} {what}"
        for what in self.missing:
            yield f"{'missing':<10} {what}"
        if not self.missing:
            yield f"{'missing':<10} nothing"


def look_at_setup(
    options: RunOptions, host: str | None, lasts_s: float | None, route: Route | None
) -> Setup:
    """Start or find everything, send one request, take a sample, and stop what was started.

    Args:
        options: checked options of the run.
        host: URL of a service that is there already; None where one is named or started.
        lasts_s: how long the load of the run is going to last; None where no end is planned.
        route: what is sent where the options name no route; None where only the locustfile knows.
    """
    setup = Setup()
    with tempfile.TemporaryDirectory(prefix="tidemark-setup-") as folder:
        options = replace(options, results=Path(folder), run_name="setup")
        try:
            session = Session.start(options, host, lasts_s)
        except TidemarkError as error:
            setup.missing.append(str(error))
            return setup
        try:
            _send(session, route, setup)
        finally:
            session.finish(Ending(ABORTED, "only the setup was looked at"))
        _read(session, setup)
    return setup


def _send(session: Session, route: Route | None, setup: Setup) -> None:
    """Send the one request, and judge its answer like any other."""
    options = session.plan.options
    request = Request("GET", "", {}, None)
    if route or options.routes:
        load = Load(Orders.of_run(options, session.plan.run_id), session)
        turn = load.take(load.arrival_now(), route or options.routes[0])
        route, request = turn.turn.route, turn.request()
    began_s = time.monotonic()
    what = f"{request.method} {request.path or '/'} at {without_secrets(session.url)}"
    try:
        status, content = _answer(session.url, request, options.request_timeout)
    except (OSError, http.client.HTTPException) as error:
        setup.missing.append(f"an answer to {what}: {getattr(error, 'strerror', None) or error}")
        return
    took_ms = (time.monotonic() - began_s) * 1000
    setup.found.append(("request", f"{what}: {status} after {took_ms:.0f} ms"))
    failure = route.success.failure(status, content) if route else None
    if failure:
        setup.missing.append(f"success of {what}: {failure}")


def _answer(url: str, request: Request, timeout_s: float) -> tuple[int, bytes]:
    """The status and the content; no redirect is followed, and no proxy is used."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=timeout_s)
    try:
        path = f"{parts.path}{request.path}" or "/"
        connection.request(request.method, path, request.body, dict(request.headers))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _read(session: Session, setup: Setup) -> None:
    """What the sampler saw in the meantime."""
    directory = RunDirectory(session.path)
    brokers = directory.read_metadata().brokers
    told = ", ".join(brokers) or "none: connections are told apart by where they lead"
    setup.found.append(("brokers", told))
    if not session.plan.is_watched:
        setup.missing.append("a process to watch (--no-target): there would be no verdict")
        return
    for recorded in directory.read_events():
        _read_event(recorded.event, setup)
    rows = [row for row in _rows(session.path / SAMPLES.file) if row["pid"] != "0"]
    columns = {name for row in rows for name, value in row.items() if value}
    measured = [what for name, what in (MEASURED | BESIDE).items() if name in columns]
    setup.found.append(("measured", ", ".join(measured) or "nothing"))
    is_page_alone = session.plan.options.no_target
    for name, what in MEASURED.items():
        if name not in columns and is_page_alone and columns:
            setup.found.append(("note", f"{what}: not on the metrics page"))
        elif name not in columns:
            setup.missing.append(f"{what}: not read")


def _read_event(event: object, setup: Setup) -> None:
    if isinstance(event, LimitsRead):
        limit = "unknown" if event.fds_limit is None else f"{event.fds_limit:,}"
        setup.found.append(("process", f"{event.process} ({event.pid}), descriptor limit {limit}"))
    elif isinstance(event, SamplerStarted):
        reason = f", for {event.reason}" if event.reason else ""
        setup.found.append(("sampler", f"reads by {event.source}{reason}"))
    elif isinstance(event, TargetUnconfirmed):
        setup.missing.append(f"proof that the watched process answers: {event.reason}")
    elif isinstance(event, PermissionDenied):
        setup.missing.append(f"a right: {event.what} of process {event.pid} needs {event.missing}")
    elif isinstance(event, Unread):
        setup.found.append(("note", str(event.reason)))


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
