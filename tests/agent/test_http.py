"""A request's head is taken apart, or refused; never anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.agent.errors import Refusal
from tidemark.agent.http import (
    MOST_HEAD_BYTES,
    Answer,
    Request,
    encoded,
    head_length,
    parse_request,
)


def head(*lines):
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def status(data):
    try:
        parse_request(data)
    except Refusal as refusal:
        return refusal.status
    return 200


def test_a_plain_request():
    found = parse_request(
        head("GET /v1/files/x?offset=3&limit=4 HTTP/1.1", "Host: a:1", "X-Y:  z z ")
    )
    query, headers = {"offset": "3", "limit": "4"}, {"host": "a:1", "x-y": "z z"}
    assert found == Request("/v1/files/x", query, headers, is_head=False, keeps_open=True)


@pytest.mark.parametrize(
    ("lines", "keeps_open"),
    [
        (("HEAD / HTTP/1.1", "Host: a"), True),
        (("HEAD / HTTP/1.1", "Host: a", "Connection: Close"), False),
        (("HEAD / HTTP/1.0",), False),
    ],
)
def test_whether_another_request_may_follow(lines, keeps_open):
    found = parse_request(head(*lines))
    assert found.is_head
    assert found.keeps_open == keeps_open


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("POST / HTTP/1.1", "Host: a"), 405),
        (("GET / HTTP/1.1",), 400),
        (("GET http://a/ HTTP/1.1", "Host: a"), 400),
        (("GET / HTTP/2.0", "Host: a"), 400),
        (("GET  / HTTP/1.1", "Host: a"), 400),
        (("get / HTTP/1.1", "Host: a"), 400),
        (("GET /\x00 HTTP/1.1", "Host: a"), 400),
        (("GET / HTTP/1.1", "Host: a", "Host: b"), 400),
        (("GET / HTTP/1.1", "Host: a", "Authorization: x", "authorization: y"), 400),
        (("GET / HTTP/1.1", "Host: a", " folded"), 400),
        (("GET / HTTP/1.1", "Host: a", "X : y"), 400),
        (("GET / HTTP/1.1", "Host: a", "X: a\nY: b"), 400),
        (("GET / HTTP/1.1", "Host: a", "Content-Length: 1"), 413),
        (("GET / HTTP/1.1", "Host: a", "Content-Length: +0"), 413),
        (("GET / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"), 413),
        (("GET /?a=1&a=2 HTTP/1.1", "Host: a"), 400),
        (("GET /?a HTTP/1.1", "Host: a"), 400),
        (("GET /?=1 HTTP/1.1", "Host: a"), 400),
        (("GET / HTTP/1.1", "Host: a", *["X: y"] * 64), 400),
    ],
)
def test_what_is_refused(lines, status):
    with pytest.raises(Refusal) as refused:
        parse_request(head(*lines))
    assert refused.value.status == status


def test_a_head_is_bounded():
    assert head_length(b"x" * MOST_HEAD_BYTES) == 0
    assert head_length(b"x" * 10 + b"\r\n\r\nrest") == 14
    for data in (b"x" * (MOST_HEAD_BYTES + 1), b"x" * MOST_HEAD_BYTES + b"\r\n\r\n"):
        with pytest.raises(Refusal) as refused:
            head_length(data)
        assert refused.value.status == 431


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode()))
def test_whatever_is_sent_is_a_request_or_a_refusal(data):
    for sent in (data + b"\r\n\r\n", b"GET /" + data + b" HTTP/1.1\r\nHost: a\r\n\r\n"):
        length = head_length(sent)
        assert 400 <= status(sent[:length]) < 500 or parse_request(sent[:length]).path[0] == "/"


def test_an_answer():
    sent = encoded(Answer(200, b"body", headers=(("X", "y"),)), keeps_open=True)
    first, _, rest = sent.partition(b"\r\n")
    assert first == b"HTTP/1.1 200 OK"
    assert rest.endswith(b"\r\n\r\nbody")
    assert b"\r\nX: y\r\n" in rest
    assert b"Content-Length: 4\r\n" in rest
    assert encoded(Answer(200, b"body"), is_head=True).endswith(b"\r\n\r\n")
