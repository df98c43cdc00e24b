"""The short way of a request: the same bytes as the long one, and the same answers."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.pool import Group
from gevent.server import StreamServer
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment

from tidemark.routes import Route, read_routes
from tidemark.routes.mix import Turn
from tidemark.routes.template import Values
from tidemark.sending.exchange import Exchange

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n10"


class Service:
    """Answers each request on a connection with what it is told to, and remembers it."""

    def __init__(self) -> None:
        self.answers: Callable[[int], bytes | None] = lambda _: OK
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _serve(self, connection: Any, _: Any) -> None:
        self.connections += 1
        with connection, connection.makefile("rb") as reader:
            self._answer(connection, reader)

    def _answer(self, connection: Any, reader: Any) -> None:
        while line := reader.readline():
            headers = {}
            while (header := reader.readline().strip()) and (name := header.partition(b": ")):
                headers[name[0].decode().lower()] = name[2].decode()
            body = reader.read(int(headers.get("content-length", 0)))
            self.requests.append((line.decode().strip(), headers, body))
            answer = self.answers(len(self.requests))
            if answer is None:
                return
            connection.sendall(answer)

    def close(self) -> None:
        self._server.stop()


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    yield found
    found.close()


@pytest.fixture
def exchange(service: Service) -> Iterator[Callable[..., Exchange]]:
    sessions: list[FastHttpSession] = []

    def made(**session: Any) -> Exchange:
        events = Environment().events
        sessions.append(
            FastHttpSession(service.url, events.request, None, max_retries=0, **session)
        )
        sessions[-1].client.redirect_response_codes = frozenset()  # type: ignore[misc]
        return Exchange(sessions[-1])

    yield made
    for session in sessions:
        session.client.close()


def route(**table: Any) -> Route:
    (one,) = read_routes([{"path": "/ingest", **table}], Path())
    return one


def turn(of: Route, number: int = 0) -> Turn:
    return Turn(of, number, Values(number + 1, "0a1b2c3d", 1))


@pytest.mark.parametrize(
    "table",
    [
        {"body": "{batch}"},
        {"body": {"seq": "{seq}"}, "headers": {"X-Key": "k"}},
        {"path": "/a%20b?x={seq}", "body": "{uuid}"},
        {"path": "/v1", "query": {"q": "a&b"}, "method": "PUT", "body": "text"},
        {"method": "GET"},
        {"method": "POST", "body": "", "headers": {"Accept-Encoding": "identity"}},
        {"method": "DELETE", "path": "/v1/{seq}"},
    ],
)
def test_a_request_goes_out_as_locust_would_send_it(
    service: Service, exchange: Callable[..., Exchange], table: dict[str, Any]
) -> None:
    short = exchange(headers={"Accept": "x/y"})
    long = exchange(headers={"Accept": "x/y"})
    long._has_cookies = True  # as if the service had set one
    of = route(**table)
    for number in range(2):
        for way in (short, long):
            answer = way.send(turn(of, number), b'["a"]')
            assert (answer.status, answer.content, answer.error) == (200, b"10", None)
        assert service.requests[-1] == service.requests[-2]
    assert service.connections == 2


def test_connections_are_kept(service: Service, exchange: Callable[..., Exchange]) -> None:
    of, way = route(body="{batch}"), exchange(concurrency=10)
    for _ in range(5):
        way.send(turn(of), b"[]")
    assert service.connections == 1


def test_a_kept_connection_that_was_closed_is_not_used_again(
    service: Service, exchange: Callable[..., Exchange]
) -> None:
    of, way = route(body="{batch}"), exchange()
    service.answers = lambda _: OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
    for _ in range(3):
        assert way.send(turn(of), b"[]").status == 200
    assert service.connections == 3


def test_a_compressed_answer_is_read(service: Service, exchange: Callable[..., Exchange]) -> None:
    packed = gzip.compress(b'{"accepted": 10}')
    head = b"HTTP/1.1 202 Accepted\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    service.answers = lambda _: head % len(packed) + packed
    answer = exchange().send(turn(route(body="{batch}")), b"[]")
    assert (answer.status, answer.content) == (202, b'{"accepted": 10}')
    assert answer.response.text == '{"accepted": 10}'


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_status_that_is_no_success_is_an_answer(
    service: Service, exchange: Callable[..., Exchange], status: int
) -> None:
    head = b"HTTP/1.1 %d X\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nno"
    service.answers = lambda _: head % status
    answer = exchange().send(turn(route(body="{batch}")), b"[]")
    assert (answer.status, answer.content, len(service.requests)) == (status, b"no", 1)


def test_a_cookie_is_sent_back(service: Service, exchange: Callable[..., Exchange]) -> None:
    service.answers = lambda _: OK.replace(b"OK\r\n", b"OK\r\nSet-Cookie: session=7\r\n", 1)
    of, way = route(body="{batch}"), exchange()
    for _ in range(3):
        way.send(turn(of), b"[]")
    cookies = [headers.get("cookie") for _, headers, _ in service.requests]
    assert cookies == [None, "session=7", "session=7"]


@pytest.mark.parametrize(("method", "tries"), [("POST", 1), ("GET", 2)])
def test_a_request_without_an_answer_is_sent_again_only_where_that_does_no_harm(
    service: Service, exchange: Callable[..., Exchange], method: str, tries: int
) -> None:
    service.answers = lambda _: None
    answer = exchange().send(turn(route(method=method)), b"")
    assert (answer.status, type(answer.error).__name__) == (0, "HTTPConnectionClosed")
    assert len(service.requests) == tries


def test_an_answer_that_is_cut_short_is_none(
    service: Service, exchange: Callable[..., Exchange]
) -> None:
    def cut(number: int) -> bytes | None:
        return (
            None
            if number > 1
            else b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
        )

    service.answers = cut
    answer = exchange().send(turn(route(body="{batch}")), b"[]")
    assert (answer.status, answer.content) == (0, b"")


def test_nobody_listens(service: Service, exchange: Callable[..., Exchange]) -> None:
    service.close()
    answer = exchange().send(turn(route(body="{batch}")), b"[]")
    assert isinstance(answer.error, ConnectionRefusedError)
    assert (answer.status, answer.method, answer.path) == (0, "POST", "/ingest")


def test_an_answer_that_takes_too_long_gives_its_connection_up(
    service: Service, exchange: Callable[..., Exchange]
) -> None:
    service.answers = lambda _: gevent.sleep(0.2) or OK
    way = exchange(network_timeout=0.02, concurrency=1)
    for _ in range(2):  # of one connection at once
        assert isinstance(way.send(turn(route(body="{batch}")), b"[]").error, TimeoutError)


def test_many_at_once_have_a_connection_each(
    service: Service, exchange: Callable[..., Exchange]
) -> None:
    of, way, answers = route(body="{batch}"), exchange(concurrency=10_000), []
    service.answers = lambda _: gevent.sleep(0.05) or OK
    group = Group()
    for _ in range(30):
        group.spawn(lambda: answers.append(way.send(turn(of), b"[]").status))
    group.join()
    assert (answers, service.connections) == ([200] * 30, 30)


def test_the_host_may_have_a_path_and_a_password(
    service: Service, exchange: Callable[..., Exchange]
) -> None:
    service.url = service.url.replace("http://", "http://user:pass@") + "/api"
    answer = exchange().send(turn(route(body="{batch}")), b"[]")
    assert "pass" not in answer.url
    ((line, headers, _),) = service.requests
    assert line == "POST /api/ingest HTTP/1.1"
    assert headers["authorization"] == "Basic dXNlcjpwYXNz"


def test_tasks_that_make_up_routes_do_not_pile_up(
    service: Service, exchange: Callable[..., Exchange], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemark.sending.exchange.MOST_ROUTES", 3)
    way = exchange()
    for number in range(10):
        way.send(turn(route(path=f"/{number}", body="{batch}")), b"[]")
    assert len(way._kept) <= 3
    assert [line.split()[1] for line, _, _ in service.requests] == [f"/{n}" for n in range(10)]
