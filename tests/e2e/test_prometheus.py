"""A real Prometheus server that scrapes a real service: imported, it says what the sampler does."""

import http.client
import shutil
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.prometheus import JOB, PrometheusServer, end
from tests.eventually import eventually
from tidemark.analysis.verdict.assessment import assess_directory
from tidemark.importing.server import PrometheusServer as Client

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed"),
]

SERVICE = Path(__file__).with_name("leaking_page.py")
SCRAPE_S = 0.5
SCRAPES = 30
PAUSE_S = 0.05


@pytest.fixture
def stack():
    with ExitStack() as found:
        yield found


def start(stack, *command):
    """A child that says in a line that it is ready."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE)
    stack.callback(process.stdout.close)
    stack.callback(end, process)
    return process, process.stdout.readline().decode().strip()


def tidemark(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "tidemark", *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def drive_until(address, is_over):
    """Send requests at a steady pace until enough was seen of them."""
    connection = http.client.HTTPConnection(address, timeout=10)
    pause = threading.Event()
    while not is_over():
        for _ in range(10):
            connection.request("GET", "/work")
            connection.getresponse().read()
            pause.wait(PAUSE_S)
            connection.close()


def test_what_a_real_server_holds_is_what_the_sampler_sees(tmp_path, stack):
    _, address = start(stack, str(SERVICE))
    server = PrometheusServer(tmp_path, [address], SCRAPE_S)
    stack.callback(server.close)
    sampled, imported = tmp_path / "sampled", tmp_path / "imported"
    watched = ("--metrics-url", f"http://{address}/metrics", "--interval", "0.5")
    sampler, _ = start(stack, "-m", "tidemark", "sample", *watched, "--out", str(sampled))
    began_s = time.time()
    client = Client(server.url)

    def scrapes():
        found = client.scraped(f'up{{job="{JOB}"}}', began_s, time.time(), SCRAPE_S)
        return sum(int((one.value == 1).sum()) for one in found)

    drive_until(address, lambda: scrapes() >= SCRAPES)
    end(sampler)
    given = ("import", "prometheus", "--url", server.url, "--job", JOB, "--start", str(began_s))
    code, output = tidemark(*given, "--out", str(imported))
    assert code == 0, output
    assert "requests by http_requests_total" in output
    code, output = tidemark("check", str(imported))
    assert code == 1, output
    found, truth = (assess_directory(one).verdict.resources for one in (imported, sampled))
    assert (found["fds"].verdict, truth["fds"].verdict) == ("leak", "leak")
    assert found["fds"].per_request == pytest.approx(truth["fds"].per_request, rel=0.05)
    assert found["fds"].per_request == pytest.approx(0.5, rel=0.05)
    assert found["connections"].verdict == "inconclusive", "nobody has looked for any"
    code, output = tidemark("report", str(imported))
    assert code == 0, output
    assert (imported / "report.png").stat().st_size > 10_000


def test_a_real_server_says_what_is_wrong(tmp_path, stack):
    server = PrometheusServer(tmp_path, ["127.0.0.1:9"], SCRAPE_S)
    stack.callback(server.close)
    client = Client(server.url)
    eventually(lambda: client.scraped(f'up{{job="{JOB}"}}', 0, time.time(), 1e5), "a scrape")
    out = ("--out", str(tmp_path / "run"))
    asked = ("import", "prometheus", "--url", server.url, "--start", "-1h", *out)
    for given, expected in (
        (("--query", "fds=sum(("), "answers 400: bad_data: "),
        (("--job", "nobody"), f"there are {JOB}"),
        (("--job", JOB), "there are scrape_duration_seconds"),
    ):
        code, output = tidemark(*asked, *given)
        assert code == 2, output
        assert expected in output
        assert output.count("\n") == 1
    assert not (tmp_path / "run").exists()
