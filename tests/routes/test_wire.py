"""Routes that another process sends: what comes out is what went in."""

import json
from pathlib import Path

import msgpack

from tidemark.routes import read_headers, read_routes
from tidemark.routes.template import Values
from tidemark.routes.wire import from_plain, to_plain


def over_the_wire(value: object) -> object:
    """As Locust's channel hands it over."""
    return from_plain(msgpack.loads(msgpack.dumps(to_plain(value)), strict_map_key=False))


def test_every_kind_of_route_survives(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"\xff\x00")
    (tmp_path / "rows.jsonl").write_text('{"n": {seq}}\n{"n": "{random:8}"}\n')
    routes = read_routes(
        [
            {"path": "/a/{seq}", "method": "PUT", "body": "@raw", "weight": 2.5},
            {"path": "/b", "bodies": "@rows.jsonl", "query": {"q": "{uuid}"}, "accepted": "n[0].x"},
            {"path": "/c", "body": "{batch}", "headers": {"X-Key": "s{run_id}"}},
            {
                "path": "/d",
                "body": {"k": [1, None]},
                "success": {"status": ["2xx", 404], "json": "ok", "equals": {"deep": [True, 1.5]}},
            },
            {"path": "/e", "success": {"json": "ok"}},
        ],
        tmp_path,
    )
    again = over_the_wire(routes)
    assert again == routes
    values = Values(3, "run", 1)
    for before, after in zip(routes, again, strict=True):  # type: ignore[call-overload]
        assert after.request(values, 1, b"x") == before.request(Values(3, "run", 1), 1, b"x")
        assert after.success.failure(200, b'{"ok": 1}') == before.success.failure(200, b'{"ok": 1}')


def test_headers_survive_with_their_values() -> None:
    headers = read_headers(["Authorization: Bearer a:b", "X-Run: {run_id}"])
    assert over_the_wire(headers) == headers


def test_it_is_plain(tmp_path: Path) -> None:
    routes = read_routes([{"path": "/{seq}", "body": "x"}], tmp_path)
    assert json.dumps(to_plain(routes), default=lambda raw: raw.decode())
