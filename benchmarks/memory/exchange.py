"""POSTs over a few kept connections: as much of HTTP/1.1 as it takes, at little cost.

Source: RFC 9112, Message Body Length (6.3) and Persistence (9.3).
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

MOST_CONNECTIONS = 8
_LARGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """A response.

    Attributes:
        status: 200 and the like.
        body: Its content.
        keeps: Whether the connection may be used again.
    """

    status: int
    body: bytes
    keeps: bool


class BrokenAnswerError(OSError):
    """What came is no whole response."""


def parse_answer(data: bytes, *, is_all: bool = False) -> Answer | None:
    """The response at the beginning of `data`, or None while there is more to come.

    Args:
        data: What has been received.
        is_all: The other end has closed the connection.

    Raises:
        BrokenAnswerError: It is no response, or ends too early.
    """
    head, blank, rest = data.partition(b"\r\n\r\n")
    if len(data) > _LARGEST_BYTES:
        raise BrokenAnswerError("too long an answer")
    if not blank:
        _expect_more(is_all=is_all)
        return None
    first, *lines = head.split(b"\r\n")
    version, status = _status(first)
    fields = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(b":") for line in lines)
    }
    body, is_framed = _body(fields, rest, is_all=is_all)
    if body is None:
        _expect_more(is_all=is_all)
        return None
    asked = fields.get(b"connection", b"close" if version == b"HTTP/1.0" else b"")
    return Answer(status, body, is_framed and asked != b"close" and not is_all)


def _expect_more(*, is_all: bool) -> None:
    if is_all:
        raise BrokenAnswerError("the connection was closed before the answer was whole")


def _status(line: bytes) -> tuple[bytes, int]:
    words = line.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise BrokenAnswerError(f"no answer of HTTP/1: {line[:40]!r}")
    return words[0], int(words[1])


def _body(fields: dict[bytes, bytes], rest: bytes, *, is_all: bool) -> tuple[bytes | None, bool]:
    """The body, None while it is not whole; and whether its end does not end the connection."""
    if fields.get(b"transfer-encoding") == b"chunked":
        return _chunks(rest), True
    if (length := fields.get(b"content-length")) is not None:
        if not length.isdigit():
            raise BrokenAnswerError(f"no length: {length[:40]!r}")
        return (rest[: int(length)] if len(rest) >= int(length) else None), True
    return (rest if is_all else None), False


def _chunks(rest: bytes) -> bytes | None:
    parts: list[bytes] = []
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            return None
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise BrokenAnswerError(f"no chunk: {line[:40]!r}") from None
        if len(rest) < size + 2:
            return None
        if size == 0:
            return b"".join(parts)
        parts.append(rest[:size])
        rest = rest[size + 2 :]


class Connection(asyncio.Protocol):
    """One connection, which takes one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._waiting: asyncio.Future[Answer] | None = None

    @property
    def is_open(self) -> bool:
        """Whether a request may be written to it."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_silent(self) -> bool:
        """Whether nothing has been received for the present request."""
        return not self._received

    async def ask(self, request: bytes) -> Answer:
        """Send a request, and wait for its answer.

        Raises:
            OSError: The connection is lost, or what came is no answer.
        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._received = b""
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            answer = await self._waiting
        except BaseException:
            self.close()
            raise
        if not answer.keeps:
            self.close()
        return answer

    def close(self) -> None:
        """Let go of it at once."""
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Something came."""
        self._received += data
        self._try(is_all=False)

    def eof_received(self) -> None:
        """The other end says no more."""
        self._try(is_all=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError("the connection was closed"))

    def _try(self, *, is_all: bool) -> None:
        if self._waiting is None or self._waiting.done():
            self.close()  # nobody asked
            return
        try:
            answer = parse_answer(self._received, is_all=is_all)
        except BrokenAnswerError as error:
            self._waiting.set_exception(error)
        else:
            if answer:
                self._waiting.set_result(answer)


class Poster:
    """Posts to one path of a service, over at most `MOST_CONNECTIONS` connections.

    Args:
        port: Where it listens, on 127.0.0.1.
        path: What is POSTed to.
        tls: With what to speak TLS; None for plain HTTP.
    """

    def __init__(self, port: int, path: str, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._tls = tls
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(MOST_CONNECTIONS)
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()

    async def post(self, body: bytes) -> Answer:
        """Post a body as soon as a connection is free.

        Raises:
            OSError: There is no connection, it is lost, or what came is no answer.
        """
        request = b"%s%d\r\n\r\n%s" % (self._head, len(body), body)
        async with self._slots:
            if (kept := self._kept()) is not None:
                try:
                    return await self._ask(kept, request)
                except OSError:
                    if not kept.is_silent:
                        raise  # else the other end had closed it meanwhile
            return await self._ask(await self._connected(), request)

    async def _ask(self, connection: Connection, request: bytes) -> Answer:
        answer = await connection.ask(request)
        if connection.is_open:
            self._idle.append(connection)
        return answer

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            Connection, "127.0.0.1", self._port, ssl=self._tls
        )
        return connection

    def close(self) -> None:
        """Close every idle connection."""
        while self._idle:
            self._idle.pop().close()
