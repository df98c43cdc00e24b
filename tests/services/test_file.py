"""`tidemark.toml`: what it says is read as it is meant, and what is wrong is told with its line."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidemark.record.options import Option, integer, number
from tidemark.run.configuration import SERVICE_OPTIONS
from tidemark.services.consistency import FOUND_BY, OF_RUNNING, OF_STARTED
from tidemark.services.errors import ServiceError
from tidemark.services.file import Configuration, read_configuration
from tidemark.services.lines import lines_of_keys

LOAD = (
    Option("rate", number(0, exclusive=True), 10.0, "requests per second"),
    Option("batch_size", integer(1), 10, "messages"),
)
GOOD = """\
# two builds
[service.before]
command = "./ingest -addr 127.0.0.1:{port} --name 'two words'"
build = ["go", "build"]
directory = "cmd"
environment = {GOMEMLIMIT = "256MiB", WORKERS = 4, TOKEN = "${TOKEN}"}
ready = "/healthz"
ready_timeout = 5
fds-limit = 256

[service.after]
command = "./ingest2 -brokers {bootstrap}"
reference = true

[load]
rate = 20
batch-size = 1
routes = [{name = "ingest"}]
"""


def read(folder: Path, text: str) -> Configuration:
    path = folder / "tidemark.toml"
    path.write_text(text)
    return read_configuration(path, LOAD, SERVICE_OPTIONS)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ServiceError) as caught:
        read(folder, text)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) <= 300
    return message.removeprefix(f"{folder}/")


def test_a_service_is_read_as_it_is_meant(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    before, after = found.services.values()
    assert before.command == ("./ingest", "-addr", "127.0.0.1:{port}", "--name", "two words")
    assert before.build == ("go", "build")
    assert before.directory == tmp_path / "cmd"
    assert before.environment == {"GOMEMLIMIT": "256MiB", "WORKERS": "4", "TOKEN": "${TOKEN}"}
    assert (before.ready, before.ready_timeout, before.fds_limit) == ("/healthz", 5.0, 256)
    assert not before.needs_brokers
    assert not before.reference
    assert after.needs_brokers
    assert after.reference
    assert after.directory == tmp_path
    assert (after.ready_timeout, after.fds_limit) == (30.0, None)
    assert found.load == {"rate": 20.0, "batch_size": 1}
    assert found.routes == [{"name": "ingest"}]


def test_a_service_may_run_already(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "[service.staging]\nurl = 'http://127.0.0.1:8080/api'\npid-file = 'run/it.pid'\n"
        "bootstrap = 'a:1,b:2'\nmetrics_url = 'http://127.0.0.1:9/metrics'\nreference = true\n"
        "[service.after]\ncommand = 'x'\ntarget_port = 81\nbrokers = 3\n"
        "metrics_url = 'http://127.0.0.1:{port2}'\n",
    )
    staging, after = found.services.values()
    assert not staging.is_started
    assert (staging.url, staging.reference) == ("http://127.0.0.1:8080/api", True)
    assert staging.options == {
        "pid_file": str(tmp_path / "run/it.pid"),
        "bootstrap": ("a:1", "b:2"),
        "metrics_url": "http://127.0.0.1:9/metrics",
    }
    assert after.is_started
    assert after.options == {
        "target_port": (81,), "brokers": 3, "metrics_url": "http://127.0.0.1:{port2}",
    }  # fmt: skip


VALUES = {
    "target_pid": "3", "target_port": "3", "no_target": "true", "build": "'make'",
    "all_targets": "true",
    "environment": "{A = 1}", "ready": "'/'", "ready_timeout": "3", "fds_limit": "3",
    "kafka": "true", "brokers": "2", "target_container": "'0123456789ab'",
    "agent": "'https://h:9666'",
}  # fmt: skip


def _value(name: str) -> str:
    """What may be written for a key."""
    return VALUES.get(name, "'x'")


@pytest.mark.parametrize("name", OF_RUNNING)
def test_what_is_started_is_not_found(tmp_path: Path, name: str) -> None:
    told = complaint(tmp_path, f"[service.a]\ncommand = 'x'\n{name} = {_value(name)}")
    assert told.startswith(f"tidemark.toml:3: service.a.{name}: is of a service that runs already")


@pytest.mark.parametrize("name", OF_STARTED)
def test_what_runs_already_is_not_started(tmp_path: Path, name: str) -> None:
    dashed = name.replace("_", "-")
    told = complaint(tmp_path, f"[service.a]\n{dashed} = {_value(name)}\nurl = 'http://a'")
    assert told.startswith(f"tidemark.toml:2: service.a.{dashed}: has no effect on a service that")


@pytest.mark.parametrize("name", [name for name in FOUND_BY if name != "pid_file"])
def test_a_process_is_found_in_one_way(tmp_path: Path, name: str) -> None:
    text = f"[service.a]\nurl = 'http://a'\npid_file = 'x'\n{name} = {_value(name)}"
    told = complaint(tmp_path, text)
    assert told == f"tidemark.toml:4: service.a.{name}: contradicts pid_file: leave out one"


def test_a_service_may_be_watched_by_agents(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "[service.a]\nurl = 'http://h'\nagent = ['one=https://h:9666', 'https://i:9666']\n"
        "agent_token_file = 'token'\nagent-ca = '/ca'\nagent_cert = 'c'\nagent_key = 'k'\n",
    ).services["a"]
    agents = found.options.pop("agent")
    assert [(one.id, one.url) for one in agents] == [
        ("one", "https://h:9666"), ("i:9666", "https://i:9666"),
    ]  # fmt: skip
    assert found.options == {
        "agent_token_file": str(tmp_path / "token"), "agent_ca": "/ca",
        "agent_cert": str(tmp_path / "c"), "agent_key": str(tmp_path / "k"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("agent = 'http://u:p@h'", "agent: must hold no credentials"),
        ("agent_ca = 'x'", "agent_ca: has no effect without agent: leave it out"),
        ("agent = []\nagent_ca = 'x'", "agent_ca: has no effect without agent: leave it out"),
        ("agent = 'https://h'\nagent-key = 'x'", "agent-key: goes together with agent_cert"),
        ("agent = 'https://h'\nmetrics_url = 'http://h'", "metrics_url: has no effect beside"),
        ("agent = 'https://h'\nall_targets = true", "all_targets: has no effect beside agent"),
    ],
)
def test_what_does_not_go_with_agents(tmp_path: Path, text: str, told: str) -> None:
    line = text.count("\n") + 3
    found = complaint(tmp_path, f"[service.a]\nurl = 'http://h'\n{text}")
    assert found.startswith(f"tidemark.toml:{line}: service.a.{told}")


@pytest.mark.parametrize("told", ["true", "false"])
def test_a_service_may_say_itself_whether_it_needs_brokers(tmp_path: Path, told: str) -> None:
    found = read(tmp_path, f'[service.a]\ncommand = "x"\nkafka = {told}\n')
    assert found.services["a"].needs_brokers is (told == "true")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[service.a", "tidemark.toml:1: Expected ']' at the end of a table"),
        ("[service.a]\n\ncommand = ", "tidemark.toml:3: Invalid value"),
        ("[service.a]\ncommand = 'x'\nx", "tidemark.toml:3: Expected '='"),
        (
            "[service.a]\ncommand='x'\n[service.b]\ncommand='x'\n[service.a]\n",
            "tidemark.toml:5: a key or a table stands there twice: Cannot declare ('service', 'a')",
        ),
        ("[service.a]\ncommand='x'\ncommand='y'\n", "tidemark.toml:3: a key or a table stands"),
        ("[servce.a]\ncommand='x'", "tidemark.toml:1: servce: is no key: did you mean service?"),
        ("service = 3", "tidemark.toml:1: service: must be a table, [service], not '3'"),
        ("[service]\na = 3", "tidemark.toml:2: service.a: must be a table, [service.a], not '3'"),
        (
            "[service.a]\ncommand='x'\n# a comment\nfds_limt = 3",
            "tidemark.toml:4: service.a.fds_limt: is no key: did you mean fds_limit?",
        ),
        (
            "[service.a]\nzzz = 1",
            "tidemark.toml:2: service.a.zzz: is no key: there are command, build, directory,",
        ),
        (
            "[service.a]\ncommand='x'\nfds-limit = 1\nfds_limit = 2",
            "tidemark.toml:4: service.a.fds_limit: stands there twice, with a dash and without",
        ),
        (
            "[service.a]\nurl = 'http://127.0.0.1:{port}'",
            "tidemark.toml:2: service.a.url: {port} is not known of a service that has no command",
        ),
        (
            "[service.a]\nurl = 'http://a'\nmetrics_url = 'http://a:{port2}'",
            "tidemark.toml:3: service.a.metrics_url: {port2} is not known of a service that has no",
        ),
        (
            "[service.a]\nurl = 'http://me:hunter2@127.0.0.1'",
            "tidemark.toml:2: service.a.url: must not hold a login, NAME:PASSWORD@: send it with",
        ),
        ("[service.a]\ntarget_port = 3", "tidemark.toml:1: service.a: has no command: command ="),
        (
            "[service.a]\nurl = 'http://a'\ntarget_port = 70000",
            "tidemark.toml:3: service.a.target_port: must be a whole number from 0 to 65,535",
        ),
        (
            "[service.a]\nurl = 'http://a'\nbrokers = 'a:1'",
            "tidemark.toml:3: service.a.brokers: must be a whole number from 1 to 16",
        ),
        ("\n[service.a]\nready = '/'", "tidemark.toml:2: service.a: has no command: command = ..."),
        ("[service.'a b']\ncommand='x'", "tidemark.toml:1: service.a b: a service is called by"),
        (
            "[service.a]\ncommand = ['x',\n 3]",
            "tidemark.toml:2: service.a.command: must be a text in quotes, not \"['x', 3]\"",
        ),
        ("[service.a]\ncommand = ''", "tidemark.toml:2: service.a.command: must name a program"),
        (
            '[service.a]\ncommand = "it\'s"',
            "tidemark.toml:2: service.a.command: cannot be split like a shell does: No closing",
        ),
        (
            "[service.a]\ncommand = 'x {prt}'",
            "tidemark.toml:2: service.a.command: {prt} is no placeholder: did you mean {port}? ({{",
        ),
        (
            "[service.a]\ncommand = 'x ${A-B}'",
            "tidemark.toml:2: service.a.command: ${A-B} names no variable: write ${NAME}",
        ),
        (
            "[service.a]\ncommand = 'x'\nbuild = 'make {port}'",
            "tidemark.toml:3: service.a.build: {port} is not known yet when it is built",
        ),
        (
            "[service.a]\ncommand = 'x'\nenvironment = {A = true}",
            "tidemark.toml:3: service.a.environment: A: must be a text in quotes, not 'True'",
        ),
        (
            "[service.a]\ncommand = 'x'\n[service.a.environment]\nA = '1'\nB = '{nope}'",
            "tidemark.toml:3: service.a.environment: B: {nope} is no placeholder",
        ),
        (
            "[service.a]\ncommand = 'x'\nready = 'healthz'",
            "tidemark.toml:3: service.a.ready: must be a path that begins with /, not 'healthz'",
        ),
        (
            "[service.a]\ncommand = 'x'\nready_timeout = 0",
            "tidemark.toml:3: service.a.ready_timeout: must be a number greater than 0",
        ),
        (
            "[service.a]\ncommand = 'x'\nurl = 'localhost:{port}'",
            "tidemark.toml:3: service.a.url: must be http://HOST:PORT or https://HOST:PORT",
        ),
        (
            "[service.a]\ncommand = 'x'\nurl = 'http://{topic}'",
            "tidemark.toml:3: service.a.url: {topic} is no port: there are {port}, {port2}",
        ),
        (
            "[service.a]\ncommand = 'x'\nfds_limit = 10.5",
            "tidemark.toml:3: service.a.fds_limit: must be a whole number of at least 1",
        ),
        (
            "[service.a]\ncommand = 'x'\nkafka = 'perhaps'",
            "tidemark.toml:3: service.a.kafka: must be true or false, not 'perhaps'",
        ),
        (
            "[service.a]\ncommand = 'x {bootstrap}'\nkafka = false",
            "tidemark.toml:3: service.a.kafka: is false, but {bootstrap} is asked for",
        ),
        ("[load]\nrat = 3", "tidemark.toml:2: load.rat: is no key: did you mean rate?"),
        (
            "[load]\nbatch-size = 0",
            "tidemark.toml:2: load.batch-size: must be a whole number of at least 1, not 0",
        ),
        ('x = """\n[service.a]\n"""\n[load]\nrate = 0', "tidemark.toml:1: x: is no key"),
        ("a" * 10_000 + " = 1", "tidemark.toml:1: aaa"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path: Path, text: str, wanted: str) -> None:
    assert complaint(tmp_path, text).startswith(wanted)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, wanted in (
        (tmp_path / "none.toml", "none.toml: cannot be read (No such file"),
        (tmp_path, "cannot be read (Is a directory)"),
    ):
        with pytest.raises(ServiceError, match=wanted.replace("(", r"\(").replace(")", r"\)")):
            read_configuration(path, LOAD)
    (tmp_path / "latin.toml").write_bytes(b"[load]\n# caf\xe9\n")
    with pytest.raises(ServiceError, match=r"latin.toml:2: is not UTF-8"):
        read_configuration(tmp_path / "latin.toml", LOAD)


def test_a_variable_is_missed_only_by_the_service_that_is_used(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found.checked("after", {}).name == "after"
    assert found.checked("before", {"TOKEN": "x"}).name == "before"
    with pytest.raises(ServiceError) as caught:
        found.checked("before", {})
    assert str(caught.value) == (
        f"{tmp_path}/tidemark.toml:6: service.before.environment: "
        "${TOKEN} is not set in the environment: set it, or write $${"
    )


def test_lines_of_keys_in_every_way_of_writing() -> None:
    text = (
        'a.b = 1\n"q.r" = """\nx = 1\n[t]\n"""\n\n[ s . \'t\' ]  # [no]\n'
        "u = [\n  1, # ]\n  {v = 2},\n]\nw = { x = 1 }\n[[r]]\ny = '''\n[z]'''\n\n[[r]]\ny = 2\n"
    )
    assert lines_of_keys(text) == {
        ("a",): 1,
        ("a", "b"): 1,
        ("q.r",): 2,
        ("s",): 7,
        ("s", "t"): 7,
        ("s", "t", "u"): 8,
        ("s", "t", "w"): 12,
        ("r",): 13,
        ("r", "y"): 14,
    }


JUNK = st.sampled_from(
    ["", "[", "]", '"', "'", "{", "}", "=", "\n", "[service.x]\n", "true", "1e999", "-1", "\x00",
     "é", "{port}", "${X}", "[1, 2]", "{a = 1}", "1979-05-27", '"""', "#", ".", "inf", "nan"]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.tuples(st.integers(0, len(GOOD)), st.integers(0, 40)), junk=JUNK)
def test_a_damaged_file_is_read_or_refused_in_one_line(
    tmp_path: Path, cuts: tuple[int, int], junk: str
) -> None:
    at, length = cuts
    path = tmp_path / "tidemark.toml"
    path.write_text(GOOD[:at] + junk + GOOD[at + length :], encoding="utf-8")
    told = refusal(path)
    assert told is None or (told.isprintable() and told.startswith(f"{path}:"))


def refusal(path: Path) -> str | None:
    try:
        read_configuration(path, LOAD)
    except ServiceError as error:
        return str(error)
    return None


@given(st.text(max_size=200))
def test_any_text_is_scanned(text: str) -> None:
    count = text.count("\n") + 1
    assert all(1 <= line <= count for line in lines_of_keys(text).values())
