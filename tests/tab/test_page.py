"""The tab's routes: what they serve, to whom, and nothing else."""

import http.server
import json
import os
import threading
from pathlib import Path

import pytest

from tests.analysis.rundirs import write_run
from tests.eventually import eventually
from tests.tidemark.test_web import ATTACKS, EMBEDDED_HOST, OWN, get_parser
from tidemark.run.companion import Address
from tidemark.run.reporting import Reports
from tidemark.tab import shown
from tidemark.tab.page import OWN_FILES, Tab
from tidemark.web import WebPage

with pytest.MonkeyPatch.context() as patch:
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
    from locust.env import Environment
    from locust.web import WebUI

ROUTES = [
    "",
    "live.json",
    "metrics",
    "runs.json",
    "page/live.js",
    "page/tab.js",
    "runs/x/report.html",
]


class Companion:
    """What the tab needs of a companion."""

    def __init__(self, address=None):
        self._address = address
        self.is_running = self.is_given_up = False
        self.starts = self.stops = 0

    def start(self):
        self.starts += 1
        self.is_running = True

    def stop(self):
        self.stops += 1
        self.is_running = False

    def address(self, _timeout_s):
        return self._address if self.is_running else None


class Runs:
    """As the page needs them."""

    is_busy = keeps_rate = True

    def expect_idle(self):
        """None is under way."""


class SlowReports(Reports):
    """Makes a report when it is told to."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.why = ""

    def want(self, path):
        self.asked.append(path)

    def failure(self, _path):
        return self.why


class Site:
    """Locust's page with the tab in it."""

    def __init__(self, *, base_path="", web_login=False):
        environment = Environment(host=EMBEDDED_HOST)
        environment.parsed_options = get_parser().parse_args([])
        environment.parsed_options.stats_history_enabled = False
        self.runner = environment.create_local_runner()
        self.web_ui = WebUI(
            environment,
            "127.0.0.1",
            0,
            delayed_start=True,
            web_base_path=base_path,
            web_login=web_login,
        )
        self.reports = SlowReports()
        WebPage(environment, self.web_ui, Runs()).install()
        self.tab = Tab(self.web_ui, self.reports)
        self.tab.install()
        self.client = self.web_ui.app.test_client()
        self.base = base_path

    def get(self, path="", **headers):
        return self.client.get(f"{self.base}/tidemark/{path}", base_url=OWN, headers=headers)

    def listed(self):
        return self.get("runs.json").get_json()["runs"]


@pytest.fixture(autouse=True)
def _command_line(monkeypatch):
    """Locust reads it anew for each page."""
    monkeypatch.setattr("sys.argv", ["locust"])


@pytest.fixture
def site():
    site = Site()
    yield site
    site.tab._shown.leave()
    site.runner.greenlet.kill(block=False)


@pytest.fixture(scope="module")
def _finished(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("tab"), strategy="shared")


@pytest.fixture
def run(site, _finished, tmp_path):
    """A run that has ended and is the only one in the list."""
    path = tmp_path / "20260101T000000Z-shared"
    path.mkdir()
    (path / "run.json").write_bytes((_finished / "run.json").read_bytes())
    site.tab.begin(path, Companion())
    return path


def judge(path):
    """As `tidemark report` does."""
    verdict = {"headline": "no leak", "verdict": "clean", "exit_code": 0}
    (path / "verdict.json").write_text(json.dumps(verdict))
    (path / "report.png").write_bytes(b"a picture")
    (path / "report.html").write_text("<p>a report</p>")


# The page


def test_the_page_is_that_of_watch_with_the_runs_below(site):
    answer = site.get()
    assert answer.status_code == 200
    assert "page/live.js" in answer.text
    assert 'data-of="locust"' in answer.text
    assert "page/runs.js" in answer.text
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    for name in ("live.js", "live.css", "charts.js", "uPlot.min.js", "scheme.js", *OWN_FILES):
        assert site.get(f"page/{name}").status_code == 200, name


def test_locusts_page_has_the_tab_and_what_fills_it(site):
    text = site.client.get("/", base_url=OWN).text
    assert '{"key": "tidemark", "title": "Tidemark"}' in text
    assert text.index("tidemark/page/tab.js") < text.index("</body>")


@pytest.mark.parametrize("path", ["/", "/tidemark/", "/tidemark/runs.json"])
def test_a_base_path_stands_before_all_of_it(path):
    site = Site(base_path="/soak")
    assert site.client.get(f"/soak{path}", base_url=OWN).status_code == 200
    assert site.client.get(path, base_url=OWN).status_code == 404


# Who may ask


@pytest.mark.parametrize("headers", ATTACKS, ids=str)
def test_no_route_answers_another_site(site, run, headers):
    judge(run)
    for path in (*ROUTES, f"runs/{run.name}/report.html"):
        assert site.get(path, **headers).status_code == 403, path


def test_no_route_goes_round_the_login():
    site = Site(web_login=True)
    site.web_ui.app.secret_key = "x"
    site.web_ui._login_manager.user_loader(lambda _: None)
    site.tab.begin(Path("/nowhere/x"), Companion())
    for path in ROUTES:
        answer = site.get(path)
        assert answer.status_code == 302, path
        assert "/login" in answer.headers["Location"]


# What is new of the run


def test_without_a_run_it_says_so(site):
    assert site.get("live.json").get_json() == {"why": "no run yet: start one"}


@pytest.fixture
def there():
    """A server in the place of a companion's, and what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["X-Tidemark-Token"]))
            self.send_response(200 if self.headers["X-Tidemark-Token"] == "T" else 403)
            self.end_headers()
            self.wfile.write(b'{"facts":1}')

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()
        thread.join()


def test_the_companion_is_started_when_somebody_looks_and_asked_for_nothing_else(site, there, run):
    url, asked = there
    companion = Companion(Address(url, "T"))
    site.tab.begin(run, companion)
    site.get()
    site.get("runs.json")
    assert companion.starts == 0, "nobody has asked for the run"
    assert site.get("live.json?since=k.3&x=1").get_json() == {"facts": 1}
    site.get("live.json?since=../run.json?a=b%0d%0aHost:%20x")
    site.get("live.json?since=" + "9" * 500)
    assert companion.starts == 1
    assert asked == [
        ("/live.json?since=k.3", "T"),
        ("/live.json?since=..%2Frun.json%3Fa%3Db%0D%0AHost%3A%20x", "T"),
        ("/live.json?since=" + "9" * 40, "T"),
    ]
    another = Companion()
    site.tab.begin(run, another)
    assert companion.stops == 1, "another run is shown now"


def test_a_companion_that_others_need_is_left_to_them(site, there, run):
    companion = Companion(Address(there[0], "T"))
    companion.start()
    site.tab.begin(run, companion)
    assert site.get("live.json").status_code == 200
    site.tab.begin(run, Companion())
    assert (companion.starts, companion.stops) == (1, 0)


@pytest.mark.parametrize("token", ["T", "wrong"])
def test_one_that_does_not_answer_is_one_clear_line(site, there, run, token):
    url = there[0] if token == "wrong" else "http://127.0.0.1:1/"
    site.tab.begin(run, Companion(Address(url, token)))
    answer = site.get("live.json")
    assert answer.status_code == 503
    assert answer.text.startswith("what shows the run ")
    assert answer.text.count("\n") == 1


def test_one_that_is_not_up_yet_or_never_will_be_is_told_apart(site, run):
    companion = Companion()
    site.tab.begin(run, companion)
    assert site.get("live.json").get_json() == {"why": "the run is being read"}
    companion.is_given_up = True
    assert site.get("live.json").status_code == 503


def test_a_companion_that_nobody_asks_any_more_is_ended(site, there, run, monkeypatch):
    monkeypatch.setattr(shown, "IDLE_S", 0.2)
    monkeypatch.setattr(shown, "_LOOK_EVERY_S", 0.01)
    companion = Companion(Address(there[0], "T"))
    site.tab.begin(run, companion)
    for starts in (1, 2):
        assert site.get("live.json").status_code == 200
        assert companion.starts == starts
        eventually(lambda starts=starts: companion.stops == starts, "that it is ended")


# The runs


def test_the_runs_are_listed_the_latest_first(site, run, tmp_path):
    later = tmp_path / "later"
    later.mkdir()
    about = json.loads((run / "run.json").read_text())
    about |= {"ended_at": None, "outcome": None, "strategy": "pooled"}
    (later / "run.json").write_text(json.dumps(about))
    site.tab.begin(later, Companion())
    first, second = site.listed()
    assert (first["strategy"], first["ended"], first["verdict"]) == ("pooled", "under way", "")
    assert "report" not in first
    assert second["ended"].startswith("completed")
    assert second["verdict"] == "not judged yet"
    judge(run)
    judged = site.listed()[1]
    assert (judged["verdict"], judged["severity"]) == ("no leak", "pass")
    assert site.get(judged["report"]).text == "<p>a report</p>"
    assert site.get(judged["picture"]).data == b"a picture"


def test_a_run_that_is_gone_or_broken_is_listed_with_its_trouble(site, run):
    (run / "run.json").write_text("{")
    (entry,) = site.listed()
    assert "is not a JSON object" in entry["trouble"]
    (run / "run.json").unlink()
    assert "holds no run.json" in site.listed()[0]["trouble"]


def test_a_verdict_that_is_none_is_not_shown_as_one(site, run):
    judge(run)
    (run / "verdict.json").write_text("[]")
    assert site.listed()[0]["verdict"] == "not judged yet"


# Reports


def test_a_report_is_made_when_it_is_opened(site, run):
    waiting = site.get(f"runs/{run.name}/report.html")
    assert (waiting.status_code, waiting.headers["Refresh"]) == (202, "1")
    assert site.reports.asked == [run]
    judge(run)
    answer = site.get(f"runs/{run.name}/report.html")
    assert answer.text == "<p>a report</p>"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert site.reports.asked == [run]


def test_one_that_is_older_than_the_run_is_made_anew(site, run):
    judge(run)
    os.utime(run / "report.html", (1, 1))
    assert site.listed()[0]["verdict"] == "not judged yet"
    assert site.get(f"runs/{run.name}/report.html").status_code == 202


def test_one_that_cannot_be_made_says_why(site, run):
    site.reports.why = "samples.csv is empty"
    answer = site.get(f"runs/{run.name}/report.html")
    assert (answer.status_code, site.reports.asked) == (500, [])
    assert answer.text == "the report could not be made: samples.csv is empty\n"


def test_a_run_under_way_has_none_yet(site, run):
    about = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(about | {"ended_at": None}))
    answer = site.get(f"runs/{run.name}/report.html")
    assert (answer.status_code, site.reports.asked) == (404, [])


@pytest.mark.parametrize(
    "path",
    [
        "runs/{run}/run.json",
        "runs/{run}/target.log",
        "runs/{run}/../{run}/report.png",
        "runs/{run}/..%2f..%2fsecret.html",
        "runs/{run}/%2e%2e/secret.html",
        "runs/%2e%2e/report.html",
        "runs/../report.html",
        "runs/./report.html",
        "runs/other/report.html",
        "runs//etc/passwd",
        "runs/{run}/report.html/",
        "runs/{run}/report.png%00.html",
        "page/../__init__.py",
        "page/%2e%2e/files.py",
        "page/index.htm",
        "live.json/x",
        "nowhere",
    ],
)
def test_no_other_file_is_served(site, run, path, tmp_path):
    judge(run)
    for folder in (tmp_path, tmp_path / "other"):
        folder.mkdir(exist_ok=True)
        for name in ("report.html", "secret.html"):
            (folder / name).write_text("SECRET")
    answer = site.get(path.format(run=run.name))
    assert answer.status_code in {308, 404}
    assert "SECRET" not in answer.text


@pytest.mark.parametrize("what", ["a link", "a pipe", "a folder", "nothing", "a linked folder"])
def test_what_is_no_file_of_the_run_is_not_served(site, run, tmp_path, what):
    judge(run)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "report.png").write_bytes(b"SECRET")
    picture = run / "report.png"
    picture.unlink()
    if what == "a link":
        picture.symlink_to(secret / "report.png")
    elif what == "a pipe":
        os.mkfifo(picture)
    elif what == "a folder":
        picture.mkdir()
    elif what == "a linked folder":
        run.rename(tmp_path / "moved")
        run.symlink_to(secret)
    answer = site.get(f"runs/{run.name}/report.png")
    assert answer.status_code == 404


def test_a_prometheus_server_reads_the_run_of_the_companion(site, there, run):
    url, asked = there
    companion = Companion(Address(url, "T"))
    site.tab.begin(run, companion)
    answer = site.get("metrics")
    assert (answer.status_code, answer.data) == (200, b'{"facts":1}'), "as it is"
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert (companion.starts, asked) == (1, [("/metrics", "T")])


def test_there_is_nothing_to_read_before_a_run_and_while_it_is_being_read(site, run):
    empty = Site()
    assert (empty.get("metrics").status_code, empty.get("metrics").data) == (200, b"")
    site.tab.begin(run, Companion())
    assert (site.get("metrics").status_code, site.get("metrics").data) == (200, b"")
    site.tab.begin(run, Companion(Address("http://127.0.0.1:1/", "T")))
    assert site.get("metrics").status_code == 503
