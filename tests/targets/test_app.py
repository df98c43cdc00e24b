"""`targets.app`: what it answers, without a server around it."""

from __future__ import annotations

import json

import pytest

from tidemark.targets.app import STRATEGY_EXTENSION, create_app
from tidemark.targets.config import IngestLimits, KafkaConfig, Settings
from tidemark.targets.errors import TargetError
from tidemark.targets.strategies import STRATEGIES


@pytest.fixture
def make_client(broker):
    """A test client of the app around a strategy, with the brokers of the tests."""
    apps = []

    def make(strategy="per-request-closed", kafka=None, **limits):
        settings = Settings(kafka or KafkaConfig(broker.bootstrap), IngestLimits(**limits))
        app = create_app(strategy, settings)
        apps.append(app)
        return app.test_client()

    yield make
    for app in apps:
        app.extensions[STRATEGY_EXTENSION].close()


@pytest.mark.parametrize("strategy", [n for n in STRATEGIES if n != "per-request-leaked"])
def test_the_answer_is_the_number_of_messages(make_client, strategy):
    response = make_client(strategy).post("/ingest", json=["a", 2, {"b": None}])
    assert (response.status_code, response.json) == (200, 3)


@pytest.mark.parametrize("strategy", ["per-request-closed", "pooled", "shared"])
def test_what_was_accepted_is_in_kafka(make_client, broker, strategy):
    before = broker.end_offset()
    assert make_client(strategy).post("/ingest", json=["message"] * 50).json == 50
    assert broker.end_offset() == before + 50


@pytest.mark.parametrize(
    "refusal",
    [
        (b"not json", 400, "not JSON"),
        (b'{"a": 1}', 400, "must be a JSON array"),
        (b"[]", 400, "empty"),
        (b"[1,2,3,4,5,6,7,8,9]", 413, "9 messages are too many: the limit is 8"),
        (b'["' + b"x" * 200 + b'"]', 413, "too large: the limit is 100 bytes"),
    ],
)
@pytest.mark.parametrize("strategy", ["per-request-closed", "shared"])
def test_refused_bodies_produce_nothing(make_client, broker, strategy, refusal):
    body, status, reason = refusal
    client = make_client(strategy, max_messages=8, max_body_bytes=100)
    before = broker.end_offset()
    response = client.post("/ingest", data=body)
    assert response.status_code == status
    assert response.content_type == "application/json"
    assert reason in response.json["error"]
    client.application.extensions[STRATEGY_EXTENSION].close()  # flushes, if there is anything
    assert broker.end_offset() == before


@pytest.mark.parametrize(
    "strategy", ["per-request-leaked", "per-request-closed", "pooled", "shared"]
)
def test_an_unreachable_broker_is_503_and_leaks_nothing(
    make_client, unreachable, open_descriptors, wait_until, strategy
):
    client = make_client(strategy, unreachable)
    before = open_descriptors()
    response = client.post("/ingest", json=["message"])
    assert response.status_code == 503
    assert "within 1 s" in response.json["error"]
    kept = open_descriptors()
    assert client.post("/ingest", json=["message"]).status_code == 503
    # The shared producer's attempts to connect come and go.
    wait_until(lambda: open_descriptors() <= kept, "the second failure costs nothing more")
    if strategy != "shared":
        assert kept == open_descriptors() == before


def test_unflushed_does_not_even_notice(make_client, unreachable, open_descriptors):
    client = make_client("per-request-unflushed", unreachable)
    before = open_descriptors()
    assert client.post("/ingest", json=["message"]).json == 1
    assert open_descriptors() == before


def test_healthz_names_the_strategy(make_client):
    response = make_client("broken").get("/healthz")
    assert response.json == {"status": "ok", "strategy": "per-request-leaked"}


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/ingest", 405), ("GET", "/", 404)])
def test_other_errors_are_json_too(make_client, method, path, status):
    response = make_client().open(path, method=method)
    assert response.status_code == status
    assert response.json["error"]


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_threads_are_shown_to_the_same_host(make_client, peer):
    client = make_client()
    text = client.get("/debug/threads", environ_overrides={"REMOTE_ADDR": peer})
    assert text.status_code == 200
    assert text.content_type.startswith("text/plain")
    assert text.text.startswith("thread profile: total ")
    document = client.get("/debug/threads?format=json", environ_overrides={"REMOTE_ADDR": peer})
    assert document.json["total"] >= 1


@pytest.mark.parametrize("peer", ["10.0.0.1", "8.8.8.8", "::ffff:10.0.0.1", ""])
def test_threads_are_shown_to_nobody_else(make_client, peer):
    response = make_client().get(
        "/debug/threads",
        environ_overrides={"REMOTE_ADDR": peer},
        headers={"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
    )
    assert response.status_code == 403
    assert "same host" in response.json["error"]


def test_an_unknown_strategy_is_refused(kafka):
    with pytest.raises(TargetError, match="unknown strategy 'none'"):
        create_app("none", Settings(kafka))


def test_messages_arrive_as_compact_json(make_client, broker, kafka):
    before = broker.end_offset()
    make_client("shared").post("/ingest", data=b'[ {"run": "r1", "seq": 7},  "\xc3\xa9" ]')
    assert broker.end_offset() == before + 2
    assert sorted(broker.last_messages(2)) == sorted([b'{"run":"r1","seq":7}', b'"\\u00e9"'])
    assert json.loads(b'"\\u00e9"') == "é"


@pytest.mark.parametrize("host", ["evil.test", "evil.test:8080", "127.0.0.1.evil.test", ""])
def test_threads_are_not_shown_to_a_page_that_has_its_name_resolved_to_us(make_client, host):
    response = make_client().get("/debug/threads", headers={"Host": host})
    assert response.status_code == 403
    assert "loopback" in response.json["error"]
