"""`targets.client_options`: what a user may set, and that secrets are seen nowhere."""

from __future__ import annotations

import ctypes
import json
import os
import re
import string
from pathlib import Path

import confluent_kafka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.targets.client_options import (
    check_from_form,
    client_options,
    is_secret,
    parse_properties,
    runs_code,
)
from tidemark.targets.config import KafkaConfig, Settings
from tidemark.targets.errors import ClientError
from tidemark.targets.handle import start_handle

SECRET = "correct-horse-battery"
KEYS = st.text(string.ascii_lowercase + ".", min_size=1).filter(lambda key: key.strip("."))
VALUES = st.text(st.characters(exclude_categories=("C", "Z")))


def read_client_options(path=None, options=(), *, allowed=False):
    """All settings, of a file and of `--kafka-option`s."""
    texts = tuple(f"{key}={value}" for key, value in options)
    return client_options(
        {"kafka_config": path, "kafka_option": texts, "allow_kafka_plugins": allowed}
    )


@pytest.fixture
def write(tmp_path):
    """Write a properties file."""

    def write(text: str) -> Path:
        path = tmp_path / "client.properties"
        path.write_text(text)
        return path

    return write


@given(st.dictionaries(KEYS.map(lambda key: f"x.{key}"), VALUES))
def test_what_is_written_is_read(settings):
    text = "".join(f"{key}={value}\n" for key, value in settings.items())
    assert parse_properties(text, "file") == settings


def test_comments_spaces_and_further_equals_signs():
    text = "# a comment=1\n! another\n\n  acks = all \r\nsasl.password=a=b=\nclient.id=\n"
    assert parse_properties(text, "file") == {
        "acks": "all",
        "sasl.password": "a=b=",
        "client.id": "",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"acks=1\n{SECRET}\n", "line 2: a line is key=value, or a comment after #"),
        (f"={SECRET}\n", "line 1: a line is key=value"),
        ("acks=1\nlinger.ms=2\nacks=1\n", "line 3: 'acks' is there a second time"),
        ("bootstrap.servers=h:1\n", "line 1: bootstrap.servers has no place here"),
        ("delivery.report.only.error=true\n", "cannot be set from outside"),
        ("error_cb=x\n", "error_cb cannot be set from outside"),
        ("logger=x\n", "logger cannot be set from outside"),
    ],
)
def test_what_does_not_belong_into_a_file(write, text, reason):
    path = write(text)
    with pytest.raises(ClientError) as caught:
        read_client_options(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ClientError, match="missing cannot be read: No such file"):
        read_client_options(tmp_path / "missing")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ClientError, match="binary cannot be read: it is not UTF-8"):
        read_client_options(tmp_path / "binary")


def test_an_option_wins_over_the_file_and_the_last_one_over_the_others(write):
    path = write("acks=all\nlinger.ms=1\n")
    options = [("linger.ms", "2"), ("linger.ms", "3")]
    assert dict(read_client_options(path, options)) == {"acks": "all", "linger.ms": "3"}


@pytest.mark.parametrize(
    "key",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
    ],
)
def test_secrets_are_refused_in_the_command_line(write, key):
    assert is_secret(key)
    assert read_client_options(write(f"{key}={SECRET}")) == {key: SECRET}
    with pytest.raises(ClientError, match="put it into a file and name that with --kafka-con") as e:
        read_client_options(None, [(key, SECRET)])
    assert SECRET not in str(e.value)


@pytest.mark.parametrize(
    "key", ["acks", "ssl.key.location", "ssl.certificate.pem", "sasl.username"]
)
def test_what_is_no_secret_is_not_refused(key):
    assert read_client_options(None, [(key, "1")]) == {key: "1"}


# What runs code, and what a form may not say

RUNS_CODE = [
    ("plugin.library.paths", "/some.so"),
    ("ssl.engine.location", "/some.so"),
    ("ssl.engine.id", "some"),
    ("ssl.providers", "/some"),
    ("sasl.kerberos.kinit.cmd", "touch /tmp/x"),
    ("sasl.kerberos.principal", "$(touch /tmp/x)"),
    ("sasl.kerberos.principal", "me; touch /tmp/x"),
    ("sasl.kerberos.keytab", 'x"; touch /tmp/x; "'),
    ("sasl.kerberos.service.name", "`id`"),
]


@pytest.mark.parametrize(("key", "value"), RUNS_CODE)
def test_what_runs_code_needs_a_switch_wherever_it_stands(write, key, value):
    path = write(f"{key}={value}")
    with pytest.raises(ClientError, match="--allow-kafka-plugins") as caught:
        read_client_options(path)
    assert key in str(caught.value)
    assert read_client_options(path, allowed=True) == {key: value}
    if is_secret(key):
        return
    with pytest.raises(ClientError, match="--allow-kafka-plugins"):
        read_client_options(None, [(key, value)])
    assert read_client_options(None, [(key, value)], allowed=True) == {key: value}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ssl.ca.location", "/etc/ca.pem"),
        ("ssl.keystore.location", "/etc/my keys.p12"),
        ("sasl.kerberos.principal", "tidemark/host.example@EXAMPLE.COM"),
        ("sasl.kerberos.keytab", "/etc/krb5.keytab"),
        ("acks", "all"),
    ],
)
def test_what_runs_no_code_needs_none(key, value):
    assert read_client_options(None, [(key, value)]) == {key: value}


def librdkafka_properties(folder: Path) -> dict[str, str]:
    """What librdkafka itself says that it can be told: each property, and its explanation."""
    package = Path(confluent_kafka.__file__).parent
    (library,) = package.with_name("confluent_kafka.libs").glob("librdkafka*")
    libc, kafka = ctypes.CDLL(None), ctypes.CDLL(str(library))
    libc.fopen.restype = ctypes.c_void_p
    listing = folder / "properties"
    stream = ctypes.c_void_p(libc.fopen(str(listing).encode(), b"w"))
    kafka.rd_kafka_conf_properties_show(stream)
    libc.fclose(stream)
    rows = [line.split("|") for line in listing.read_text().splitlines() if line.count("|") > 4]
    return {row[0].strip(): row[-1] for row in rows}


def test_the_lists_hold_all_that_librdkafka_has(tmp_path):
    properties = librdkafka_properties(tmp_path)
    assert len(properties) > 150
    loads = re.compile(r"librar(y|ies) to load|engine|providers\.|shell command|is executed", re.I)
    names = re.compile(r"path to\b|directory path|URI\b|key \(PEM|certificate", re.I)
    for key, explained in properties.items():
        if "see dedicated API" in explained:
            continue
        if loads.search(explained):
            assert runs_code(key, "x"), (key, explained)
        if loads.search(explained) or names.search(explained):
            with pytest.raises(ClientError, match="not in the form"):
                check_from_form(f"acks=1 {key}=x")
    assert {key for key in properties if runs_code(key, "x")} == {
        key for key, _ in RUNS_CODE if runs_code(key, "x")
    }


def test_a_form_may_say_what_is_harmless():
    check_from_form("acks=1 linger.ms=5 compression.type=lz4 enable.idempotence=true")
    check_from_form("")


def test_settings_show_no_secret():
    settings = Settings(KafkaConfig("h:1", options={"sasl.password": SECRET}))
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"nonsense": "1"}, 'No such configuration property: "nonsense"'),
        ({"acks": "many"}, "Invalid value for configuration property"),
        ({"ssl.key.pem": SECRET, "security.protocol": "ssl"}, "ssl.key.pem failed"),
        ({"sasl.mechanism": SECRET, "ssl.key.password": SECRET}, r"mechanism: \(secret\)"),
    ],
)
def test_what_librdkafka_refuses_is_said_without_secrets(options, reason):
    options = {"security.protocol": "sasl_ssl", "log_level": 0, **options}
    with pytest.raises(ClientError, match=reason) as caught:
        start_handle(KafkaConfig("h:1", options=options))
    assert SECRET not in str(caught.value)


# The launcher


@pytest.mark.e2e
def test_a_target_with_a_secret_shows_it_nowhere(write, start_target, broker):
    path = write(f"sasl.password={SECRET}\nacks=1\nlinger.ms=5\ndebug=security,conf\n")
    target = start_target("shared", "--kafka-config", str(path), "--kafka-option", "linger.ms=0")
    assert target.ingest(["message"]) == (200, "1\n")
    for pid in (target.pid, target.worker):
        for name in ("cmdline", "comm", "environ"):
            assert SECRET.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    assert SECRET not in target.request("GET", "/debug/threads")[1]
    assert SECRET not in target.request("GET", "/debug/threads?format=json")[1]
    assert SECRET not in json.dumps(target.ready)
    assert "sasl.password" in target.log, "librdkafka says what it was configured with"
    assert SECRET not in target.log


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--kafka-option", "nonsense=1"], 'No such configuration property: "nonsense"'),
        (["--kafka-option", "nonsense"], "--kafka-option: must be KEY=VALUE"),
        (["--kafka-option", f"sasl.password={SECRET}"], "sasl.password: a secret does not belong"),
        (["--kafka-option", "plugin.library.paths=/x.so"], "--allow-kafka-plugins"),
        (["--kafka-config", os.devnull + "/x"], "--kafka-config: there is no file"),
    ],
)
def test_wrong_settings_keep_a_target_from_starting(run, broker, arguments, reason):
    code, lines = run(
        "tidemark.targets.serve", "fixed", "--bootstrap", broker.bootstrap, *arguments
    )
    assert code == 2
    assert len(lines) == 1
    assert reason in lines[0]
    assert SECRET not in lines[0]
