"""A Prometheus server, asked by its HTTP API.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

import contextlib
import http.client
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np

from tidemark.importing.errors import ServerError
from tidemark.importing.series import Series, joined
from tidemark.record.objects import shown_text
from tidemark.record.secrets import without_secrets

MOST_POINTS = 11_000
"""A server answers no more points of one series at once (`web/api/v1/api.go`)."""
MOST_BYTES = 512 << 20
TIMEOUT_S = 120.0
"""What a server takes at most for a query by default (`--query.timeout`)."""
_LONGEST_MESSAGE = 300
_FAULTS = (OSError, http.client.HTTPException, ValueError)

Answer = Mapping[str, Any]


class PrometheusServer:
    """What a server holds; no proxy of the environment is used, and no redirect is followed.

    Args:
        url: Where it is, `http://HOST:PORT`, maybe with a path.
        token: A bearer token; None for none.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._parts = urlsplit(url)
        self.shown = without_secrets(url).rstrip("/")
        self._headers = {"Accept": "application/json", "Connection": "close"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def scraped(
        self, selector: str, start_s: float, end_s: float, interval_s: float
    ) -> list[Series]:
        """The samples themselves, with the times at which they were scraped.

        Args:
            selector: Which series, without a range.
            start_s: From when, Unix time.
            end_s: Until when.
            interval_s: Seconds between scrapes, or fewer: so that an answer has no more points
                of a series than one to a range query.
        """
        return joined(self._scraped(selector, start_s, end_s, interval_s))

    def _scraped(
        self, selector: str, start_s: float, end_s: float, interval_s: float
    ) -> Iterator[Series]:
        chunk_ms = max(round(MOST_POINTS * interval_s * 1000), 1)
        start_ms, end_ms = round(start_s * 1000), round(end_s * 1000)
        while start_ms <= end_ms:
            until_ms = min(start_ms + chunk_ms - 1, end_ms)
            # The range is open at its beginning, or was closed before version 3.
            query = f"{selector}[{until_ms - start_ms + 1}ms]"
            yield from self._matrix("query", {"query": query, "time": f"{until_ms / 1000:.3f}"})
            start_ms = until_ms + 1

    def calculated(self, query: str, start_s: float, end_s: float, step_s: float) -> list[Series]:
        """What a query says at every step, in as many answers as it takes.

        Args:
            query: PromQL.
            start_s: The first step, Unix time.
            end_s: No step is later.
            step_s: Seconds between them.
        """
        return joined(self._calculated(query, start_s, end_s, step_s))

    def _calculated(
        self, query: str, start_s: float, end_s: float, step_s: float
    ) -> Iterator[Series]:
        steps = math.floor((end_s - start_s) / step_s + 1e-9) + 1
        for first in range(0, steps, MOST_POINTS):
            last = min(first + MOST_POINTS, steps) - 1
            asked = {
                "query": query,
                "start": f"{start_s + first * step_s:.3f}",
                "end": f"{start_s + last * step_s:.3f}",
                "step": f"{step_s:.3f}",
            }
            yield from self._matrix("query_range", asked)

    def names(self, label: str, selector: str | None, start_s: float, end_s: float) -> list[str]:
        """The values of a label that the series of a selector, or all, had in a time."""
        asked = {"start": f"{start_s:.3f}", "end": f"{end_s:.3f}"}
        if selector is not None:
            asked["match[]"] = selector
        found = self._ask(f"label/{label}/values", asked)
        if not isinstance(found, list):
            raise self._odd()
        return [shown_text(str(name), 255) for name in found]

    def _matrix(self, path: str, asked: Mapping[str, str]) -> list[Series]:
        found = self._ask(path, asked)
        if not isinstance(found, dict) or not isinstance(found.get("result"), list):
            raise self._odd()
        if found.get("resultType") != "matrix":
            what = f"answers {asked['query'][:80]!r} with no series"
            raise ServerError(self.shown, what, "give a query that makes an instant vector")
        try:
            return [_series(one) for one in found["result"] if "values" in one]
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise self._odd() from error

    def _ask(self, path: str, asked: Mapping[str, str]) -> Any:
        """The `data` of an answer.

        Raises:
            ServerError: There is none.
        """
        status, body = self._get(f"/api/v1/{path}?{urlencode(asked)}")
        answer = _object(body)
        if status != http.client.OK:
            raise self._refused(status, answer)
        if answer.get("status") != "success" or "data" not in answer:
            raise self._odd()
        return answer["data"]

    def _get(self, path: str) -> tuple[int, bytes]:
        parts = self._parts
        is_https = parts.scheme == "https"
        kind = http.client.HTTPSConnection if is_https else http.client.HTTPConnection
        try:
            connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
            with contextlib.closing(connection):
                connection.request("GET", parts.path.rstrip("/") + path, headers=self._headers)
                with connection.getresponse() as response:
                    body = response.read(MOST_BYTES + 1)
                    status = response.status
        except _FAULTS as error:
            what = f"cannot be reached: {str(error) or type(error).__name__}"
            remedy = "check --url, and that the server runs"
            raise ServerError(self.shown, what, remedy) from error
        if len(body) > MOST_BYTES:
            what = f"answers with more than {MOST_BYTES >> 20} MiB at once"
            raise ServerError(self.shown, what, "name an --instance, or a shorter time")
        return status, body

    def _refused(self, status: int, answer: Answer) -> ServerError:
        told = ": ".join(str(answer[key]) for key in ("errorType", "error") if answer.get(key))
        message = shown_text(" ".join(told.split()), _LONGEST_MESSAGE)
        what = f"answers {status}" + (f": {message}" if message else "")
        return ServerError(self.shown, what, _REMEDIES.get(status, "check --url and the query"))

    def _odd(self) -> ServerError:
        what = "does not answer as a Prometheus server does"
        return ServerError(self.shown, what, "check --url: it is that of the server's own page")


_REMEDIES = {
    **dict.fromkeys((301, 302, 303, 307, 308), "name the address that it leads to"),
    401: "put a token into the environment and name the variable with --token-env",
    403: "put a token into the environment and name the variable with --token-env",
    404: "check --url: it is that of the server's own page",
}


def _object(body: bytes) -> Answer:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _series(one: Mapping[str, Any]) -> Series:
    labels = {str(name): shown_text(str(value), 255) for name, value in one["metric"].items()}
    pairs = [(float(time_s), float(value)) for time_s, value in one["values"]]
    points = np.array(pairs, dtype=np.float64).reshape(len(pairs), 2)
    value = np.where(np.isfinite(points[:, 1]), points[:, 1], np.nan)
    return Series(labels.pop("__name__", ""), labels, points[:, 0], value)
