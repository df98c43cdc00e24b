"""The metrics page of the target, read by a thread of its own: it may take its time."""

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from tidemark.record.secrets import without_secrets
from tidemark.sampler.errors import MetricsError
from tidemark.sampler.exported import PAGE_COLUMNS, figures_of
from tidemark.sampler.exposition import heap_in, samples_of
from tidemark.sampler.figures import Figure
from tidemark.sampler.heap import HeapFigures

EVERY_S = 2.0
TIMEOUT_S = 1.0
MOST_BYTES = 4 << 20
_PART_BYTES = 65536
_PATIENCE_S = 5.0
"""A server that sends a byte now and then is not waited for longer than that."""
_HEADERS = {"Accept": "text/plain;version=0.0.4, application/json;q=0.5", "Connection": "close"}
_FAULTS = (OSError, http.client.HTTPException, ValueError)


def fetch(url: str) -> bytes:
    """Fetch a page; proxies of the environment are not used, and redirects not followed.

    Args:
        url: `http://HOST:PORT/PATH`, or https.

    Raises:
        MetricsError: It does not answer with a page of a likely size in time.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    end_s = time.monotonic() + TIMEOUT_S
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request("GET", parts.path or "/", headers=_HEADERS)
            with connection.getresponse() as response:
                if response.status != http.client.OK:
                    raise MetricsError(without_secrets(url), f"answers {response.status}")
                return _read(response, end_s)
    except _FAULTS as error:
        what = str(error) or type(error).__name__
        raise MetricsError(without_secrets(url), f"cannot be read: {what}") from error


def _read(response: http.client.HTTPResponse, end_s: float) -> bytes:
    page = bytearray()
    while part := response.read1(_PART_BYTES):
        page += part
        if len(page) > MOST_BYTES:
            raise ValueError(f"the page is larger than {MOST_BYTES >> 20} MiB")
        if time.monotonic() > end_s:
            raise TimeoutError(f"the page takes longer than {TIMEOUT_S:g} s")
    return bytes(page)


class MetricsEndpoint:
    """Reads a metrics page every other second, until it is closed.

    Args:
        url: The page.
        read: Fetches it.
        every_s: Seconds between readings.
    """

    def __init__(
        self, url: str, read: Callable[[str], bytes] = fetch, every_s: float = EVERY_S
    ) -> None:
        self._url = url
        self._read = read
        self._every_s = every_s
        self._latest: HeapFigures | MetricsError | None = None
        self._beside: Mapping[str, Figure] = {}
        self._looked_s = time.monotonic()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        held = None
        while True:
            try:
                self._latest = held = self._look().after(held)
            except MetricsError as error:
                self._latest = error
            self._looked_s = time.monotonic()
            if self._ending.wait(self._every_s):
                return

    def _look(self) -> HeapFigures:
        try:
            samples = samples_of(self._read(self._url))
        except MetricsError:
            self._beside = {}
            raise
        told = figures_of(samples)
        self._beside = {name: told[name] for name in PAGE_COLUMNS if name in told}
        found = heap_in(samples)
        if found is None:
            raise self._error("tells of no collections")
        return found

    def _error(self, what: str) -> MetricsError:
        return MetricsError(without_secrets(self._url), what)

    def heap(self) -> HeapFigures | None:
        """What the page said when it was last read; None before it was.

        Raises:
            MetricsError: It could not be read lately, or tells of no collections.
        """
        latest = self._latest
        if isinstance(latest, MetricsError):
            raise latest
        silent_s = time.monotonic() - self._looked_s
        if silent_s > self._patience_s:
            raise self._error(f"has not been read for {silent_s:.0f} s")
        return latest

    def beside(self) -> Mapping[str, Figure]:
        """What else the page said that is read nowhere else; nothing if it could not be read."""
        is_old = time.monotonic() - self._looked_s > self._patience_s
        return {} if is_old else self._beside

    @property
    def _patience_s(self) -> float:
        return self._every_s + _PATIENCE_S

    def close(self) -> None:
        """End the thread; one that waits for an answer ends with the process."""
        self._ending.set()
        self._thread.join(TIMEOUT_S)
