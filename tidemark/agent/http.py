"""As much of HTTP/1.1 as reading needs: a request's head taken apart, an answer put together.

What is not plainly a GET without a body is refused. Nothing here touches a socket.

Sources: RFC 9110, RFC 9112.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl

from tidemark.agent.errors import Refusal

MOST_HEAD_BYTES = 8192
"""A request's head is not longer; bodies it has none."""
_MOST_HEADERS = 64
_HEAD_END = b"\r\n\r\n"

_REQUEST_LINE = re.compile(r"([A-Z]{1,16}) (/[!-~]{0,1000}) HTTP/1\.([01])")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*([\t -~\x80-\xff]*)")
_ONCE = frozenset({"host", "authorization", "content-length"})


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for.

    Attributes:
        path: The path of its target, as it was sent: nothing in it is decoded.
        query: The parameters, each of which was given once.
        headers: By name in lower case.
        is_head: Whether the answer is wanted without its body.
        keeps_open: Whether another request may follow on the connection.
    """

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    is_head: bool
    keeps_open: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back.

    Attributes:
        status: The HTTP status.
        body: The content.
        kind: Its media type.
        headers: Further headers.
    """

    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = field(default=())


def head_length(received: bytes) -> int:
    """Bytes of the head, its empty line included; 0 while it is not complete.

    Raises:
        Refusal: It is too long.
    """
    end = received.find(_HEAD_END)
    length = end + len(_HEAD_END) if end >= 0 else 0
    if max(length, 0 if length else len(received)) > MOST_HEAD_BYTES:
        raise Refusal(431, f"a request's head has {MOST_HEAD_BYTES} bytes at most")
    return length


def parse_request(head: bytes) -> Request:
    """Take a request's head apart.

    Args:
        head: All of it, up to the empty line, which is included.

    Raises:
        Refusal: It is malformed, has a body, or wants to change something.
    """
    first, *rest = head[: -len(_HEAD_END)].decode("latin-1").split("\r\n")
    found = _REQUEST_LINE.fullmatch(first)
    if found is None or len(rest) > _MOST_HEADERS:
        raise Refusal(400, "this is no request of HTTP/1.1")
    headers = _headers(rest)
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        raise Refusal(413, "a request must have no body here")
    if found[3] == "1" and "host" not in headers:
        raise Refusal(400, "a request must name its host")
    if found[1] not in {"GET", "HEAD"}:
        raise Refusal(405, "there is nothing here to be changed", (("Allow", "GET, HEAD"),))
    path, _, query = found[2].partition("?")
    keeps_open = found[3] == "1" and headers.get("connection", "").lower() != "close"
    return Request(path, _query(query), headers, found[1] == "HEAD", keeps_open)


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        name = found[1].lower() if found else ""
        if found is None or (name in _ONCE and name in headers):
            raise Refusal(400, "a header is malformed")
        headers[name] = found[2].strip(" \t")
    return headers


def _query(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError:
        pairs = [("", "")] if text else []
    query = dict(pairs)
    if "" in query or len(query) < len(pairs):
        raise Refusal(400, "the parameters are malformed")
    return query


def refused(refusal: Refusal) -> Answer:
    """The answer that says why there is none."""
    return Answer(refusal.status, f"{refusal.reason}\n".encode(), headers=refusal.headers)


def encoded(answer: Answer, *, is_head: bool = False, keeps_open: bool = False) -> bytes:
    """An answer as it is sent."""
    headers = (
        ("Content-Type", answer.kind),
        ("Content-Length", str(len(answer.body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Connection", "keep-alive" if keeps_open else "close"),
        *answer.headers,
    )
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    status = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
    return f"{status}{lines}\r\n".encode("latin-1") + (b"" if is_head else answer.body)
