"""Load on another machine is nobody's slip of the pen."""

import pytest

from tidemark.record.errors import OptionError, TidemarkError
from tidemark.run.configuration import LOAD_OPTIONS
from tidemark.run.options import RunOptions
from tidemark.run.permission import LONGEST_S, MOST_RATE, expect_allowed, expect_meant
from tidemark.run.plan import Plan

ELSEWHERE = "http://192.0.2.1:8080"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:80", "http://127.0.0.2", "https://localhost/a", "http://LOCALHOST:1",
        "http://[::1]:80", "http://[::ffff:127.0.0.1]:80", "http://127.0.0.1:{port}/a",
    ],
)  # fmt: skip
def test_loopback_needs_no_leave(url: str) -> None:
    expect_allowed(url, ())
    expect_meant(url, 1e6, None, is_agreed=False)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://192.0.2.1:80", ()),
        ("http://staging", ("staging.example", "stagin")),
        ("http://0.0.0.0:80", ()),
        ("http://localhost.example", ("localhost",)),
        ("http://127.0.0.1.example:80", ()),
        ("http://[2001:db8::1]", ("2001:db8::2",)),
    ],
)
def test_another_host_has_to_be_named(url: str, allowed: tuple[str, ...]) -> None:
    with pytest.raises(TidemarkError, match="say so with --allow-host ") as caught:
        expect_allowed(url, allowed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://192.0.2.1:80", "192.0.2.1"),
        ("http://Staging.example/api", "staging.EXAMPLE"),
        ("http://[2001:db8::1]:80", "[2001:db8::1]"),
        ("http://b", "a b"),
    ],
)
def test_one_that_is_named_is_allowed(url: str, allowed: str) -> None:
    expect_allowed(url, RunOptions.parse({"allow_host": allowed}).allow_host)


@pytest.mark.parametrize("allowed", ["http://a", "a:80", "a:b:80", "a/b", "me@a"])
def test_what_is_allowed_is_a_host(allowed: str) -> None:
    with pytest.raises(OptionError, match=r"^--allow-host: must be the name or the address"):
        RunOptions.parse({"allow_host": [allowed]})


@pytest.mark.parametrize(
    ("rate", "lasts_s", "wanted"),
    [
        (MOST_RATE * 1.01, 1.0, "101 requests a second, more than 100, on 192.0.2.1: say --yes"),
        (1.0, LONGEST_S + 1, "load for 3,601 s, longer than 3,600 s, on 192.0.2.1: say --yes"),
        (1.0, None, "load without an end on 192.0.2.1: say --yes if that is meant"),
    ],
)
def test_much_load_on_another_host_has_to_be_meant(
    rate: float, lasts_s: float | None, wanted: str
) -> None:
    with pytest.raises(TidemarkError, match=wanted):
        expect_meant(ELSEWHERE, rate, lasts_s, is_agreed=False)
    expect_meant(ELSEWHERE, rate, lasts_s, is_agreed=True)
    expect_meant(ELSEWHERE, MOST_RATE, LONGEST_S, is_agreed=False)


def test_a_plan_asks_before_anybody_is_connected_to() -> None:
    def plan(host: str | None = ELSEWHERE, lasts_s: float | None = 1.0, **values: object) -> Plan:
        options = RunOptions.parse({"no_target": host is not None, **values})
        return Plan.of(options, host, lasts_s)

    with pytest.raises(TidemarkError, match=r"--allow-host 192\.0\.2\.1"):
        plan()
    assert plan(allow_host="192.0.2.1").host == ELSEWHERE
    with pytest.raises(TidemarkError, match="--yes"):
        plan(allow_host="192.0.2.1", rate=101)
    with pytest.raises(TidemarkError, match="--yes"):
        plan(allow_host="192.0.2.1", lasts_s=None)
    assert plan(allow_host="192.0.2.1", lasts_s=None, yes=True).host == ELSEWHERE
    with pytest.raises(TidemarkError, match=r"--allow-host 192\.0\.2\.1"):
        plan(None, command="x {port}", url="http://192.0.2.1:{port}")
    assert plan(None, command="x {port}").service


def test_the_file_may_allow_hosts_and_not_agree_to_much() -> None:
    names = {option.name for option in LOAD_OPTIONS}
    assert "allow_host" in names
    assert "yes" not in names
