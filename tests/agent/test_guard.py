"""Who may ask, and how often."""

import pytest

from tests.agent.conftest import TOKEN
from tidemark.agent.errors import Refusal
from tidemark.agent.guard import Bucket, Guard, read_token
from tidemark.agent.http import Request
from tidemark.record.errors import OptionError


def asking(**headers):
    return Request("/", {}, headers, is_head=False, keeps_open=True)


def status(guard, **headers):
    try:
        guard.expect_allowed(asking(**headers))
    except Refusal as refusal:
        return refusal.status
    return 200


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def test_a_bucket_lets_a_burst_through_and_then_its_rate():
    clock = Clock()
    bucket = Bucket(2.0, 3.0, clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.now_s = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.now_s = 1000.0
    assert sum(bucket.take() for _ in range(10)) == 3


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", f"bearer {TOKEN.decode()}", f"Bearer {TOKEN.decode()}x"]
)
def test_only_the_token_opens(given):
    guard = Guard(TOKEN)
    assert status(guard, authorization=f"Bearer {TOKEN.decode()}", host="anything") == 200
    assert status(guard, authorization=given, host="127.0.0.1") == 401


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("127.0.0.1:9666", 200),
        ("localhost", 200),
        ("[::1]:1", 200),
        ("agent.example", 403),
        ("127.0.0.1.example:9666", 403),
        ("user@127.0.0.1", 403),
        ("", 403),
    ],
)
def test_without_a_token_this_host_alone_is_named(host, wanted):
    assert status(Guard(None), host=host) == wanted


def test_who_guesses_is_slowed_down_and_keeps_nobody_else_out():
    guard = Guard(TOKEN, Clock())
    told = {status(guard, authorization="Bearer guess") for _ in range(100)}
    assert told == {401, 429}
    assert status(guard, authorization="Bearer guess") == 429
    assert status(guard, authorization=f"Bearer {TOKEN.decode()}") == 200


def test_who_may_ask_may_not_ask_for_ever():
    guard = Guard(TOKEN, Clock())
    told = [status(guard, authorization=f"Bearer {TOKEN.decode()}") for _ in range(1000)]
    assert 0 < told.count(200) < 500
    assert set(told) == {200, 429}


def test_a_token_is_one_line_of_some_length(tmp_path):
    file = tmp_path / "token"
    file.write_bytes(TOKEN + b"\n")
    assert read_token(file) == TOKEN
    for bad in (b"", b"short\n", b"two words of some length\n", TOKEN + b"\n" + TOKEN):
        file.write_bytes(bad)
        with pytest.raises(OptionError, match="must hold one line of 16"):
            read_token(file)
    with pytest.raises(OptionError, match=r"cannot be read \(No such file"):
        read_token(tmp_path / "none")
