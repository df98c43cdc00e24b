"""`record.endpoints`: `host:port`, with IPv6 in brackets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.endpoints import is_loopback, name_in, parse_endpoint
from tidemark.record.errors import EndpointError

PORTS = st.integers(1, 65535)


@given(st.from_regex(r"\A[a-z0-9.-]{1,20}\Z"), PORTS)
def test_host_and_port(host, port):
    assert parse_endpoint(f"{host}:{port}") == (host, port)


@given(st.ip_addresses(v=6), PORTS)
def test_version_6_is_in_brackets(address, port):
    assert parse_endpoint(f"[{address}]:{port}") == (str(address), port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        ":9092",
        "host:",
        "host:0",
        "host:65536",
        "host:-1",
        "host:9O92",
        "host:\uff19\uff10",
        "::1:1",
    ],
)
def test_what_is_none(text):
    with pytest.raises(
        EndpointError, match="is not host:port with a port from 1 to 65535"
    ) as caught:
        parse_endpoint(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("127.0.0.1:8089", "127.0.0.1"),
        ("LocalHost", "localhost"),
        ("[::1]:80", "::1"),
        ("[::1]", "::1"),
        ("::1", ""),
        ("a@b", ""),
        ("a,b", ""),
        ("a:b", ""),
        ("a:1:2", ""),
        ("[::1", ""),
        ("a/b", ""),
        ("", ""),
        ("a\n", ""),
    ],
)
def test_the_name_in_an_authority(authority: str, name: str) -> None:
    assert name_in(authority) == name


@pytest.mark.parametrize("name", ["127.0.0.1", "127.9.9.9", "localhost", "::1", "::ffff:127.0.0.1"])
def test_loopback(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["", "10.0.0.1", "0.0.0.0", "::", "localhost.evil.test", "127.1"])
def test_not_loopback(name: str) -> None:
    assert not is_loopback(name)
