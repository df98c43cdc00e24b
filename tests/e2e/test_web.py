"""The web UI: each start is a run of its own, and the form is checked like a command line."""

import http.server
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from tests.eventually import eventually

from .chromium import Browser
from .conftest import Workbench, event_names, forms_of, metadata, sampled
from .web import Form, says

pytestmark = pytest.mark.e2e


@pytest.mark.long
def test_each_start_is_a_run_on_a_fresh_target(form: Form) -> None:
    url = ""
    for number, strategy in enumerate(("shared", "pooled"), start=1):
        planned = {"run_time": "90s"} if number == 1 else {}
        # The form shows the target of the run before as the host, and hands it back.
        assert form.start(strategy=strategy, rate="20", host=url, **planned)["success"]
        run = form.bench.runs()[-1]
        eventually(lambda run=run: sampled(run, 30))
        form.stop()
        eventually(lambda run=run: metadata(run)["outcome"])
        assert metadata(run)["outcome"] == "completed"
        assert metadata(run)["strategy"] == strategy
        assert metadata(run)["load"]["rate"] == 20.0
        assert metadata(run)["load"]["run_time_s"] == (90 if planned else None)
        assert len(form.bench.runs()) == number
        url = metadata(run)["target"]["url"]


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Form]:
    """One form for all that is refused: none of it may change what comes after."""
    bench = Workbench(tmp_path_factory.mktemp("refusing"))
    with forms_of(bench) as start:
        yield start()


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("strategy", "nope", "unknown strategy"),
        ("rate", "0", "greater than 0"),
        ("fds_limit", "12", "limit"),
        ("target_port", "99999", "65,535"),
        ("results", "/proc/nowhere", "command line only"),
        ("kafka_option", "plugin.library.paths=/some.so", "command line only"),
        ("user_count", "-1", "--user-count"),
        ("user_count", "abc", "--user-count"),
        ("spawn_rate", "0", "--spawn-rate"),
        ("spawn_rate", "nan", "--spawn-rate"),
        ("topic", "a b", "letters"),
        ("host", "ftp://127.0.0.1", "--host"),
    ],
)
def test_the_form_refuses_what_the_command_line_refuses(
    refusing: Form, field: str, value: str, wanted: str
) -> None:
    answer = refusing.start(**{"strategy": "shared", field: value})
    assert not answer["success"]
    assert wanted in answer["message"]
    assert "\n" not in answer["message"]
    assert refusing.locust.process.poll() is None  # the web UI itself goes on
    assert len(refusing.bench.left()) == 1, "and nothing else"
    assert all(metadata(run)["outcome"] == "aborted" for run in refusing.bench.runs())


@pytest.mark.long
def test_what_keeps_a_process_from_coming_up_is_told_with_its_field(form: Form) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
        given = {
            "fds_limit": "12",
            "kafka_option": "linger.mss=5",
            "target_port": str(taken.getsockname()[1]),
            "host": f"http://{nobody}",
            "bootstrap": nobody,
        }
        for field, value in given.items():
            answer = form.start(**{"strategy": "shared", field: value})
            assert answer["fields"] == [field], answer["message"]
    assert form.start(strategy="shared")["success"], "none of them was taken over"
    form.stop()


def test_of_four_starts_at_once_one_is_taken(form: Form) -> None:
    with ThreadPoolExecutor(4) as four:
        answers = list(four.map(lambda rate: form.start(strategy="shared", rate=rate), "6789"))
    accepted, *refused = sorted(answers, key=lambda answer: not answer["success"])
    assert accepted["success"]
    assert all("another run is being started" in answer["message"] for answer in refused)
    (run,) = form.bench.runs()
    assert sum("tidemark.sampler" in line for line in form.bench.left()) == 1
    form.stop()
    eventually(lambda: metadata(run)["outcome"])


def test_the_web_ui_listens_on_loopback_alone(form: Form) -> None:
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(form.locust.process.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


# In a real browser


@pytest.mark.long
@pytest.mark.parametrize(
    "form",
    [("-u1", "-r1", "--rate=40", "--fds-limit=200", "--plateau=1", "--request-timeout=1")],
    indirect=True,
)
def test_the_page_comes_to_stopped_by_itself_and_starts_again(form: Form, browser: Browser) -> None:
    page = browser.page()
    page.open(form.url)
    for number in (1, 2):
        eventually(lambda: page.click("START"), "that the form is there")
        eventually(lambda: says(page, "RUNNING", "SPAWNING"), "that it runs", 60)
        late = browser.page()  # opened while the run goes on, perhaps while it ends
        eventually(lambda number=number: len(form.bench.runs()) == number)
        run = form.bench.runs()[-1]
        eventually(lambda run=run: "emfile" in event_names(run), "that it has died", 60)
        late.open(form.url)
        for one in (page, late):
            eventually(lambda one=one: says(one, "STOPPED"), "STOPPED", 60)
        assert metadata(run)["outcome"] == "exhausted"
        assert not says(page, "CLEANUP", "LOADING")
        eventually(lambda: page.click("NEW"), "that another run is offered")


ATTACK = """<!doctype html><title>attack</title>
<iframe name=hole></iframe><iframe id=page></iframe>
<form method=post target=hole action=THERE/swarm>
<input name=user_count value=1><input name=spawn_rate value=1><input name=strategy value=shared>
</form><script>
const ended = (element, url) => new Promise(done => {
    element.onload = element.onerror = done; element.src = url; document.body.append(element) })
const fields = () => new URLSearchParams({user_count: 1, spawn_rate: 1, strategy: 'shared'})
const stay = {mode: 'no-cors', credentials: 'include'}
const read = url => fetch(url).then(answer => answer.text())
async function attack() {
    const posted = new Promise(done => document.getElementsByName('hole')[0].onload = done)
    document.forms[0].submit()
    await posted
    const tried = await Promise.allSettled([
        ended(new Image, 'THERE/stop'), ended(new Image, 'THERE/stats/reset'),
        ended(document.createElement('script'), 'THERE/stop'),
        ended(document.getElementById('page'), 'THERE/'),
        fetch('THERE/swarm', {method: 'POST', body: fields(), ...stay}),
        fetch('THERE/swarm', {method: 'POST', body: 'user_count=1&spawn_rate=1', ...stay}),
        fetch('THERE/stop', {method: 'POST', ...stay}), fetch('THERE/stop', stay),
        fetch('THERE/stats/reset', {method: 'POST', ...stay}),
    ])
    const secrets = await Promise.allSettled(
        ['THERE/', 'THERE/logs', 'THERE/stats/requests', 'THERE/exceptions'].map(read))
    return [tried.length, secrets.map(one => one.value || '').join('')]
}
</script>"""


@pytest.fixture
def attacker(form: Form) -> Iterator[int]:
    """The port of a site on 127.0.0.2 whose every page attacks the form."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(ATTACK.replace("THERE", form.url).encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.long
@pytest.mark.parametrize("host", ["127.0.0.2", "127.0.0.1", "localhost", "evil.test"])
def test_pages_of_other_sites_start_and_stop_and_read_nothing(
    form: Form, browser: Browser, attacker: int, host: str
) -> None:
    page = browser.page()

    def attack() -> None:
        page.open(f"http://{host}:{attacker}/")
        eventually(lambda: page.evaluate("typeof attack") == "function")
        tried, read = page.evaluate("attack()")
        assert tried == 9
        assert "another site" in read or read == ""
        assert "templateArgs" not in read

    attack()
    assert form.bench.runs() == []
    assert len(form.bench.left()) == 1
    assert form.start(strategy="shared", rate="20")["success"]
    (run,) = form.bench.runs()
    eventually(lambda: sampled(run, 10))
    attack()
    assert metadata(run)["outcome"] is None
    form.stop()
    eventually(lambda: metadata(run)["outcome"] == "completed")


@pytest.mark.long
def test_a_name_that_somebody_lets_lead_here_is_not_answered(form: Form, browser: Browser) -> None:
    page = browser.page()
    page.open(form.url.replace("127.0.0.1", "rebound.test"))
    eventually(lambda: "is no name of this page" in page.text)
    post = "{method: 'POST', body: new URLSearchParams({user_count: 1, spawn_rate: 1})}"
    assert page.evaluate(f"fetch('/swarm', {post}).then(answer => answer.status)") == 403
    assert form.bench.runs() == []
