"""One request and its answer over HTTP, on the connections of a FastHttpUser's client."""

import errno
from dataclasses import dataclass
from select import POLLIN
from typing import Any

from gevent.monkey import get_original
from geventhttpclient.client import IDEMPOTENT_METHODS
from geventhttpclient.response import HTTPConnectionClosed, HTTPSocketPoolResponse
from geventhttpclient.url import URL
from locust.contrib.fasthttp import (
    FAILURE_EXCEPTIONS,
    ErrorResponse,
    FastHttpSession,
    FastRequest,
    FastResponse,
    absolute_http_url_regexp,
)

from tidemark.routes.mix import Turn
from tidemark.routes.route import Request, Route
from tidemark.routes.template import Values

MOST_ROUTES = 256
"""Routes whose heads are kept; tasks that make up what they send have a new one each time."""
_OF_THE_BODY = frozenset({"content-length", "transfer-encoding", "expect"})
_NO_BODY = b"Content-Length: 0\r\n"
_END = b"\r\n"
_BYTES = "application/octet-stream"
_TYPE = f"Content-Type: {_BYTES}\r\n".encode()
_CUT_OFF = frozenset({errno.ECONNRESET, errno.EPIPE})
_poll = get_original("select", "poll")


@dataclass(slots=True)
class Answer:
    """What came back.

    Attributes:
        status: the HTTP status; 0 where there was no answer.
        content: of the answer, decompressed.
        error: why there is none.
        method: of the request.
        path: of the request.
        url: of the request, without a password.
        response: the same as Locust's listeners know it.
    """

    status: int
    content: bytes
    error: BaseException | None
    method: str
    path: str
    url: str
    response: FastResponse


@dataclass(slots=True)
class _Head:
    """What goes before the body of a request.

    Attributes:
        method: of the request.
        path: of the request.
        url: of the request.
        alone: all of it, where there is no body.
        unfinished: what stands before the length of the body.
    """

    method: str
    path: str
    url: str
    alone: bytes
    unfinished: bytes

    def before(self, body: bytes | None) -> bytes:
        """The request as it goes out."""
        if not body:
            return self.alone
        return b"%bContent-Length: %d\r\n\r\n%b" % (self.unfinished, len(body), body)


@dataclass(slots=True)
class _Kept:
    """The head of a route's requests, if it is the same in all of them.

    Attributes:
        route: which keeps its identity as long as this is kept.
        head: None where each request has its own.
    """

    route: Route
    head: _Head | None


class Exchange:
    """Sends requests and takes their answers.

    The usual request takes a short way: its head is made once for its route, and goes out on a
    connection of geventhttpclient's pool. What is unusual takes the way of every request of a
    FastHttpUser: all of them once the service has set a cookie, those whose path is a whole URL,
    and those with a header that says how the body is sent.

    Args:
        session: whose connections, headers and cookies they are.
    """

    def __init__(self, session: FastHttpSession) -> None:
        self._session = session
        self._agent = session.client
        self._client = self._agent.clientpool.get_client(URL(session.base_url or ""))
        self._pool = self._client._connection_pool  # there is no other way to it
        self._pool._is_socket_alive = _is_alive  # type: ignore[method-assign,assignment]
        self._kept: dict[int, _Kept] = {}
        self._has_cookies = False

    def send(self, turn: Turn, batch: bytes) -> Answer:
        """Send one request, and wait for the answer."""
        route = turn.route
        kept = self._kept.get(id(route)) or self._keep(turn)
        if kept.head is not None and not self._has_cookies:
            return self._send(kept.head, route.body_of(turn.values, turn.number, batch))
        request = turn.request(batch)
        head = None if self._has_cookies else self._head(request)
        return self._send(head, request.body) if head else self._send_as_locust_does(request)

    def _keep(self, turn: Turn) -> _Kept:
        if len(self._kept) >= MOST_ROUTES:
            self._kept.clear()
        # Not with the values of the turn: each {uuid} of its body would be another the next time.
        is_constant = turn.route.has_one_head
        head = self._head(turn.route.request(Values(1, "", 0), 0)) if is_constant else None
        kept = self._kept[id(turn.route)] = _Kept(turn.route, head)
        return kept

    def _head(self, request: Request) -> _Head | None:
        """The head of a request; None where it is no usual one."""
        if absolute_http_url_regexp.match(request.path) or any(
            name.lower() in _OF_THE_BODY for name in request.headers
        ):
            return None
        url = self._url(request.path)
        uri = URL(url).quoted_uri
        headers = self._agent.default_headers.copy()
        headers.update(self._headers(request))
        lacks_type = "Content-Type" not in headers
        if lacks_type:
            headers["Content-Type"] = _BYTES
        made = self._client._build_request(request.method, uri, b"", headers)
        whole = made.encode("latin-1")
        unfinished = whole.replace(_NO_BODY, b"").removesuffix(_END)
        alone = whole.replace(_TYPE, b"") if lacks_type else whole
        return _Head(request.method, request.path, url, alone, unfinished)

    def _url(self, path: str) -> str:
        return self._session._build_url(path)

    def _headers(self, request: Request) -> dict[str, str]:
        """What `FastHttpSession.request` makes of them."""
        headers = dict(request.headers)
        if self._session.auth_header:
            headers["Authorization"] = self._session.auth_header
        if not any(name.lower() == "accept-encoding" for name in headers):
            headers["Accept-Encoding"] = "gzip, deflate, br"
        return headers

    def _send(self, head: _Head, body: bytes | None) -> Answer:
        tries = 2 if head.method in IDEMPOTENT_METHODS else 1
        while True:
            tries -= 1
            try:
                received = self._received(head.method, head.before(body))
                response = FastResponse(received)
                content = response.content or b""
            except FAILURE_EXCEPTIONS as error:
                # A kept connection may have been closed just now: RFC 9110, section 9.2.2.
                if tries and isinstance(error, HTTPConnectionClosed):
                    continue
                return self._failed(Request(head.method, head.path, {}, body), error)
            if "set-cookie" in received:
                self._take_cookies(head, response)
            status = received.get_code()
            return Answer(status, content, None, head.method, head.path, head.url, response)

    def _received(self, method: str, data: bytes) -> HTTPSocketPoolResponse:
        """Send it, and read the head of the answer at least."""
        pool = self._pool
        connection = pool.get_socket()
        try:
            connection.sendall(data)
        except OSError as error:
            if error.errno not in _CUT_OFF:
                pool.release_socket(connection)
                raise
            # It may have answered before it cut the connection off.
        # Whatever becomes of it, this gives the connection back.
        return HTTPSocketPoolResponse(
            connection, pool, block_size=self._client.block_size, method=method
        )

    def _take_cookies(self, head: _Head, response: FastResponse) -> None:
        request = FastRequest(head.url, head.method)
        self._session.cookiejar.extract_cookies(response, request)  # type: ignore[arg-type] # as geventhttpclient does
        self._has_cookies = True

    def _failed(self, request: Request, error: BaseException) -> Answer:
        url = self._url(request.path)
        asked = FastRequest(url, request.method, payload=request.body)
        response = ErrorResponse(asked, error)  # type: ignore[arg-type] # a Timeout is none either
        return Answer(0, b"", error, request.method, request.path, url, response)

    def _send_as_locust_does(self, request: Request) -> Answer:
        url = self._url(request.path)
        response = self._session._send_request_safe_mode(
            request.method, url, payload=request.body, headers=self._headers(request)
        )
        try:
            content = response.content or b""
        except FAILURE_EXCEPTIONS as error:
            return self._failed(request, error)
        status = response.status_code
        failure = None if status else getattr(response, "error", None)
        return Answer(status, content, failure, request.method, request.path, url, response)


def _is_alive(connection: Any) -> bool:
    """Whether a kept connection is still open and has nothing to say that nobody asked for.

    What geventhttpclient does in its place lets others run first, and takes every connection for
    a dead one whose descriptor is above 1,024.
    """
    descriptor = connection.fileno()
    if descriptor < 0:
        return False
    polled = _poll()
    polled.register(descriptor, POLLIN)
    return not polled.poll(0)
