"""The options: one registry, checked alike wherever a value comes from."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.errors import OptionError, TidemarkError
from tidemark.routes import read_routes
from tidemark.run.options import OPTIONS, RunOptions


def test_every_option_is_a_field_and_every_field_an_option() -> None:
    names = [field.name for field in dataclasses.fields(RunOptions)]
    assert names == [*(option.name for option in OPTIONS), "routes"]


def test_defaults_are_good_values() -> None:
    options = RunOptions.parse({})
    assert options.strategy == "per-request-leaked"
    assert options.rate == 10.0
    assert options.bootstrap == ()


def test_an_alias_stands_for_its_strategy() -> None:
    assert RunOptions.parse({"strategy": "fixed"}).strategy == "per-request-closed"


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("strategy", "nope", "unknown strategy 'nope'"),
        ("rate", "0", "greater than 0"),
        ("rate", "nan", "greater than 0"),
        ("rate", "fast", "not 'fast'"),
        ("workload", "ajar", "open, closed"),
        ("fds_limit", "-1", "at least 1"),
        ("target_port", "99999", "from 0 to 65,535"),
        ("workers", "1.5", "not '1.5'"),
        ("bootstrap", "127.0.0.1", "host:port"),
        ("bootstrap", "::1:9092", "host:port"),
        ("bootstrap", "host:0", "from 1 to 65535"),
        ("topic", "a b", "letters, digits"),
        ("payload_bytes", "10", "from 24 to 800,000"),
        ("run_name", "../up", "without slashes"),
        ("interval", "0.05", "at least 0.1"),
        ("no_report", "perhaps", "true or false"),
        ("share_files", "maybe", "true or false"),
        ("results", "", "must be a path, not empty"),
        ("results", " ", "must be a path, not empty"),
        ("results", "a\0b", "must be a path"),
        ("strategy", "x" * 100_000, "unknown strategy 'xxx"),
        ("run_name", "x" * 100_000, "200 bytes at most"),
        ("topic", "x" * 100_000, "up to 249 letters"),
        ("rate", "x" * 100_000, "100,000 characters"),
        ("rate", "inf", "greater than 0"),
        ("rate", "1e309", "greater than 0"),
        ("rate", "1e300", "1,000,000 at most"),
        ("rate", "\u0661\u0662", "greater than 0"),
        ("batch_size", "\u0661\u0662", "a whole number"),
        ("batch_size", "1_0", "a whole number"),
        ("batch_size", "9" * 10_000, "a whole number"),
        ("interval", "1e300", "3,600 at most"),
        ("request_timeout", "1e300", "at most"),
        ("fault", "x" * 100_000, "KIND@START"),
        ("bootstrap", "x" * 100_000, "is not host:port"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_option(name: str, value: str, wanted: str) -> None:
    with pytest.raises(OptionError) as caught:
        RunOptions.parse({name: value})
    message = str(caught.value)
    assert message.startswith(f"--{name.replace('_', '-')}: ")
    assert wanted in message
    assert "\n" not in message
    assert len(message) < 400


def test_a_secret_on_the_command_line_is_refused_and_not_repeated() -> None:
    with pytest.raises(OptionError, match=r"--kafka-option: sasl\.password") as caught:
        RunOptions.parse({"kafka_option": ["sasl.password=hunter2"]})
    assert "hunter2" not in str(caught.value)


def test_repeatable_options_come_as_words_or_one_by_one() -> None:
    words = RunOptions.parse({"fault": "outage@9+1 target-kill@3", "kafka_option": "acks=all a=b"})
    each = RunOptions.parse(
        {"fault": ["target-kill@3", "outage@9+1"], "kafka_option": ("acks=all", "a=b")}
    )
    assert words == each
    assert [str(fault) for fault in words.fault] == ["target-kill@3", "outage@9+1"]
    assert words.kafka_option == ("acks=all", "a=b")


def test_endpoints_may_be_ipv6_and_spaced() -> None:
    assert RunOptions.parse({"bootstrap": "a:1, [::1]:9092"}).bootstrap == ("a:1", "[::1]:9092")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "strategy": st.sampled_from(["broken", "shared", "pooled"]),
            "rate": st.floats(0.001, 1e6),
            "batch_size": st.integers(1, 100_000),
            "bootstrap": st.lists(
                st.tuples(st.sampled_from(["a", "[::1]"]), st.integers(1, 65535)), max_size=3
            ).map(lambda pairs: ",".join(f"{host}:{port}" for host, port in pairs)),
            "interval": st.floats(0.1, 1000),
            "no_report": st.booleans(),
            "verify_messages": st.booleans(),
        },
    )
)
def test_arguments_say_the_same_again(values: dict[str, object]) -> None:
    options = RunOptions.parse(values)
    again: dict[str, object] = {}
    for argument in options.as_arguments():
        flag, equals, value = argument.partition("=")
        again[flag.removeprefix("--").replace("-", "_")] = value if equals else True
    assert RunOptions.parse(again) == options


@pytest.mark.parametrize("lasts_s", [30.0, 60.0])
def test_a_time_to_settle_leaves_something_to_judge(lasts_s: float) -> None:
    with pytest.raises(TidemarkError, match=f"--settle 60.*--duration {lasts_s:g} s"):
        RunOptions.parse({"settle": 60}).check_lasting("--duration", lasts_s)


@pytest.mark.parametrize("lasts_s", [None, 61.0])
def test_a_load_without_an_end_lasts_longer_than_any_time_to_settle(lasts_s: float | None) -> None:
    RunOptions.parse({"settle": 60}).check_lasting("--run-time", lasts_s)


def test_routes_come_from_the_command_line_or_else_from_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    of_file = read_routes([{"name": "of file", "path": "/a"}], Path())
    given = {"header": ["Authorization: Bearer ${TOKEN}"]}
    assert RunOptions.parse({}).routes == ()
    (route,) = RunOptions.parse(given).driving(of_file).routes
    assert (route.name, [header.name for header in route.headers]) == ("of file", ["Authorization"])
    options = RunOptions.parse({**given, "route": ["GET /b", "POST /b x y"]})
    assert [route.name for route in options.driving(of_file).routes] == ["GET /b", "POST /b"]
    assert options.routes == options.driving(of_file).routes
    assert "hunter2" not in repr(options) + str(options.as_arguments())
    assert "--route=POST /b x y" in options.as_arguments()


def test_a_bad_header_is_refused_and_not_repeated() -> None:
    with pytest.raises(OptionError, match="--header: must be 'Name: value'") as caught:
        RunOptions.parse({"header": ["hunter2"]})
    assert "hunter2" not in str(caught.value)
