"""The server over real sockets: what is answered, what is refused, and what clients may not do."""

import http.client
import json
import random
import socket
from contextlib import closing, suppress

import pytest

from tests.agent.conftest import DEADLINE_S, HURRIED, SECRET, TOKEN, get, raw
from tests.eventually import eventually
from tidemark.agent.guard import Bucket, Guard
from tidemark.agent.http import MOST_HEAD_BYTES
from tidemark.agent.server import MOST_CONNECTIONS
from tidemark.agent.shelf import SERVED
from tidemark.record.layout import SAMPLES


def test_what_ran(servers, folder):
    status, headers, body = get(servers(), "/v1/run")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    told = json.loads(body)
    assert told["files"] == {name: (folder / name).stat().st_size for name in SERVED}
    assert told["run"]["note"] == SECRET
    assert told["clock"].keys() == {"unix_s", "monotonic_s"}
    known = {name: told[name] for name in ("protocol", "agent", "boot", "began_monotonic_s")}
    assert known == {"protocol": 1, "agent": "agent-1", "boot": "boot-1", "began_monotonic_s": 5.0}
    assert told["missing_rights"] == ["no right"]


@pytest.mark.parametrize("name", SERVED)
def test_every_file_of_the_table(servers, folder, name):
    status, headers, body = get(servers(), f"/v1/files/{name}?offset=0&limit=100000")
    assert (status, body) == (200, (folder / name).read_bytes())
    assert headers["Tidemark-Next-Offset"] == str(len(body))
    assert headers["Tidemark-Agent"] == "agent-1"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/files/",
        "/v1/files/../../../../etc/passwd",
        "/v1/files/%2e%2e%2fetc%2fpasswd",
        "/v1/files/target.log",
        "/v1/files/run.json%00",
        "/v1/run/",
        "//v1/run",
        "/metrics/x",
    ],
)
def test_there_is_nothing_else(servers, folder, path):
    (folder / "target.log").write_text(SECRET)
    status, _, body = get(servers(), path)
    assert status == 404
    assert SECRET.encode() not in body


@pytest.mark.parametrize(
    "query", ["offset=-1", "offset=1.5", "limit=x", "offset=\u0663", "a=1", "offset=1&offset=2"]
)
def test_parameters_are_numbers_of_bytes(servers, query):
    path = f"/v1/files/{SAMPLES.file}?{query}".encode().decode("latin-1")
    answer = raw(servers(), f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("latin-1"))
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_one_connection_carries_many_requests(servers):
    with closing(http.client.HTTPConnection("127.0.0.1", servers(), timeout=DEADLINE_S)) as client:
        client.connect()
        ours = client.sock.getsockname()
        for _ in range(5):
            client.request("GET", "/metrics")
            assert client.getresponse().read()
        assert client.sock.getsockname() == ours
    request = b"HEAD /v1/run HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert raw(servers(), request * 3).count(b"HTTP/1.1 200 OK") == 3  # sent before it was asked


@pytest.mark.parametrize("path", ["/v1/run", "/metrics", "/v1/files/samples.csv", "/none"])
def test_without_the_token_nothing_is_told(servers, path):
    port = servers(TOKEN)
    status, headers, body = get(port, path)
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Bearer")
    assert body == b"a token is wanted: Authorization: Bearer TOKEN\n"
    assert get(port, path, token=TOKEN)[0] == (404 if path == "/none" else 200)


def test_a_page_of_another_site_is_refused(servers):
    assert get(servers(), "/v1/run", Host="rebound.example:9666")[0] == 403


def test_who_asks_without_end_is_told_to_wait(servers):
    guard = Guard(None)
    guard._allowed = Bucket(0.0, 3.0)
    port = servers(guard=guard)
    assert [get(port, "/metrics")[0] for _ in range(5)] == [200, 200, 200, 429, 429]


def test_a_head_without_end_is_cut_off(servers):
    answer = raw(servers(), b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * MOST_HEAD_BYTES)
    assert answer.startswith(b"HTTP/1.1 431 ") or answer == b""  # reset before it was read


@pytest.mark.parametrize("sent", [b"", b"GET / HTT"], ids=["silent", "halfway"])
def test_who_is_slow_is_let_go(servers, sent):
    port = servers(patience=HURRIED)
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
        client.sendall(sent)
        assert client.recv(10) == b""


def test_who_drips_is_let_go(servers):
    port = servers(patience=HURRIED)
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:

        def is_over():
            try:
                client.sendall(b"x")
            except OSError:
                return True
            return False

        eventually(is_over, "that the server has had enough", DEADLINE_S)


def test_who_does_not_take_the_answer_is_let_go(servers, folder):
    with (folder / SAMPLES.file).open("ab") as file:
        file.write(b"x" * 99 + b"\n")
        file.write((b"y" * 99 + b"\n") * 2000)
    port = servers(patience=HURRIED)
    request = f"GET /v1/files/{SAMPLES.file} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    clients = []
    for _ in range(MOST_CONNECTIONS):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", port))
        client.sendall(request * 20)
        clients.append(client)

    def is_answered():
        with suppress(OSError, http.client.HTTPException):
            return get(port, "/metrics")[0] == 200

    eventually(is_answered, "that there is room again", DEADLINE_S)
    for client in clients:
        client.close()


def test_who_says_nothing_makes_room(servers):
    port = servers(TOKEN)
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(3 * MOST_CONNECTIONS)]
    assert get(port, "/v1/run", token=TOKEN)[0] == 200
    for one in idle:
        one.close()


def test_who_may_ask_is_not_driven_out(servers):
    port = servers(TOKEN)
    shown = {"Authorization": f"Bearer {TOKEN.decode()}"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)) as client:
        client.request("GET", "/v1/run", headers=shown)
        client.getresponse().read()
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(3 * MOST_CONNECTIONS)]
        eventually(lambda: get(port, "/metrics", token=TOKEN)[0] == 200)
        client.request("GET", "/v1/run", headers=shown)  # on the connection that it had
        assert client.getresponse().status == 200
        for one in idle:
            one.close()


PIECES = (
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"/v1/run",
    b"/v1/files/",
    b"samples.csv",
    b"run.json",
    b"../",
    b"%2e%2e/",
    b"/metrics",
    b"?offset=",
    b"&limit=",
    b"99999999999999999999",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b"Host: localhost\r\n",
    b"Authorization: Bearer ",
    b"Authorization: Basic eDp5\r\n",
    b"Content-Length: 10\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: keep-alive\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\x00",
    b"\xff",
    b":",
)


def fuzzed(chance):
    """A request that is nearly one."""
    if chance.random() < 0.5:
        path = b"".join(chance.choices(PIECES[3:13], k=chance.randint(1, 4)))
        headers = b"".join(chance.choices(PIECES[15:21], k=chance.randint(0, 3)))
        data = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n"
    else:
        data = b"".join(chance.choices(PIECES, k=chance.randint(1, 25))) + b"\r\n\r\n"
    while chance.random() < 0.3:
        at = chance.randrange(len(data))
        data = data[:at] + chance.randbytes(chance.randint(0, 3)) + data[at + 1 :]
    return data


def unlimited(token):
    guard = Guard(token)
    guard._allowed = guard._failed = Bucket(1e9, 1e9)
    return guard


def statuses(answer):
    """Those of all answers on one connection; nothing of the recording may stand between."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]


def test_no_request_is_our_fault_and_none_gets_round_the_token(servers):
    chance = random.Random(1)
    closed, open_ = servers(guard=unlimited(TOKEN)), servers(guard=unlimited(None))
    seen = set()
    for _ in range(150):
        data = fuzzed(chance)
        locked = raw(closed, data)
        assert SECRET.encode() not in locked
        assert b"time_s" not in locked
        assert all(400 <= status < 500 for status in statuses(locked))
        told = statuses(raw(open_, data))
        assert all(status < 500 for status in told)
        seen.update(told)
    assert {200, 400, 404} <= seen  # it was no noise alone
