"""Routes as they are given: read whole, and refused in one line that names the key."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.errors import OptionError
from tidemark.routes import Request, Route, parse_route, read_headers, read_routes, with_headers
from tidemark.routes.template import Values

RUN = "0a1b2c3d"


def one(folder: Path = Path(), **table: Any) -> Route:
    (route,) = read_routes([table], folder)
    return route


def request(route: Route, sequence: int = 7, number: int = 0, batch: bytes = b"") -> Request:
    return route.request(Values(sequence, RUN, 1), number, batch)


def test_routes_are_read_as_toml_gives_them(tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text('{"id": "{uuid}", "n": {seq}}')
    text = """
        [[load.routes]]
        name = "ingest"
        path = "/v1/events"
        body = "@order.json"
        weight = 9
        [[load.routes]]
        path = "/v1/events/{seq}"
        query = {at = "{now}", deep = true, limit = 3}
        success = {status = ["2xx", 404]}
        accepted = "data.count"
    """
    ingest, query = read_routes(tomllib.loads(text)["load"]["routes"], tmp_path)
    assert (ingest.name, ingest.method, ingest.weight) == ("ingest", "POST", 9)
    sent = request(ingest)
    assert json.loads(sent.body or b"")["n"] == 7
    assert sent.headers == {"Content-Type": "application/json"}
    assert (query.method, query.body, query.accepted) == ("GET", None, ("data", "count"))
    assert request(query).path.startswith("/v1/events/7?at=20")
    assert request(query).path.endswith("&deep=true&limit=3")
    assert query.success.failure(404, b"") is None


def test_a_route_is_named_by_its_method_and_path() -> None:
    assert one(path="/v1/events/{seq}?q=1").name == "GET /v1/events/{seq}"
    assert one(path="/v1/events", body="x").name == "POST /v1/events"
    assert one(path="/v1/events", body="x").short_name == "/v1/events"
    assert one(path="/v1/events", name="GET it").short_name == "it"


@pytest.mark.parametrize(
    ("body", "sent", "is_json"),
    [
        ("plain {seq}", b"plain 7", False),
        ("17", b"17", False),
        ('{"n": {seq}, "o": {}}', b'{"n": 7, "o": {}}', True),
        ({"n": "{seq}", "o": {}}, b'{"n": "7", "o": {}}', True),
        ([1, "{random:x}"], b'[1, "{random:x}"]', True),
        ("@@x", b"@x", False),
        ("", b"", False),
    ],
)
def test_a_body_is_text_or_what_is_sent_as_json(body: Any, sent: bytes, is_json: bool) -> None:
    found = request(one(path="/", body=body))
    assert found.body == sent
    assert ("Content-Type" in found.headers) is is_json


def test_a_day_of_toml_is_sent_as_text() -> None:
    table = tomllib.loads("body = {day = 2024-02-29}")
    assert request(one(path="/", **table)).body == b'{"day": "2024-02-29"}'


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(b"\x89PNG{seq}\xff")
    assert request(one(tmp_path, path="/", body="@image.png")).body == b"\x89PNG{seq}\xff"


def test_a_content_type_that_is_given_stays() -> None:
    route = one(path="/", body=[], headers={"content-type": "application/vnd.x+json"})
    assert request(route).headers == {"content-type": "application/vnd.x+json"}


def test_bodies_of_a_file_are_played_in_order_and_around_again(tmp_path: Path) -> None:
    (tmp_path / "o.jsonl").write_text('{"a": {seq}}\n\n[2]\r\n{"a": "{run_id}"}\n')
    route = one(tmp_path, path="/", bodies="@o.jsonl")
    assert [request(route, number=n).body for n in range(4)] == [
        b'{"a": 7}', b"[2]", b'{"a": "0a1b2c3d"}', b'{"a": 7}',
    ]  # fmt: skip
    assert request(route).headers["Content-Type"] == "application/json"


def test_rows_of_a_csv_file_are_json_objects(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text('\ufeffid,name,zip\n1,"a ""b"", c",01234\n-2.5e1,{uuid},null\n')
    route = one(tmp_path, path="/", bodies="@o.csv")
    first, second = (json.loads(request(route, number=n).body or b"") for n in range(2))
    assert first == {"id": 1, "name": 'a "b", c', "zip": "01234"}
    assert (second["id"], second["zip"], len(second["name"])) == (-25.0, None, 36)


def test_the_runs_own_batch_is_a_body() -> None:
    route = one(path="/interface.php", body="{batch}")
    assert (route.method, route.sends_batches) == ("POST", True)
    assert request(route, batch=b"[1]").body == b"[1]"
    assert not one(path="/", body="x{batch}").sends_batches


def test_the_path_is_quoted_and_its_query_is_added_to() -> None:
    route = one(path="/caf\u00e9/a%20b?x=1", query={"q": "a b&{{", "n": 1})
    assert request(route).path == "/caf%C3%A9/a%20b?x=1&q=a+b%26%7B&n=1"


def test_a_header_of_the_environment_is_sent_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    route = one(path="/?key=hunter2", headers={"Authorization": "Bearer ${TOKEN}"},
                query={"k": "hunter2"}, body="hunter2")  # fmt: skip
    assert request(route).headers["Authorization"] == "Bearer hunter2"
    told = route.to_json()
    assert "hunter2" not in json.dumps(told)
    assert told["headers"] == {"Authorization": "xxxxx"}
    assert told["query"] == ["key", "k"]


def test_headers_of_the_command_line_stand_in_the_place_of_others() -> None:
    route = one(path="/", headers={"X-A": "1", "X-B": "2"})
    found = with_headers(route, read_headers(["x-a: 3\nX-C: 4"]))
    assert request(found).headers == {"X-B": "2", "x-a": "3", "X-C": "4"}


BAD: list[tuple[Any, str]] = [
    ({}, "load.routes: must be an array of tables"),
    ([], "load.routes: must be an array of tables"),
    (["GET /"], "load.routes[0]: must be a table, not 'GET /'"),
    ([{"path": "/"}] * 101, "load.routes: 101 are too many"),
    ([{}], "load.routes[0].path: must be given"),
    ([{"path": "/"}, {"pth": "/"}], "load.routes[1].pth: is not known; did you mean path?"),
    ([{"path": "/", "zzz": 1}], "load.routes[0].zzz: is not known; there are name, method"),
    ([{"path": "v1"}], "load.routes[0].path: must begin with /"),
    ([{"path": "http://x/"}], "load.routes[0].path: must begin with / (the host is that of --host"),
    ([{"path": "/a b"}], "load.routes[0].path: '/a b' holds what no path has"),
    ([{"path": "/{sq}"}], "load.routes[0].path: {sq} is no placeholder; did you mean {seq}?"),
    ([{"path": 3}], "load.routes[0].path: must begin with /"),
    ([{"path": "/", "method": "FETCH"}], "load.routes[0].method: must be one of GET"),
    ([{"path": "/", "name": "a\nb"}], "load.routes[0].name: must be a name on one line"),
    ([{"path": "/", "name": "x" * 101}], "load.routes[0].name: must be 100 characters at most"),
    ([{"path": "/", "weight": 0}], "load.routes[0].weight: must be a number greater than 0"),
    ([{"path": "/", "weight": True}], "load.routes[0].weight: must be a number greater than 0"),
    ([{"path": "/", "query": "a=1"}], "load.routes[0].query: must be a table"),
    ([{"path": "/", "query": {"a": []}}], "load.routes[0].query.a: must be a text or a number"),
    ([{"path": "/", "query": {"a": "{"}}], "load.routes[0].query.a: a { stands alone"),
    ([{"path": "/", "headers": ["a"]}], "load.routes[0].headers: must be a table"),
    ([{"path": "/", "headers": {"A": 1}}], "load.routes[0].headers.A: must be a text"),
    ([{"path": "/", "headers": {"A": "${NO_SUCH}"}}], "load.routes[0].headers.A: there is no NO_S"),
    ([{"path": "/", "headers": {"a b": "x"}}], "load.routes[0].headers.a b: 'a b' is no name of"),
    ([{"path": "/", "body": 3}], "load.routes[0].body: must be a text, @FILE, a table or an array"),
    ([{"path": "/", "body": "@none.json"}], "load.routes[0].body: there is no file"),
    ([{"path": "/", "body": "{random:9999999}"}], "load.routes[0].body: {random:9999999}: its si"),
    ([{"path": "/", "body": [float("nan")]}], "load.routes[0].body: "),
    ([{"path": "/", "body": "a", "bodies": "@a.csv"}], "load.routes[0].bodies: contradicts body"),
    ([{"path": "/", "bodies": "a.csv"}], "load.routes[0].bodies: must be '@FILE.jsonl'"),
    ([{"path": "/", "bodies": "@a.txt"}], "load.routes[0].bodies: must be '@FILE.jsonl'"),
    ([{"path": "/", "bodies": "@bad.jsonl"}], "load.routes[0].bodies: 'bad.jsonl' line 2 is not J"),
    ([{"path": "/", "bodies": "@bad.csv"}], "load.routes[0].bodies: 'bad.csv' line 3 has not 2"),
    ([{"path": "/", "bodies": "@twice.csv"}], "load.routes[0].bodies: 'twice.csv' line 1: each c"),
    ([{"path": "/", "bodies": "@empty.csv"}], "load.routes[0].bodies: there is no body in"),
    ([{"path": "/", "bodies": "@latin1.csv"}], "load.routes[0].bodies: 'latin1.csv' is not UTF-8"),
    ([{"path": "/", "success": 200}], "load.routes[0].success: must be a table"),
    ([{"path": "/", "success": {"state": 1}}], "load.routes[0].success.state: is not known; did y"),
    ([{"path": "/", "success": {"status": "ok"}}], "load.routes[0].success.status: must be '2xx'"),
    ([{"path": "/", "success": {"status": []}}], "load.routes[0].success.status: must name one"),
    ([{"path": "/", "success": {"status": 600}}], "load.routes[0].success.status: must be '2xx'"),
    ([{"path": "/", "success": {"json": "a..b"}}], "load.routes[0].success.json: must be keys and"),
    ([{"path": "/", "success": {"json": 1}}], "load.routes[0].success.json: must be a path"),
    ([{"path": "/", "success": {"equals": 1}}], "load.routes[0].success.equals: says nothing with"),
    ([{"path": "/", "accepted": "a["}], "load.routes[0].accepted: must be keys and indexes"),
    ([{"path": "/"}, {"path": "/"}], "load.routes[1].name: 'GET /' is the name of [0] as well"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "wanted"), BAD)
def test_what_is_wrong_is_one_line_that_names_the_key(
    given: Any, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jsonl").write_text("{}\n{\n")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n1\n")
    (tmp_path / "twice.csv").write_text("a,a\n1,2\n")
    (tmp_path / "empty.csv").write_text("a,b\n")
    (tmp_path / "latin1.csv").write_bytes("a\n\u00e9\n".encode("latin-1"))
    with pytest.raises(OptionError) as caught:
        read_routes(given, Path())
    assert str(caught.value).startswith(wanted)
    assert "\n" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["path", "name", "body", "headers", "query", "success", "weight", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_is_given_is_read_or_refused(given: Any) -> None:
    refusal = ""
    try:
        routes = read_routes(given, Path("/nonexistent"))
    except OptionError as error:
        refusal = str(error)
    else:
        assert all(isinstance(request(route), Request) for route in routes)
    assert "\n" not in refusal
    assert len(refusal) <= 300


@pytest.mark.parametrize(
    ("text", "method", "path", "body"),
    [
        ("GET /v1/{seq}", "GET", "/v1/7", None),
        ("post  /v1  hello  world", "POST", "/v1", b"hello  world"),
        ("POST /v1 @order.json", "POST", "/v1", b"{}"),
        ("DELETE /v1/7", "DELETE", "/v1/7", None),
    ],
)
def test_a_route_of_the_command_line(
    text: str, method: str, path: str, body: bytes | None, tmp_path: Path
) -> None:
    (tmp_path / "order.json").write_text("{}")
    (route,) = parse_route(text, tmp_path)
    sent = request(route)
    assert (sent.method, sent.path, sent.body) == (method, path, body)


def test_the_environment_has_a_route_a_line() -> None:
    first, second = parse_route('POST /v1 {"a":\n1}\nGET /v2', Path())
    assert (request(first).body, request(second).path) == (b'{"a":\n1}', "/v2")


@pytest.mark.parametrize("text", ["", "GET", "/v1", "FETCH /", "GET v1", "POST /v1 @none"])
def test_a_bad_route_of_the_command_line_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"METHOD PATH|must begin with /|no file") as caught:
        parse_route(text, tmp_path)
    assert "\n" not in str(caught.value)
