"""The web page: who may ask it for what, and what a form may say."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest
from flask.testing import FlaskClient

from tidemark.record.errors import TidemarkError

with pytest.MonkeyPatch.context() as patch:
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # our own sockets and threads stay what they are
    import locust  # noqa: F401 - before any of its modules
    from locust.argument_parser import LocustArgumentParser, get_parser
    from locust.env import Environment
    from locust.runners import LocalRunner
    from locust.web import WebUI

    import tidemark.plugin  # noqa: F401 - registers the options
    from tidemark.web import EMBEDDED_HOST, WebPage, why_refused

OWN = "http://127.0.0.1:8089"
GOOD = {"user_count": "1", "spawn_rate": "1", "strategy": "shared"}


@dataclass
class Puppet:
    """Runs that are never really started, and the page in front of them."""

    client: FlaskClient
    environment: Environment
    runner: LocalRunner
    prepared: int = 0
    started: list[tuple[int, float]] = field(default_factory=list)
    dropped: int = 0
    is_busy: bool = False
    keeps_rate: bool = True

    def expect_idle(self) -> None:
        if self.is_busy:
            raise TidemarkError("another run is being started or ended")

    def prepare(self) -> None:
        self.expect_idle()
        self.prepared += 1
        self.is_busy = True

    def drop_unloaded(self) -> None:
        self.dropped += 1
        self.is_busy = False

    def restore_host(self) -> None:
        if self.is_busy:
            self.environment.host = OWN

    def post(self, path: str = "/swarm", headers: Any = None, **form: str) -> Any:
        """What the form says; its JSON if it was let through."""
        answer = self.client.post(path, data=form, headers=headers or {}, base_url=OWN)
        assert answer.status_code == 200, answer.text
        return answer.json

    @property
    def options(self) -> dict[str, Any]:
        return vars(self.environment.parsed_options)


def make(*arguments: str, host: str = EMBEDDED_HOST, web_host: str = "127.0.0.1") -> Puppet:
    environment = Environment(host=host)
    environment.parsed_options = get_parser().parse_args(list(arguments))
    environment.parsed_options.stats_history_enabled = False  # as Locust's main does
    runner = environment.create_local_runner()
    web_ui = WebUI(environment, web_host, 0, delayed_start=True)
    assert web_ui.app
    puppet = Puppet(web_ui.app.test_client(), environment, runner)
    runner.start = lambda users, rate, **_: puppet.started.append((users, rate))
    WebPage(environment, web_ui, puppet).install()
    return puppet


@pytest.fixture(autouse=True)
def _command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust reads it anew for each page, and looks for what its form shows once per option."""
    monkeypatch.setattr("sys.argv", ["locust"])
    for kind in ("", "secret_", "required_", "multiple_"):
        name = f"{kind}args_included_in_web_ui"
        once = cached_property(getattr(LocustArgumentParser, name).fget)
        once.__set_name__(LocustArgumentParser, name)
        monkeypatch.setattr(LocustArgumentParser, name, once)


@pytest.fixture
def page() -> Iterator[Puppet]:
    puppet = make()
    yield puppet
    puppet.runner.greenlet.kill(block=False)


# Who may ask

ROUTES = [
    ("GET", "/"),
    ("HEAD", "/"),
    ("OPTIONS", "/"),
    ("GET", "/assets/favicon-light.png"),
    ("POST", "/swarm"),
    ("OPTIONS", "/swarm"),
    ("GET", "/stop"),
    ("POST", "/stop"),
    ("GET", "/stats/reset"),
    ("POST", "/stats/reset"),
    ("GET", "/stats/requests"),
    ("GET", "/stats/report"),
    ("GET", "/stats/requests/csv"),
    ("GET", "/stats/failures/csv"),
    ("GET", "/exceptions"),
    ("GET", "/exceptions/csv"),
    ("GET", "/tasks"),
    ("GET", "/logs"),
    ("GET", "/login"),
    ("POST", "/user"),
    ("GET", "/worker-count"),
    ("GET", "/tidemark/form.json"),
    ("GET", "/tidemark/form.js"),
    ("GET", "/tidemark/form.css"),
    ("GET", "/nowhere"),
]

ATTACKS = [
    {"Host": "evil.test"},
    {"Host": "evil.test:8089"},
    {"Host": "127.0.0.1.evil.test"},
    {"Host": "localhost@evil.test"},
    {"Host": "127.0.0.1, evil.test"},
    {"Host": "192.0.2.1:8089"},
    {"Host": ""},
    {"Origin": "http://evil.test"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "http://localhost:8089"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Origin": OWN, "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "iframe"},
]


@pytest.mark.parametrize("headers", ATTACKS, ids=str)
def test_no_route_answers_another_site(page: Puppet, headers: dict[str, str]) -> None:
    page.is_busy = True
    for method, path in ROUTES:
        answer = page.client.open(
            path, method=method, headers={"Host": "127.0.0.1:8089", **headers}, data=GOOD
        )
        assert answer.status_code == 403, (method, path)
        assert answer.text.count("\n") == (method != "HEAD")
    assert (page.prepared, page.started, page.dropped) == (0, [], 0)


@pytest.mark.parametrize("path", ["/stop", "/stats/reset", "/logs"])
@pytest.mark.parametrize("referer", ["http://evil.test/", "http://127.0.0.1:9/x"])
def test_an_old_browser_is_known_by_its_referer(page: Puppet, path: str, referer: str) -> None:
    answer = page.client.get(path, base_url=OWN, headers={"Referer": referer})
    assert answer.status_code == 403


def test_a_link_to_the_page_may_stand_anywhere_and_a_frame_nowhere(page: Puppet) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "nav"}
    answer = page.client.get("/", base_url=OWN, headers=link)
    assert answer.status_code == 200
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    old_link = {"Referer": "http://wiki.test/"}
    assert page.client.get("/", base_url=OWN, headers=old_link).status_code == 200


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8089", "127.8.8.8", "localhost", "LOCALHOST:1", "[::1]:8089"]
)
def test_whoever_sits_here_is_answered(page: Puppet, host: str) -> None:
    for headers in (
        {},  # curl
        {"Sec-Fetch-Site": "none"},  # typed in
        {"Sec-Fetch-Site": "same-origin", "Referer": f"http://{host}/"},
        {"Origin": f"http://{host}".lower(), "Sec-Fetch-Site": "same-origin"},
    ):
        for path in ("/", "/stats/requests", "/assets/favicon-light.png"):
            answer = page.client.get(path, headers={"Host": host, **headers}, buffered=True)
            assert answer.status_code == 200, (headers, path, answer.text)


def test_names_that_were_given_are_answered() -> None:
    page = make(
        "--web-allow-host=Load.example", "--web-allow-host=[2001:db8::1]", web_host="10.1.2.3"
    )
    for host in ("load.example:80", "10.1.2.3:8089", "[2001:db8::1]"):
        assert page.client.get("/", headers={"Host": host}).status_code == 200
    answer = page.client.get("/", headers={"Host": "other.example"})
    assert answer.status_code == 403
    assert "--web-allow-host" in answer.text


@pytest.mark.parametrize("web_host", ["", "0.0.0.0", "::"])
def test_listening_everywhere_is_no_name(web_host: str) -> None:
    page = make(web_host=web_host)
    for host in ("evil.test", "", "0.0.0.0"):  # browsers take 0.0.0.0 for this machine
        expected = 200 if host and host == web_host else 403
        assert page.client.get("/", headers={"Host": host}).status_code == expected


def test_a_request_without_a_host_is_refused() -> None:
    assert why_refused("GET", {}, {""}, is_page=True)


# What a form may say


def test_a_good_form_starts_one_run(page: Puppet) -> None:
    answer = page.post(**GOOD, rate="20", host=EMBEDDED_HOST, run_time="1m", profile="", results="")
    assert not answer["success"], "results is not the form's to set"
    assert page.post(**GOOD, rate="20", host=EMBEDDED_HOST, run_time="1m", profile="")["success"]
    assert page.prepared == 1
    assert page.options["rate"] == "20"


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ({"user_count": "-1"}, "--user-count: must be a whole number from 1"),
        ({"user_count": "0"}, "--user-count"),
        ({"user_count": "abc"}, "--user-count"),
        ({"user_count": "1.5"}, "--user-count"),
        ({"user_count": ""}, "--user-count"),
        ({"user_count": "1" * 5000}, "--user-count"),
        ({"user_count": "1000000"}, "--user-count"),
        ({"spawn_rate": "0"}, "--spawn-rate: must be a number greater than 0"),
        ({"spawn_rate": "-1"}, "--spawn-rate"),
        ({"spawn_rate": "nan"}, "--spawn-rate"),
        ({"spawn_rate": "inf"}, "--spawn-rate"),
        ({"spawn_rate": "1e308"}, "--spawn-rate: must be at most 10,000"),
        ({"run_time": "soon"}, "--run-time"),
        ({"run_time": "-5"}, "--run-time"),
        ({"run_time": "9" * 400}, "--run-time"),
        ({"rate": "0"}, "--rate"),
        ({"strategy": "nope"}, "unknown strategy"),
        ({"results": "/tmp/x"}, "--results: can be set on the command line only"),
        ({"kafka_config": "/etc/shadow"}, "--kafka-config: can be set on the command line only"),
        ({"broker_option": "log.dirs=/tmp"}, "--broker-option: can be set on the command"),
        ({"allow_kafka_plugins": "true"}, "--allow-kafka-plugins: can be set on"),
        ({"web_allow_host": "evil.test"}, "--web-allow-host: can be set on the command line"),
        ({"html_file": "/tmp/x"}, "--html-file: can be set on the command line only"),
        ({"csv_prefix": "/tmp/x"}, "--csv-prefix: can be set on the command line only"),
        ({"stats_history_enabled": "true"}, "can be set on the command line only"),
        ({"run_name": "../up"}, "without slashes"),
        ({"kafka_option": "plugin.library.paths=/some.so"}, "--kafka-option plugin.library.paths"),
        ({"kafka_option": "acks=1 ssl.ca.location=/etc/shadow"}, "ssl.ca.location: can be set on"),
        ({"kafka_option": "sasl.oauthbearer.token.endpoint.url=http://h"}, "endpoint.url: can be"),
        ({"bootstrap": "kafka.example:9092"}, "not kafka.example:9092"),
        ({"bootstrap": "127.0.0.1:9092,192.0.2.1:9092"}, "not 192.0.2.1:9092"),
        ({"host": "http://example.com"}, "a service on this machine only"),
        ({"host": "http://127.0.0.1@example.com/"}, "a service on this machine only"),
        ({"host": "http://example.com\\@127.0.0.1"}, "a service on this machine only"),
        ({"host": "http://127.0.0.1.example.com"}, "a service on this machine only"),
        ({"host": "http://[::1"}, "a service on this machine only"),
        ({"host": "http://\n127.0.0.1"}, "a service on this machine only"),
        ({"host": "ftp://127.0.0.1"}, "a service on this machine only"),
    ],
)
def test_a_bad_form_starts_nothing(page: Puppet, form: dict[str, str], wanted: str) -> None:
    before = dict(page.options), page.environment.host
    for page.runner.state in ("ready", "stopped", "running"):
        answer = page.post(**{**GOOD, **form})
        assert not answer["success"]
        assert wanted in answer["message"]
        assert "\n" not in answer["message"]
        assert len(answer["message"]) <= 300
    assert (page.prepared, page.started) == (0, [])
    assert (page.options, page.environment.host) == before


@pytest.mark.parametrize("missing", ["user_count", "spawn_rate"])
def test_a_form_without_a_load_starts_nothing(page: Puppet, missing: str) -> None:
    answer = page.post(**{name: text for name, text in GOOD.items() if name != missing})
    assert "--" + missing.replace("_", "-") in answer["message"]
    assert page.prepared == 0


def test_the_command_line_may_name_what_the_form_may_not() -> None:
    page = make(
        "--bootstrap=kafka.example:9092",
        "--kafka-option=ssl.ca.location=/etc/ca.pem",
        "--kafka-option=acks=1",
        host="http://service.example",
    )
    shown = {
        "bootstrap": "kafka.example:9092",
        "host": "http://service.example",
        "kafka_option": "ssl.ca.location=/etc/ca.pem,acks=1",  # as the page shows a list
    }
    assert page.post(**GOOD, **shown)["success"]
    assert page.options["kafka_option"] == ["ssl.ca.location=/etc/ca.pem", "acks=1"]


def test_harmless_kafka_options_can_be_set_in_the_form(page: Puppet) -> None:
    assert page.post(**GOOD, kafka_option="acks=1 linger.ms=5")["success"]
    assert page.options["kafka_option"] == "acks=1 linger.ms=5"


@pytest.mark.parametrize(
    "host", ["http://127.0.0.1:1", "https://[::1]:1/x", "http://localhost", "", EMBEDDED_HOST]
)
def test_a_service_on_this_machine_can_be_driven_from_the_form(page: Puppet, host: str) -> None:
    assert page.post(**GOOD, host=host)["success"]


def test_what_could_not_be_started_leaves_no_trace(page: Puppet) -> None:
    def fail() -> None:
        raise TidemarkError("no such port")

    page.prepare = fail  # type: ignore[method-assign]
    assert (
        page.post(**GOOD, target_port="80", host="http://localhost:1")["message"] == "no such port"
    )
    assert page.options["target_port"] == "0"
    assert page.environment.host == EMBEDDED_HOST


# One run at a time


def test_a_second_start_is_refused(page: Puppet) -> None:
    assert page.post(**GOOD)["success"]
    answer = page.post(**GOOD, rate="30")
    assert not answer["success"]
    assert "another run" in answer["message"]
    assert (page.prepared, page.dropped) == (1, 0)
    assert page.options["rate"] != "30"


@pytest.mark.parametrize("broken_runner", [None, object()])
def test_what_was_started_for_a_start_that_locust_refuses_ends(
    page: Puppet, broken_runner: Any
) -> None:
    page.prepare = lambda: setattr(page.environment, "runner", broken_runner)  # type: ignore[method-assign]
    page.client.post("/swarm", base_url=OWN, data=GOOD)
    assert (page.started, page.dropped) == ([], 1)


def test_the_number_of_users_can_be_changed_and_nothing_else_is(page: Puppet) -> None:
    page.runner.state = "running"
    page.is_busy = True
    assert page.post(user_count="3", spawn_rate="2", host=EMBEDDED_HOST)["success"]
    assert page.prepared == 0
    assert page.environment.host == OWN, "later users drive what the run drives"


def test_a_stop_before_the_load_began_ends_what_was_started(page: Puppet) -> None:
    page.is_busy = True
    page.runner.state = "stopped"
    assert page.post("/stop")["success"]
    assert page.dropped == 1


# What the page is told


@pytest.mark.parametrize(
    ("runner_state", "is_busy", "told"),
    [
        ("ready", False, "ready"),
        ("ready", True, "running"),
        ("spawning", True, "spawning"),
        ("running", True, "running"),
        ("cleanup", True, "running"),
        ("stopped", True, "running"),
        ("stopped", False, "stopped"),
        ("cleanup", False, "stopped"),
    ],
)
def test_the_page_hears_of_the_end_when_all_has_ended(
    page: Puppet, runner_state: str, is_busy: bool, told: str
) -> None:
    page.client.get("/stats/requests", base_url=OWN)  # Locust remembers this answer for a while
    page.runner.state = runner_state
    page.is_busy = is_busy
    assert page.client.get("/stats/requests", base_url=OWN).json["state"] == told
    assert f'"state": "{told}"' in page.client.get("/", base_url=OWN).text


def test_the_form_does_not_show_what_it_may_not_set(page: Puppet) -> None:
    text = page.client.get("/", base_url=OWN).text
    for name in ("results", "kafka_config", "broker_option", "allow_kafka_plugins", "web_allow"):
        assert f'"{name}' not in text
    for name in ("strategy", "rate", "kafka_option", "bootstrap"):
        assert f'"{name}": ' in text


# Any form

NAMES = [*GOOD, "host", "run_time", "rate", "results", "kafka_config", "kafka_option", "bootstrap"]
NAMES += ["fault", "html_file", "shape_class", "user_classes", "profile", "topic", "tags", "x", ""]
TEXTS = ["", "1", "0", "-1", "nan", "inf", "1e999", "abc", "null", "true", "[]", "\x00", "\n", "é"]
TEXTS += ["/etc/passwd", "../..", "a=b", "=", "http://h", "http://127.0.0.1", "٣", "1_0", " 1 "]
TEXTS += ["9" * 5000, "%s", "{}", "<script>", "127.0.0.1:1", "shared", "outage@1+1", "Default"]


def test_any_form_is_answered_in_one_line_and_starts_what_it_should_or_nothing(
    page: Puppet, caplog: pytest.LogCaptureFixture
) -> None:
    draw = random.Random(1)
    for _ in range(2_000):
        form = {} if draw.random() < 0.3 else dict(GOOD)
        form |= {draw.choice(NAMES): draw.choice(TEXTS) for _ in range(draw.randint(0, 4))}
        page.prepared, page.dropped, page.is_busy = 0, 0, False
        page.runner.state = "stopped"
        answer = page.client.post("/swarm", data=form, base_url=OWN)
        said = answer.json if answer.is_json else {"success": False, "message": answer.text}
        assert "\n" not in said["message"], form
        assert page.prepared == (said["success"] or page.dropped), form
        assert page.is_busy == said["success"], form
        assert not page.options["results"].startswith("/"), form


# The start form


def test_the_page_brings_the_form_and_its_parts(page: Puppet) -> None:
    text = page.client.get("/", base_url=OWN).text
    for name in ("form.js", "form.css"):
        assert f'"./tidemark/{name}"' in text
        answer = page.client.get(f"/tidemark/{name}", base_url=OWN)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
    for name in ("form.py", "..%2f__init__.py", "page"):
        assert page.client.get(f"/tidemark/{name}", base_url=OWN).status_code == 404
    assert "tidemark" not in page.client.get("/stats/report", base_url=OWN).text


def test_the_form_is_as_the_last_run_was(page: Puppet) -> None:
    assert page.post(**GOOD, rate="40", host=EMBEDDED_HOST, run_time="1m")["success"]
    form = page.client.get("/tidemark/form.json", base_url=OWN).json
    assert form["service"] == "shared"
    first = {field["name"]: field["value"] for field in form["groups"][0]["fields"]}
    assert first == {"host": "", "rate": "40", "run_time": "1m"}


def test_what_the_form_may_not_set_is_not_in_it(page: Puppet) -> None:
    form = page.client.get("/tidemark/form.json", base_url=OWN).json
    names = {field["name"] for group in form["groups"] for field in group["fields"]}
    assert names.isdisjoint({"results", "kafka_config", "broker_option", "allow_kafka_plugins"})
    assert {"rate", "kafka_option", "bootstrap"} <= names


def test_all_that_the_form_says_untouched_is_a_good_form(page: Puppet) -> None:
    form = page.client.get("/tidemark/form.json", base_url=OWN).json
    said = {
        field["name"]: str(field.get("untouched", field["value"])).replace("True", "true")
        for group in form["groups"]
        for field in group["fields"]
        if field["needs"] != "running"
    }
    (chosen,) = (one for one in form["services"] if one["name"] == form["service"])
    assert page.post(**{**said, **chosen["posts"]})["success"]


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ({"rate": "0"}, ["rate"]),
        ({"user_count": "0"}, ["user_count"]),
        ({"spawn_rate": ""}, ["spawn_rate"]),
        ({"run_time": "soon"}, ["run_time"]),
        ({"run_time": "0"}, ["run_time"]),
        ({"strategy": "nope"}, ["strategy"]),
        ({"kafka_option": "ssl.ca.location=/x"}, ["kafka_option"]),
        ({"kafka_option": "sasl.password=x"}, ["kafka_option"]),
        ({"kafka_option": "acks"}, ["kafka_option"]),
        ({"bootstrap": "kafka.example.com:9092"}, ["bootstrap"]),
        ({"bootstrap": "9092"}, ["bootstrap"]),
        ({"host": "http://example.com"}, ["host"]),
        ({"host": "http://me:hunter2@127.0.0.1:8"}, ["host"]),
        ({"fault": "outage@3 outage@4"}, ["fault"]),
        ({"retain": "6h@10s,7d@60s"}, ["retain", "interval"]),
        ({"stop_at": "fds"}, ["stop_at"]),
        ({"target_pid": "x"}, ["target_pid"]),
        ({"results": "/tmp"}, []),
    ],
)
def test_an_error_names_its_fields(page: Puppet, form: dict[str, str], fields: list[str]) -> None:
    assert page.post(**{**GOOD, **form})["fields"] == fields


def test_a_run_is_prepared_for_as_long_as_its_own_form_says(
    page: Puppet, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[float | None] = []

    def prepare() -> None:
        planned.append(vars(page.environment.parsed_options)["run_time"])
        raise TidemarkError("it cannot")

    monkeypatch.setattr(page, "prepare", prepare)
    vars(page.environment.parsed_options)["run_time"] = 7
    for given in ({"run_time": "1m30s"}, {"run_time": ""}, {}):
        assert page.post(**{**GOOD, **given})["message"] == "it cannot"
    assert planned == [90, None, None]
    assert vars(page.environment.parsed_options)["run_time"] == 7, "and was not taken over"


@pytest.mark.parametrize(
    ("about", "fields"),
    [
        (["batch_size", "payload_bytes"], ["batch_size", "payload_bytes"]),
        (["target_pid", "pid_file"], ["target_pid"]),  # a file is named on the command line alone
        (["pid_file"], []),
        (["service"], ["service"]),  # whose field is the choice of what is put under load
        ([], []),
    ],
)
def test_what_keeps_a_run_from_starting_names_its_fields_too(
    page: Puppet, monkeypatch: pytest.MonkeyPatch, about: list[str], fields: list[str]
) -> None:
    def prepare() -> None:
        raise TidemarkError("it cannot, for --rate is no matter here", about=about)

    monkeypatch.setattr(page, "prepare", prepare)
    answer = page.post(**GOOD)
    assert answer["message"] == "it cannot, for --rate is no matter here"
    assert answer["fields"] == fields


def test_the_form_asks_for_locusts_login_and_stands_below_its_path() -> None:
    environment = Environment()
    environment.parsed_options = get_parser().parse_args([])
    environment.parsed_options.stats_history_enabled = False
    runner = environment.create_local_runner()
    web_ui = WebUI(
        environment, "127.0.0.1", 0, delayed_start=True, web_login=True, web_base_path="/load"
    )
    assert web_ui.app
    web_ui.app.secret_key = "s3cret"
    web_ui.login_manager.user_loader(lambda _: None)
    WebPage(environment, web_ui, Puppet(web_ui.app.test_client(), environment, runner)).install()
    client = web_ui.app.test_client()
    for path in ("/load/", "/load/tidemark/form.json", "/load/tidemark/form.js"):
        answer = client.get(path, base_url=OWN)
        assert answer.status_code == 302, path
        assert answer.headers["Location"].startswith("/load/login")
    assert client.get("/tidemark/form.json", base_url=OWN).status_code == 404
    runner.greenlet.kill(block=False)
