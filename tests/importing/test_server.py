"""The HTTP API of a Prometheus server: how it is asked, and what goes wrong."""

import contextlib
import json
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.importing.stub import BEGIN_S
from tidemark.importing.errors import ServerError
from tidemark.importing.server import MOST_POINTS, PrometheusServer


def ticks(number, step_s=1.0):
    return [(step_s * at, at) for at in range(number)]


def test_scrapes_come_as_they_are_in_as_many_answers_as_it_takes(stub):
    number = 2 * MOST_POINTS + 50
    stub.hold("process_open_fds", ticks(number))
    server = PrometheusServer(stub.url)
    (found,) = server.scraped('{job="api"}', BEGIN_S, BEGIN_S + number, 1.0)
    assert len(found.value) == number
    assert (found.value == range(number)).all()
    assert found.labels["instance"] == "10.0.0.1:8080"
    assert found.name == "process_open_fds"
    assert len(stub.queries("query")) == 3


def test_no_range_query_asks_for_more_points_than_a_server_gives(stub):
    stub.calculated["q"] = [({}, lambda at: at)]
    server = PrometheusServer(stub.url)
    (found,) = server.calculated("q", BEGIN_S, BEGIN_S + 2 * MOST_POINTS * 15.0, 15.0)
    assert len(found.value) == 2 * MOST_POINTS + 1
    assert set(found.time_s[1:] - found.time_s[:-1]) == {15.0}
    assert len(stub.queries("query_range")) == 3


def test_what_is_no_number_is_empty(stub):
    stub.hold("process_open_fds", [(0, "NaN"), (5, "+Inf"), (10, 3)])
    (found,) = PrometheusServer(stub.url).scraped('{job="api"}', BEGIN_S, BEGIN_S + 60, 1.0)
    assert [str(value) for value in found.value] == ["nan", "nan", "3.0"]


def error(body):
    return json.dumps({"status": "error", **body}).encode()


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            400,
            error({"errorType": "bad_data", "error": "invalid parameter\n'query': 1:3"}),
            "answers 400: bad_data: invalid parameter 'query': 1:3; check --url and the query",
        ),
        (
            422,
            error({"errorType": "execution", "error": "would load too many samples"}),
            "answers 422: execution: would load too many samples",
        ),
        (401, b"no", "answers 401; put a token into the environment"),
        (404, b"<html>", "answers 404; check --url: it is that of the server's own page"),
        (302, b"", "answers 302; name the address that it leads to"),
        (503, b"", "answers 503; check --url and the query"),
        (200, b"<html>", "does not answer as a Prometheus server does"),
        (200, b'{"status": "success"}', "does not answer as a Prometheus server does"),
        (200, b'{"status": "success", "data": []}', "does not answer as"),
        (
            200,
            b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}',
            "with no series; give a query that makes an instant vector",
        ),
        (
            200,
            b'{"status":"success","data":{"resultType":"matrix","result":[{"values":[1]}]}}',
            "does not answer as",
        ),
    ],
)
def test_what_a_server_refuses_is_one_line(stub, status, body, told):
    stub.answer = status, body
    with pytest.raises(ServerError) as found:
        PrometheusServer(stub.url).scraped("{}", BEGIN_S, BEGIN_S + 1, 1.0)
    assert str(found.value).startswith(stub.url)
    assert told in str(found.value)
    assert "\n" not in str(found.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metric", "values", "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON, st.booleans())
def test_no_answer_is_another_error(found, is_result):
    held = {"resultType": "matrix", "result": found} if is_result else found
    server = PrometheusServer("http://127.0.0.1:9")
    answer = json.dumps({"status": "success", "data": held}).encode()
    with mock.patch.object(server, "_get", return_value=(200, answer)):
        for ask in (server.scraped, server.calculated):
            with contextlib.suppress(ServerError):
                assert isinstance(ask("{}", BEGIN_S, BEGIN_S + 1, 1.0), list)
        with contextlib.suppress(ServerError):
            assert isinstance(server.names("job", None, 0, 1), list)


def test_nobody_there():
    with pytest.raises(ServerError, match=r"127.0.0.1:9 cannot be reached: .*refused"):
        PrometheusServer("http://127.0.0.1:9").scraped("{}", 0, 1, 1.0)


def test_a_path_and_a_token_are_sent_and_no_redirect_is_followed(stub):
    stub.answer = 302, b""
    with pytest.raises(ServerError):
        PrometheusServer(f"{stub.url}/prom/", "t0ken").scraped("{}", 0, 1, 1.0)
    assert [path for path, _ in stub.asked] == ["/prom/api/v1/query"]
    assert stub.tokens == ["Bearer t0ken"]
