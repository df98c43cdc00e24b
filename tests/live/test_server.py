"""The page's server: what it says, to whom, and what of it comes again."""

import json
import socket
import urllib.error
import urllib.request

import pytest

from tests.analysis.rundirs import write_run
from tests.eventually import eventually
from tidemark.live.pages import KINDS
from tidemark.live.server import make_app, serving
from tidemark.live.watching import Watched
from tidemark.record.errors import OptionError

HERE = {"Host": "127.0.0.1:8090"}


@pytest.fixture
def watched(judged):
    """A run under way, followed, of each test's own."""
    return judged


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory):
    """A run that nobody follows: as it was at its beginning."""
    return Watched(write_run(tmp_path_factory.mktemp("at-rest")))


@pytest.fixture
def client(at_rest):
    return make_app(at_rest).test_client()


def asked(client, since=""):
    answer = client.get(f"/live.json?since={since}", headers=HERE)
    assert answer.status_code == 200
    return answer.get_json()


def test_the_page_needs_nothing_from_anywhere_else(client):
    for path in ("/", *(f"/page/{name}" for name in KINDS)):
        answer = client.get(path, headers=HERE)
        assert answer.status_code == 200, path
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        if not path.endswith(("uPlot.min.js", "LICENSE")):
            text = answer.text.replace("http://www.w3.org/2000/svg", "")
            assert "://" not in text, "it names another place"
    page = client.get("/", headers=HERE).text
    assert "style=" not in page
    assert "onclick" not in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.test"},
        {"Host": "192.168.0.7:8090"},
        {**HERE, "Origin": "http://evil.test"},
        {**HERE, "Sec-Fetch-Site": "cross-site"},
        {**HERE, "Sec-Fetch-Site": "same-site"},
        {**HERE, "Referer": "http://evil.test/x"},
    ],
)
@pytest.mark.parametrize("path", ["/live.json", "/page/live.js", "/nowhere"])
def test_other_sites_and_other_names_are_refused(client, headers, path):
    answer = client.get(path, headers=headers)
    assert answer.status_code == 403
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_a_link_to_the_page_may_stand_anywhere(client):
    linked = {**HERE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    assert client.get("/", headers=linked).status_code == 200
    framed = {**linked, "Sec-Fetch-Dest": "iframe"}
    assert client.get("/", headers=framed).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/page/../server.py",
        "/page/%2e%2e/server.py",
        "/page/",
        "/run.json",
        "/page/index.htm",
        "//etc/passwd",
    ],
)
def test_no_other_file_is_served(client, path):
    assert client.get(path, headers=HERE).status_code in {308, 404}


def test_nothing_can_be_sent(client):
    for path in ("/", "/live.json", "/page/live.js"):
        assert client.post(path, headers=HERE).status_code == 405


def test_a_reload_gets_all_and_an_update_what_is_new(watched, writer):
    client = make_app(watched).test_client()
    whole = asked(client)
    assert whole["is_whole"]
    assert len(whole["targets"]["target"]["levels"]["time"]) > 50
    assert whole["facts"]["verdict"] == "leak"
    since = f"{whole['key']}.{whole['revision']}"
    writer.write_until(13)
    eventually(
        lambda: asked(client)["facts"]["moment"]["elapsed_s"] > 12.5, "the next rows", timeout_s=90
    )
    update = asked(client, since)
    assert not update["is_whole"]
    assert 0 < len(update["targets"]["target"]["levels"]["time"]) < 10
    again = asked(client, f"{update['key']}.{update['revision']}")
    assert again["targets"]["target"]["levels"]["time"] == []
    assert "events" not in again


@pytest.mark.parametrize(
    "since", ["", "x", "x.1", ".", "{key}.", "{key}.-1", "{key}.99999999999999999999", "{key}.1e3"]
)
def test_what_makes_no_sense_gets_all(client, at_rest, since):
    assert asked(client, since.format(key=at_rest.run.key))["is_whole"]


def test_it_listens_on_this_machine_only_and_not_after_its_end(at_rest):
    with serving(at_rest, 0) as url:
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}live.json", timeout=10) as answer:
            assert json.load(answer)["facts"]["name"] == "shared"
            assert answer.headers["Server"] == "tidemark"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=10)


def test_a_port_that_is_taken_is_one_clear_line(at_rest):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(OptionError, match=f"--port: {port} cannot be had"),
            serving(at_rest, port),
        ):
            pass
