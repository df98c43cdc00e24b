"""What the start form says: every option once, by a name, where it is of use."""

from __future__ import annotations

from typing import Any

import pytest

from tidemark.run.options import OPTIONS
from tidemark.targets.strategies import ALIASES, STRATEGIES
from tidemark.webform.form import StartForm, without_aliases
from tidemark.webform.groups import REST
from tidemark.webform.groups import STRATEGIES as WORDS

EMBEDDED = "embedded target"
SHOWN = [option for option in OPTIONS if option.in_form]


def options(**given: Any) -> dict[str, Any]:
    defaults = {option.name: option.as_given(option.default_value) for option in OPTIONS}
    return {**defaults, "num_users": None, "spawn_rate": None, "run_time": None, **given}


def described(
    given_host: str = EMBEDDED, *, keeps_rate: bool = True, page: Any = None, **given: Any
) -> dict[str, Any]:
    rendered = {"extra_options": {option.name: {} for option in SHOWN}, **(page or {})}
    return StartForm(
        rendered, options(**given), given_host, EMBEDDED, keeps_rate=keeps_rate
    ).described()


def fields(form: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {field["name"]: field for group in form["groups"] for field in group["fields"]}


def titles(form: dict[str, Any]) -> list[str]:
    return [group["title"] for group in form["groups"]]


def test_every_option_of_the_form_has_a_place_and_a_name_that_is_no_flag() -> None:
    form = described()
    assert set(fields(form)) >= {option.name for option in SHOWN} - {"strategy"}
    assert REST not in titles(form), "whoever adds an option gives it a place in GROUPS"
    texts = [text for one in fields(form).values() for text in (one["label"], one["hint"])]
    assert not any("--" in text for text in texts if "command line" not in text)


def test_every_strategy_is_there_once_and_explained() -> None:
    assert list(WORDS) == list(STRATEGIES)
    names = [one["name"] for one in described()["services"]]
    assert names == [*STRATEGIES, "other"]
    assert described(strategy="broken")["service"] == "per-request-leaked"
    extra: dict[str, dict[str, Any]] = {
        "strategy": {"choices": (*STRATEGIES, *ALIASES)},
        "theirs": {"choices": ["a", "b"]},
        "rate": {"choices": None},
    }
    without_aliases(extra)
    assert extra["strategy"]["choices"] == list(STRATEGIES)
    assert extra["theirs"]["choices"] == ["a", "b"]


@pytest.mark.parametrize(
    ("host", "given", "offered", "chosen"),
    [
        (EMBEDDED, {}, [*STRATEGIES, "other"], "per-request-leaked"),
        (EMBEDDED, {"strategy": "shared"}, [*STRATEGIES, "other"], "shared"),
        (EMBEDDED, {"host": "http://localhost:1"}, [*STRATEGIES, "other"], "other"),
        (EMBEDDED, {"service": "orders"}, ["given", "other"], "given"),
        (EMBEDDED, {"command": "./ingest"}, ["given", "other"], "given"),
        ("http://h:1", {}, ["given", *STRATEGIES, "other"], "given"),
        ("http://h:1", {"host": EMBEDDED}, ["given", *STRATEGIES, "other"], "per-request-leaked"),
        ("http://h:1", {"service": "orders"}, ["given", "other"], "given"),
    ],
)
def test_what_can_be_put_under_load(
    host: str, given: dict[str, Any], offered: list[str], chosen: str
) -> None:
    form = described(host, **given)
    assert [one["name"] for one in form["services"]] == offered
    assert form["service"] == chosen
    for one in form["services"]:
        assert ("host" in one["posts"]) == (one["name"] != "other")


def test_a_service_is_offered_what_is_of_use_to_it() -> None:
    of_use = {one["name"]: one["of_use"] for one in described()["services"]}
    assert of_use["shared"] == ("started", "builtin")
    assert of_use["other"] == ("running",)
    (given, _) = described(service="orders")["services"]
    assert given["of_use"] == ("started",)
    (given, _) = described(service="shared")["services"]
    assert given["of_use"] == ("started", "builtin")


def test_it_shows_what_the_next_run_would_be() -> None:
    shown = fields(
        described(rate="20.0", run_time=5400, num_users=3, verify_messages="false", no_report="on")
    )
    assert shown["rate"]["value"] == "20"
    assert shown["rate"]["usual"] == "10"
    assert shown["run_time"]["value"] == "1h30m"
    assert shown["user_count"]["value"] == "3"
    assert shown["verify_messages"]["value"] is False
    assert shown["no_report"]["value"] is True
    assert shown["workload"]["choices"][0][0] == "open"


def test_what_is_repeatable_is_handed_back_as_locust_takes_it() -> None:
    shown = fields(described(kafka_option=["acks=1", "linger.ms=5"]))["kafka_option"]
    assert shown["value"] == "acks=1 linger.ms=5"
    assert shown["untouched"] == "acks=1,linger.ms=5"
    assert "untouched" not in fields(described(kafka_option="acks=1"))["kafka_option"]


def test_users_of_others_are_counted_and_have_no_rate() -> None:
    form = described(keeps_rate=False)
    first = [field["name"] for field in form["groups"][0]["fields"]]
    assert first == ["host", "user_count", "spawn_rate", "run_time"]
    assert set(fields(form)).isdisjoint({"rate", "workload", "seed", "batch_size"})
    names = [field["name"] for group in form["groups"][1:] for field in group["fields"]]
    assert set(names).isdisjoint(first)
    assert described()["users_note"]
    assert not described(workload="closed")["users_note"]
    assert not form["users_note"]


def test_a_load_shape_says_itself_how_many_and_for_how_long() -> None:
    form = described(page={"hide_common_options": True})
    assert set(fields(form)).isdisjoint({"user_count", "spawn_rate", "run_time"})
    assert "shape" in form["note"]


def test_options_of_somebody_elses_locustfile_come_last() -> None:
    theirs = {
        "api_key": {"default_value": "s3cret", "is_secret": True, "help_text": "of the service"},
        "colour": {"default_value": "blue", "choices": ["red", "blue"]},
        "loud": {"default_value": False},
        "zones": {"default_value": ["a"], "choices": ["a", "b"], "is_multiple": True},
    }
    form = described(page={"extra_options": theirs}, colour="red")
    assert titles(form)[-1] == REST
    shown = fields(form)
    assert (shown["api_key"]["label"], shown["api_key"]["kind"]) == ("Api key", "secret")
    assert shown["api_key"]["hint"] == "of the service"
    assert (shown["colour"]["kind"], shown["colour"]["value"]) == ("choice", "red")
    assert (shown["loud"]["kind"], shown["loud"]["value"]) == ("flag", False)
    assert (shown["zones"]["is_multiple"], shown["zones"]["value"]) == (True, "a")


def test_where_locust_picks_classes_its_own_form_stays() -> None:
    assert described()["is_ours"]
    assert not described(page={"show_userclass_picker": True})["is_ours"]
